"""What commands have done by a process of its own, because they load no adapters.

`python -m activities.errands check-sandbox | end-sandboxes | init-linear`; one that is told something more reads it as
JSON on standard input, and answers with one line of JSON: what was asked for, or an infra.errands.Problem. Each loads
what it needs and no more: somebody waits for it.
"""

import asyncio
import os
import sys
from collections.abc import Callable, Coroutine, Mapping
from datetime import timedelta

from temporalio.exceptions import ApplicationError

from infra import telemetry
from infra.errands import LinearWanted, Problem
from infra.exits import Exit, PawlError
from infra.settings import Settings
from workflows.domain.failures import Failure
from workflows.domain.model import Record


async def _check_sandbox(settings: Settings) -> int:
    from activities.sandbox_errands import check_sandbox

    return await check_sandbox(settings)


async def _end_sandboxes(settings: Settings) -> int:
    from activities.sandbox_errands import end_sandboxes

    return await end_sandboxes(settings)


async def _init_linear(settings: Settings) -> int:
    from activities.linear_setup import set_up_linear

    return await _answered(set_up_linear(settings, LinearWanted.model_validate_json(sys.stdin.read())))


async def _answered(work: Coroutine[None, None, Record]) -> int:
    try:
        print((await work).model_dump_json())
    except (ApplicationError, PawlError) as error:
        print(_problem(error).model_dump_json())
        return 1
    return 0


def _problem(error: ApplicationError | PawlError) -> Problem:
    if isinstance(error, PawlError):
        return Problem(exit=error.exit, cause=error.cause, next_step=error.next_step)
    cause = error.message.replace(", then resume.", ".")  # as it is said to tickets
    if wait := error.next_retry_delay:
        minutes = -(-wait // timedelta(minutes=1))
        return Problem(exit=Exit.RATE_LIMITED, cause=cause, next_step=f"Try again in {minutes} min.")
    return Problem(exit=_EXITS.get(error.type or "", Exit.REFUSED), cause=cause)


_EXITS = {Failure.BAD_CREDENTIALS.value: Exit.AUTH, Failure.OUT_OF_REACH.value: Exit.OUTSIDE}
_ERRANDS: Mapping[str, Callable[[Settings], Coroutine[None, None, int]]] = {
    "check-sandbox": _check_sandbox,
    "end-sandboxes": _end_sandboxes,
    "init-linear": _init_linear,
}


if __name__ == "__main__":
    os.umask(0o077)
    telemetry.log_to_stderr()
    sys.exit(asyncio.run(_ERRANDS[sys.argv[1]](Settings())))
