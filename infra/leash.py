"""Start a program that ends when its supervisor ends, however that ends.

Usage: `leash.py SUPERVISOR_PID PROGRAM [ARGUMENT ...]`. A supervisor that is killed cannot clean up, so the kernel
does it: the program gets SIGKILL when its parent dies.
Run by a bare interpreter of its own, because nothing of ours may run between fork and exec in a process with threads.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def main() -> None:
    supervisor, program = int(sys.argv[1]), sys.argv[2:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != supervisor:  # it died before the kernel knew
            sys.exit(1)
    os.execvp(program[0], program)  # noqa: S606  # an argument list, no shell


if __name__ == "__main__":
    main()
