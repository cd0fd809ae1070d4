"""What you can do with it: one folder a command; none imports another."""
