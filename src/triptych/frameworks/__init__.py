"""Who computes: one folder a framework, with the same files and functions."""
