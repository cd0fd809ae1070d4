"""Child processes that do not outlive their parent.

A child leaves when its standard input ends. One that cannot, because it is stopped or
busy in foreign code, is killed by Linux when its parent dies. macOS has nothing of the
kind: there a child that was stopped stays so, and leaves when it is continued. So does,
on Linux, one that was stopped in the first hundredths of a second of its life, before
it could ask for this.
"""

from __future__ import annotations

import ctypes
import os
import runpy
import signal
import sys

_PR_SET_PDEATHSIG = 1


def child_command(module: str, *arguments: str) -> list[str]:
    """The command line of a child of this process that runs `module` as a program with
    these `arguments`.

    The thread that starts the child must live as long as the child: Linux takes its end
    for the parent's.
    """
    # -P: what lies in the user's folder, a jax.py say, is not imported for a framework
    return [
        sys.executable,
        "-P",
        "-m",
        "triptych.children",
        module,
        str(os.getpid()),
        *arguments,
    ]


def end_with(parent: int) -> None:
    """Let this process be killed when its `parent` dies, or leave now if that has
    happened already.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


if __name__ == "__main__":
    end_with(int(sys.argv[2]))  # before anything that takes time is imported
    runpy.run_module(sys.argv[1], run_name="__main__", alter_sys=True)
