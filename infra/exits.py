"""How a command ends: the exit codes, the errors that carry them, and what each outside error means in these terms."""

import os
import sys
from contextlib import suppress
from enum import IntEnum
from typing import ClassVar, NoReturn


class Exit(IntEnum):
    """The exit codes of every `pawl` command."""

    OK = 0
    BUG = 1
    """Something Pawl did not expect: `--debug` shows where."""
    USAGE = 2
    NOT_FOUND = 3
    AUTH = 4
    OUTSIDE = 5
    """A service Pawl needs (Temporal, the gateway, a forge) is away or failed."""
    REFUSED = 6
    """A rule says no: the ticket is not in that phase, the approval is stale, another `pawl up` runs here."""
    RATE_LIMITED = 7
    INTERRUPTED = 130
    """Ctrl-C, as shells count it."""


class PawlError(Exception):
    """A command that cannot go on: the cause, and what the person can do next. Both are sentences."""

    exit: ClassVar[Exit] = Exit.BUG

    def __init__(self, cause: str, next_step: str = "") -> None:
        super().__init__(f"{cause} {next_step}".strip())
        self.cause = cause
        self.next_step = next_step


class Misused(PawlError):
    exit = Exit.USAGE


class NotFound(PawlError):
    exit = Exit.NOT_FOUND


class NoAccess(PawlError):
    exit = Exit.AUTH


class OutOfReach(PawlError):
    exit = Exit.OUTSIDE


class Refused(PawlError):
    exit = Exit.REFUSED


class RateLimited(PawlError):
    exit = Exit.RATE_LIMITED


class Told(Exception):
    """A command that failed and has said why already."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = Exit(code)


def exit_now(code: int) -> NoReturn:
    """Leave without interpreter shutdown, in which the Temporal SDK's native threads abort one exit in five."""
    with suppress(OSError):  # whoever read our output has gone
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)
