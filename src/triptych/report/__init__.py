"""Pages and plots from run folders."""
