"""Nights at level 1: silent when there is nothing, and one report that is kept up to date."""

import pytest

from tests.workflows.nights import (
    DOOR,
    FIRST,
    SQUEAK,
    StartNights,
    card,
    entry,
    filed,
    finding,
    finds,
    ignores,
    meanwhile,
    model_calls,
    policy,
    pushed,
    quiet,
    red,
    rewritten,
)
from tests.workflows.world import World
from workflows.domain.change import Check
from workflows.domain.session import Role
from workflows.domain.triage import Kind, Standing
from workflows.ports.context import GatherContext, GatherEvidence
from workflows.ports.forge import FindRecent
from workflows.ports.model import OpenAccount
from workflows.ports.notebook import KeepNotebook
from workflows.ports.notify import Note
from workflows.ports.tracker import FileTicket
from workflows.ports.workspace import DestroyWorkspace, PrepareWorkspace, RunChecks, TryCommand

pytestmark = pytest.mark.server


async def test_a_silent_night_asks_no_model_and_tells_nobody(nights: StartNights) -> None:
    world = World()
    said = await (await nights(world)).next()
    assert said.silent
    assert not said.asked
    assert said.says == "Nothing new since 2026-02-23 03:00 UTC. Nobody was asked or told anything."
    assert [model_calls(world), world.of(OpenAccount), filed(world), rewritten(world)] == [0, [], [], []]
    assert not world.of(Note)
    assert world.state.seen_until == FIRST
    assert world.of(GatherContext)[0].ticket.ref.tracker == "triage"


async def test_a_finding_is_shown_and_reported_once(nights: StartNights) -> None:
    world = World()
    run = await nights(world)
    finds(world, finding())
    first = await run.next()
    assert (first.found, first.tickets, first.silent) == (1, ("F-1",), False)
    (report,) = filed(world)
    assert (report.labels, report.key) == (("triage",), f"{run.name}:inbox:1")
    assert "`tests/test_hinge.py::test_squeak`" in report.body
    assert "Fails every time: 5 of 5 runs" in report.body
    assert entry(world).standing is Standing.REPORTED
    assert world.of(TryCommand)[0].names == "test_squeak"
    finds(world, finding(title="The hinge still squeaks"))
    second = await run.next()
    assert (second.silent, second.known) == (True, 1)
    assert len(filed(world)) == 1
    assert not rewritten(world), "nothing in it has changed but how often it was seen"
    assert entry(world).last_seen > entry(world).first_seen


async def test_the_night_is_in_the_state_file_before_anybody_hears_of_it(nights: StartNights) -> None:
    world = World()
    finds(world, finding())
    await (await nights(world)).next()
    order = [type(request) for request in world.asked if isinstance(request, KeepNotebook | FileTicket)]
    assert order[:2] == [KeepNotebook, FileTicket]
    (before, *_) = world.of(KeepNotebook)
    assert [one.standing for one in before.entries] == [Standing.WAITING]
    assert before.seen_until is None


async def test_a_second_finding_comes_into_the_same_report(nights: StartNights) -> None:
    world = World()
    run = await nights(world)
    finds(world, finding())
    await run.next()
    finds(world, finding(DOOR, title="The door stays open"))
    second = await run.next()
    assert second.tickets == ("F-1",)
    assert len(filed(world)) == 1
    (rewrite,) = rewritten(world)
    assert SQUEAK in rewrite.body
    assert DOOR in rewrite.body
    assert entry(world, DOOR).ticket == entry(world).ticket == world.state.inbox


async def test_a_report_that_was_read_and_closed_is_followed_by_another_only_for_something_new(
    nights: StartNights,
) -> None:
    world = World()
    run = await nights(world)
    finds(world, finding())
    await run.next()
    world.cards.close("F-1")
    finds(world, finding())
    assert (await run.next()).silent
    finds(world, finding(DOOR))
    third = await run.next()
    assert third.tickets == ("F-2",)
    assert filed(world)[-1].key == f"{run.name}:inbox:2"
    assert SQUEAK not in filed(world)[-1].body, "that was read"
    assert not rewritten(world)
    assert world.state.inboxes == 2


async def test_a_deleted_report_is_followed_by_another_for_something_new(nights: StartNights) -> None:
    world = World()
    run = await nights(world)
    finds(world, finding())
    await run.next()
    world.cards.filed.clear()
    finds(world, finding(DOOR))
    await run.next()
    assert filed(world)[-1].key == f"{run.name}:inbox:2"


async def test_what_stays_as_it_was_is_nothing_new(nights: StartNights) -> None:
    """A command that goes on failing and an issue that goes on being open cost a model call once."""
    world = World(policy=policy(commands=(Check(name="lint", run="ruff check ."),)))
    world.reds["lint"] = red("lint")
    world.cards.others.append(card("ENG-7", "The hinge is loose"))
    world.turns[Role.TRIAGER] = []
    run = await nights(world)
    finds(world, finding("src/hinge.py:E501", Kind.LINT))
    world.recent = World().recent
    assert (await run.next()).asked
    base = world.bases
    quiet(world)
    assert (await run.next()).says.startswith("Nothing new since 2026-03-02")
    world.reds["lint"] = red("lint", "another line")
    finds(world, finding("src/hinge.py:E501", Kind.LINT))
    world.bases, world.recent = base, World().recent
    assert (await run.next()).asked
    assert model_calls(world) == 2


async def test_the_triager_gets_what_was_gathered_and_its_three_stops(nights: StartNights) -> None:
    world = World(policy=policy(model="tape:cheap", usd_per_night="0.5", commands=(Check(name="lint", run="l"),)))
    world.reds["lint"] = red("lint")
    finds(world, finding())
    run = await nights(world)
    said = await run.next()
    (account,) = world.of(OpenAccount)
    assert (account.models, str(account.usd)) == (("tape:cheap",), "0.5")
    (evidence,) = world.of(GatherEvidence)
    assert (evidence.until, evidence.since.day) == (FIRST, 23)
    assert [report.summary for report in evidence.reports] == ["lint: exited 1"]
    (turn,) = world.turns_of(Role.TRIAGER)
    assert turn.order
    assert (turn.order.limits.turns, turn.order.limits.minutes, turn.order.limits.same_failure) == (25, 20, 3)
    assert turn.order.brief.ticket_text == "sha256:evidence"
    assert turn.order.account == account.account
    assert said.spend is not None
    assert [str(said.spend.usd), said.notebook] == ["0.05", "/triage/hinge.yaml"]
    assert [one.checks[0].name for one in world.of(RunChecks)] == ["tests", "lint"]
    assert len({one.workspace.key for one in world.of(RunChecks)}) == 2
    assert world.of(DestroyWorkspace)[-1].key == world.of(PrepareWorkspace)[0].workspace.key


async def test_what_a_person_wrote_in_the_night_holds(nights: StartNights) -> None:
    """Ignored since the last night: it is not raised, and the report tells it no more."""
    world = World()
    run = await nights(world)
    finds(world, finding())
    await run.next()
    ignored = entry(world).model_copy(update={"standing": Standing.IGNORED, "note": "We know."})
    world.state = world.state.model_copy(update={"findings": (ignored,)})
    finds(world, finding())
    said = await run.next()
    assert (said.tickets, said.known) == (("F-1",), 1)
    assert "Nothing of this is open any more" in rewritten(world)[-1].body
    assert (entry(world).standing, entry(world).note) == (Standing.IGNORED, "We know.")
    quiet(world)
    assert (await run.next()).silent


async def test_the_report_follows_the_state_file_without_a_commit_too(nights: StartNights) -> None:
    world = World()
    run = await nights(world)
    finds(world, finding(), finding(DOOR))
    await run.next()
    quiet(world)
    squeak, door = world.state.findings
    world.state = world.state.model_copy(
        update={"findings": (squeak.model_copy(update={"standing": Standing.IGNORED}), door)}
    )
    assert (await run.next()).tickets == ("F-1",)
    assert squeak.subject not in rewritten(world)[-1].body
    assert door.subject in rewritten(world)[-1].body
    assert (await run.next()).silent
    assert len(rewritten(world)) == 1


async def test_what_a_person_wrote_is_seen_before_what_waited_is_told(nights: StartNights) -> None:
    """Although the night itself has nothing to write."""
    world = World(policy=policy(level=2, new_tickets=1))
    run = await nights(world)
    finds(world, finding(), finding(DOOR))
    await run.next()
    quiet(world)
    meanwhile(world, FindRecent, lambda: ignores(world, DOOR))
    said = await run.next()
    assert (said.tickets, said.silent, entry(world, DOOR).standing) == ((), True, Standing.IGNORED)
    assert len(filed(world)) == 1


async def test_what_a_person_wrote_holds_however_often_the_night_keeps_its_notes(nights: StartNights) -> None:
    world = World()
    run = await nights(world)
    finds(world, finding())
    await run.next()
    world.cards.close("F-1")
    finds(world, finding(), finding(DOOR))
    meanwhile(world, FileTicket, lambda: ignores(world))
    keeps = len(world.of(KeepNotebook))
    said = await run.next()
    assert (said.tickets, len(world.of(KeepNotebook)) - keeps) == (("F-2",), 3)
    assert entry(world).standing is Standing.IGNORED


async def test_a_night_that_was_looked_at_already_is_left(nights: StartNights) -> None:
    world = World()
    run = await nights(world)
    await run.next()
    run.at = FIRST
    pushed(world)
    assert (await run.next()).silent
    assert len(world.of(FindRecent)) == 1
