"""A kill costs nothing: real processes, killed all along a ticket's way, and what the world looks like afterwards."""

import re
from itertools import groupby

import pytest

from tests.system.crash import story
from tests.system.crash.conftest import Run
from tests.system.crash.lane import Case, Seen
from tests.system.crash.points import DESTROYED, IN_CALL, PASSAGES, TOLD, chosen, kill_points
from tests.system.crash.switch import Kill, Victim
from workflows.domain.ticket import Phase

pytestmark = [pytest.mark.crash, pytest.mark.server, pytest.mark.sandbox, pytest.mark.timeout(400)]

CASES = chosen()
COMMENTS = ["planning-1", "plan_gate-2", "strike-1", "reviewing-4", "merge_gate-7", "done-8"]
REVIEWS = ["review-1", "review-2"]
NOBODY = Case()


def test_at_least_sixty_kill_points_are_chosen() -> None:
    assert len(kill_points(CASES)) >= 60
    assert {kill.at for case in CASES for kill in case.kills} <= PASSAGES.keys()


@pytest.mark.parametrize("case", [NOBODY], ids=["nobody"])
async def test_an_undisturbed_ticket_comes_past_every_point_of_the_table(case: Case, crashes: Run) -> None:
    seen = await crashes.of(case)
    passed = [line.what for line in seen.trace]
    assert {point: passed.count(point) for point in PASSAGES if passed.count(point) < PASSAGES[point]} == {}
    assert_whole(seen, case)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_a_ticket_survives(case: Case, crashes: Run, report: list[str]) -> None:
    seen = await crashes.of(case)
    report.extend(recoveries(seen))
    assert seen.unkilled == []
    assert_whole(seen, case)


@pytest.mark.parametrize("case", DESTROYED, ids=lambda case: case.name)
async def test_a_destroyed_sandbox_costs_no_turn(case: Case, crashes: Run, report: list[str]) -> None:
    seen = await crashes.of(case)
    report.extend(recoveries(seen))
    assert seen.unkilled == []
    assert_whole(seen, case)


@pytest.mark.parametrize("case", TOLD, ids=lambda case: case.name)
async def test_a_worker_that_is_told_to_stop_finishes_its_step(case: Case, crashes: Run) -> None:
    seen = await crashes.of(case)
    assert seen.unkilled == []
    assert_whole(seen, case)
    passed = [line.what for line in seen.trace]
    taken = {point: passed.count(point) for point in PASSAGES if point.endswith((": begun", ": done"))}
    assert taken == {point: PASSAGES[point] for point in taken}, "no step is begun twice"


def assert_whole(seen: Seen, case: Case) -> None:
    """Done once and for all: bought once, said once, opened once, the right files, nothing left over."""
    assert seen.outcome.phase is Phase.DONE
    assert_bought_once(seen, [kill for kill in case.kills if kill.victim is Victim.GATEWAY and kill.at in IN_CALL])
    assert said(seen.card) == COMMENTS
    [pull] = seen.pulls
    assert "\nstate: merged\n" in pull
    assert said(pull) == REVIEWS
    assert seen.merged == story.RESULT
    assert seen.merges == 1
    assert seen.sandboxes == []
    assert seen.processes == []
    assert seen.open_calls == []


def assert_bought_once(seen: Seen, at_risk: list[Kill]) -> None:
    """Every turn once and in order; a gateway that died in mid-call may have bought that one call again. The bill
    never says less than the provider saw."""
    repeated = len(seen.turns) - len(story.TURNS)
    assert tuple(turn for turn, _ in groupby(seen.turns)) == story.TURNS
    assert 0 <= repeated <= len(at_risk)
    assert repeated <= seen.outcome.bill.calls_bought_twice <= len(at_risk)
    assert seen.outcome.bill.calls >= len(seen.turns)


def said(page: str) -> list[str]:
    """The names in the keys of a page's comments, without the digests of what they say. No two may say the same."""
    _, *comments = re.split(r"<!-- pawl:(\S+) -->\n", page)
    keys, texts = comments[::2], [text.strip() for text in comments[1::2]]
    assert len(set(texts)) == len(texts), "two comments say the same"
    return [re.sub(r"-[0-9a-f]{8}$", "", key.rpartition("/")[2], count=1) for key in keys]


def recoveries(seen: Seen) -> list[str]:
    """A line per kill: who, where, and how long until the next step was begun."""
    lines: list[str] = []
    for place, line in enumerate(seen.trace):
        if line.is_kill:
            later = (after.at - line.at for after in seen.trace[place + 1 :] if after.what.endswith(": begun"))
            seconds = next(later, None)
            lines.append(
                f"{line.what.removeprefix('KILL '):<60} {'at its end' if seconds is None else f'{seconds:.2f}'}"
            )
    return lines
