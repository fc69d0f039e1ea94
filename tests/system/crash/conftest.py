"""Two stacks work through the cases of the tests that were asked for, side by side; each test waits for its own."""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import AsyncExitStack
from typing import NamedTuple

import pytest

from infra import process
from tests.system.crash.lane import Case, Lane, Seen, lane, provider

LANES = 2
_REPORT: list[str] = []


class Run(NamedTuple):
    """The cases on their way."""

    results: dict[str, "asyncio.Future[Seen]"]

    async def of(self, case: Case) -> Seen:
        return await self.results[case.name]


@pytest.fixture(scope="session")
def quick_restarts() -> Iterator[None]:
    """Parts die here more often than in any operator's worst week; a start must not wait for the ones before it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(process, "BACKOFF_SECONDS", (0.0,))
        yield


@pytest.fixture(scope="session")
async def crashes(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, quick_restarts: None
) -> AsyncGenerator[Run]:
    params = [getattr(item, "callspec", None) for item in request.session.items]
    cases = [case for spec in params if spec is not None and isinstance(case := spec.params.get("case"), Case)]
    waiting = iter(cases)
    run = Run({case.name: asyncio.get_running_loop().create_future() for case in cases})
    async with AsyncExitStack() as held:
        url = await held.enter_async_context(provider())
        homes = [tmp_path_factory.mktemp("crash") for _ in range(min(LANES, len(cases)))]
        lanes = [await held.enter_async_context(lane(home, url)) for home in homes]
        working = [asyncio.create_task(_work(one, waiting, run)) for one in lanes]
        yield run
        for task in working:
            task.cancel()
        await asyncio.wait(working)


async def _work(own: Lane, waiting: Iterator[Case], run: Run) -> None:
    for case in waiting:
        result = run.results[case.name]
        try:
            result.set_result(await own.run(case))
        except Exception as error:
            result.set_exception(error)


@pytest.fixture
def report() -> list[str]:
    """Lines for the table at the end of the run."""
    return _REPORT


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if _REPORT:
        terminalreporter.section("kill points: seconds from the kill to the next step that is begun")
        for line in sorted(_REPORT):
            terminalreporter.write_line(line)
