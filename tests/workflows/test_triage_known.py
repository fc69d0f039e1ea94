"""Nothing is raised twice, nothing false is told, and what comes back is told again."""

import pytest

from tests.workflows.nights import (
    DOOR,
    SQUEAK,
    StartNights,
    card,
    entry,
    filed,
    finding,
    finds,
    model_calls,
    policy,
    pushed,
    rewritten,
)
from tests.workflows.world import World
from workflows.domain.triage import Kind, Standing, Verdict
from workflows.ports.tracker import PostComment
from workflows.ports.workspace import TryCommand

pytestmark = pytest.mark.server


async def test_what_does_not_fail_is_kept_and_not_told(nights: StartNights) -> None:
    world = World(tries={f"try {SQUEAK}": 0})
    run = await nights(world)
    finds(world, finding())
    said = await run.next()
    assert (said.silent, said.refuted, said.found) == (True, 1, 0)
    assert not filed(world)
    assert entry(world).standing is Standing.REFUTED
    base = world.bases
    finds(world, finding())
    world.bases = base
    assert (await run.next()).known == 1
    assert len(world.of(TryCommand)) == 1, "on the same commit it is not run again"
    world.tries = {}
    finds(world, finding())
    assert (await run.next()).tickets == ("F-1",), "on another commit it may be true"


async def test_what_fails_now_and_then_is_called_flaky(nights: StartNights) -> None:
    world = World(tries={f"try {SQUEAK}": 2})
    finds(world, finding())
    await (await nights(world)).next()
    assert entry(world).kind is Kind.FLAKY_TEST
    assert entry(world).tried[-1].verdict is Verdict.FLAKY
    assert "### Flaky test: `tests/test_hinge.py::test_squeak`" in filed(world)[0].body
    assert "Flaky: fails now and then: 2 of 5 runs failed" in filed(world)[0].body


async def test_what_is_flaky_is_fixed_only_when_it_passed_on_two_commits_in_a_row(nights: StartNights) -> None:
    world = World(tries={f"try {SQUEAK}": 2})
    run = await nights(world)
    finds(world, finding())
    await run.next()
    told = filed(world)[0].body.splitlines()

    async def a_night(failed: int, *, moved: bool = True) -> tuple[int, Standing]:
        base, world.tries = world.bases, {f"try {SQUEAK}": failed}
        finds(world)
        world.bases = world.bases if moved else base
        return (await run.next()).fixed, entry(world).standing

    assert await a_night(0) == (0, Standing.REPORTED)
    assert not rewritten(world), "a round of luck changes nothing for people"
    assert await a_night(2) == (0, Standing.REPORTED)
    assert await a_night(0) == (0, Standing.REPORTED)
    tries = len(world.of(TryCommand))
    assert await a_night(0, moved=False) == (0, Standing.REPORTED)
    assert len(world.of(TryCommand)) == tries, "not run again where nothing has changed"
    assert await a_night(0) == (1, Standing.FIXED)
    assert "### Flaky test: `tests/test_hinge.py::test_squeak`" in told
    assert "### Fixed since" in rewritten(world)[-1].body


async def test_an_open_ticket_that_holds_the_name_is_enough(nights: StartNights) -> None:
    world = World()
    world.cards.others.append(card("ENG-7", f"{SQUEAK} fails on main"))
    finds(world, finding())
    said = await (await nights(world)).next()
    assert (said.silent, said.known) == (True, 1)
    assert (entry(world).standing, entry(world).identifier) == (Standing.REPORTED, "ENG-7")
    assert not world.of(TryCommand)


async def test_the_models_word_is_taken_for_a_ticket_that_exists(nights: StartNights) -> None:
    world = World()
    world.cards.others.append(card("ENG-7", "Noise at the door"))
    finds(world, finding(duplicate_of="#eng-7"), finding(DOOR, duplicate_of="ENG-999"))
    said = await (await nights(world)).next()
    assert (said.known, said.found) == (1, 1)
    assert entry(world).identifier == "ENG-7"
    assert DOOR in filed(world)[0].body, "nonsense hides nothing"


async def test_the_models_word_is_taken_for_a_finding_that_is_open_and_no_other(nights: StartNights) -> None:
    world = World(tries={"try refuted-one": 0})
    run = await nights(world)
    finds(world, finding(), finding("refuted-one", Kind.OTHER, command="try refuted-one"))
    await run.next()
    refuted = entry(world, "refuted-one", Kind.OTHER)
    finds(world, finding("other words", duplicate_of=entry(world).id), finding(DOOR, duplicate_of=refuted.id))
    said = await run.next()
    assert (said.known, said.found) == (1, 1)
    assert [one.subject for one in world.state.findings] == [SQUEAK, "refuted-one", DOOR]


async def test_fixed_and_back_again_is_told_anew(nights: StartNights) -> None:
    world = World()
    run = await nights(world)
    finds(world, finding())
    await run.next()
    world.tries = {f"try {SQUEAK}": 0}
    finds(world)
    fixed = await run.next()
    assert (fixed.fixed, fixed.tickets) == (1, ("F-1",))
    assert entry(world).standing is Standing.FIXED
    assert "### Fixed since" in rewritten(world)[-1].body
    world.tries = {}
    finds(world, finding())
    back = await run.next()
    assert (back.found, back.tickets) == (1, ("F-1",))
    assert (entry(world).times, entry(world).standing) == (2, Standing.REPORTED)
    assert "### Fixed since" not in rewritten(world)[-1].body
    assert len(filed(world)) == 1


async def test_a_fixed_drafts_people_are_told_and_its_return_is_another_ticket(nights: StartNights) -> None:
    world = World(policy=policy(level=2))
    run = await nights(world)
    finds(world, finding())
    await run.next()
    world.tries = {f"try {SQUEAK}": 0}
    finds(world)
    assert (await run.next()).tickets == ("F-1",)
    (said,) = world.of(PostComment)
    assert "does not fail any more: 5 runs" in said.remark.text
    world.tries = {}
    finds(world, finding())
    assert (await run.next()).tickets == ("F-2",)
    assert [filing.key.rpartition(":")[2] for filing in filed(world)] == ["1", "2"]
    assert "time 2" in filed(world)[-1].body


async def test_what_is_found_anew_after_people_have_closed_its_ticket_is_another_ticket(nights: StartNights) -> None:
    world = World(policy=policy(level=2))
    run = await nights(world)
    for number in (1, 2, 3):
        finds(world, finding())
        assert (await run.next()).tickets == (f"F-{number}",)
        assert (entry(world).times, entry(world).identifier) == (number, f"F-{number}")
        world.cards.close(f"F-{number}")
        world.state = world.state.model_copy(update={"findings": ()})  # a person wants it forgotten
    assert "It came up before; this is time 3." in filed(world)[-1].body


async def test_a_finding_whose_tickets_are_closed_for_ever_stops_no_night(nights: StartNights) -> None:
    world = World(policy=policy(level=3))
    run = await nights(world)
    world.cards.closes_all = True
    finds(world, finding())
    said = await run.next()
    assert (said.trouble, said.started, len(filed(world))) == ("", (), 21)
    assert entry(world).standing is Standing.TICKETED


async def test_an_open_finding_is_run_again_only_when_the_base_moved(nights: StartNights) -> None:
    world = World()
    run = await nights(world)
    finds(world, finding())
    await run.next()
    base = world.bases
    finds(world)
    world.bases = base
    await run.next()
    assert len(world.of(TryCommand)) == 1
    pushed(world)
    finds(world)
    await run.next()
    assert len(world.of(TryCommand)) == 2
    assert model_calls(world) == 3
