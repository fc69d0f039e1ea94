"""A spare process: loaded and waiting, so that the death of its predecessor costs no loading time."""

import os
import select
import sys
from collections.abc import Callable

VARIABLE = "PAWL_SPARE"
"""Set in a spare's environment by its supervisor."""
REST_SECONDS = 5.0
"""How long a spare rests before it loads more: the one that serves has just begun, and needs the processor."""


def wait_until_needed(load_more: Callable[[], None] = lambda: None) -> None:
    """For a program that has started nothing yet: in a spare, return when the supervisor writes a line to standard
    input, and end when the supervisor has no more need of it. After a rest it calls `load_more`, to the end, for what
    others load when they first use it. Elsewhere, return at once."""
    if not os.environ.pop(VARIABLE, ""):
        return
    if not select.select([sys.stdin], [], [], REST_SECONDS)[0]:
        load_more()
    if not sys.stdin.buffer.readline():
        os._exit(0)
