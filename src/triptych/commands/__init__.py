"""What you can do with it: one folder a command; none imports another.

In a folder, `command.py` has the options for the command line, `child.py` what runs
inside a worker, `terminal.py` and `page.py` what is shown; the rest does the work.
"""

COMMANDS = {
    "compare": "compare",
    "train": "compare",
    "resume": "compare",
    "verify": "verify",
    "bench": "bench",
    "predict": "predict",
    "evaluate": "predict",
    "replay": "replay",
    "runs": "runs",
    "images": "images",
    "cache": "images",
    "networks": "networks",
    "show": "networks",
    "eject": "eject",
    "lessons": "lessons",
    "completion": "completion",
}
"""Each command's folder, in the order of a day's work."""
