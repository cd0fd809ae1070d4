"""First on the path of every Python of tests/test_security.py: writes down what must
never happen.
"""

from __future__ import annotations

import os
import sys

NEVER = {"pickle.find_class", "socket.connect", "socket.getaddrinfo", "urllib.Request"}


def listen(event: str, arguments: tuple[object, ...]) -> None:
    """Each in a line; unpickling is seen when it looks for the first class or function
    to call.
    """
    if event in NEVER:
        with open(os.environ["WATCHED"], "a") as log:
            print(event, arguments, file=log)


sys.addaudithook(listen)
