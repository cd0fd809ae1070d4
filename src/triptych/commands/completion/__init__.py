"""Completion of commands and options by the shell."""
