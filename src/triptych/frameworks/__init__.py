"""Who computes: one file a framework, the same functions in the same order."""
