"""What commands have done by a process of its own, because they load no adapters.

`python -m activities.errands check-sandbox | end-sandboxes | init-linear | reach`; one that is told something more
reads it as JSON on standard input, and answers with one line of JSON: what was asked for, or an infra.errands.Problem.
Each loads what it needs and no more: somebody waits for it.
"""

import asyncio
import os
import sys
from collections.abc import Callable, Coroutine, Mapping

from temporalio.exceptions import ApplicationError

from activities.problems import problem_of
from infra import telemetry
from infra.errands import LinearWanted
from infra.exits import PawlError
from infra.settings import Settings
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


async def _reach(settings: Settings) -> int:
    from activities.reaching import reach_all

    return await _answered(reach_all(settings))


async def _answered(work: Coroutine[None, None, Record]) -> int:
    try:
        print((await work).model_dump_json())
    except (ApplicationError, PawlError) as error:
        print(problem_of(error).model_dump_json())
        return 1
    return 0


_ERRANDS: Mapping[str, Callable[[Settings], Coroutine[None, None, int]]] = {
    "check-sandbox": _check_sandbox,
    "end-sandboxes": _end_sandboxes,
    "init-linear": _init_linear,
    "reach": _reach,
}


if __name__ == "__main__":
    os.umask(0o077)
    telemetry.log_to_stderr()
    sys.exit(asyncio.run(_ERRANDS[sys.argv[1]](Settings())))
