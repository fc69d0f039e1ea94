"""A spare process: loaded and waiting, so that the death of its predecessor costs no loading time."""

import os
import sys

VARIABLE = "PAWL_SPARE"
"""Set in a spare's environment by its supervisor."""


def wait_until_needed() -> None:
    """For a program that has loaded everything and started nothing: in a spare, return when the supervisor writes a
    line to standard input, and end when the supervisor has no more need of it. Elsewhere, return at once."""
    if os.environ.pop(VARIABLE, "") and not sys.stdin.buffer.readline():
        os._exit(0)
