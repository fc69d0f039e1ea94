"""What the card, the comments and the notes carry, and how a tracker follows an agent at work."""

from typing import Any

import pytest

from activities.errors import stop
from tests.workflows.conftest import Run, StartTicket, approved
from tests.workflows.pulls import GREEN_CI, mends, red_ci
from tests.workflows.world import GREEN, World, done, policy, red, works
from workflows import names
from workflows.domain.decision import Action
from workflows.domain.failures import Failure
from workflows.domain.session import Role
from workflows.domain.ticket import Phase
from workflows.ports.forge import OpenPullRequest
from workflows.ports.notify import Note
from workflows.ports.tracker import LinkTicket, MoveTicket, PostComment, ShowProgress

pytestmark = pytest.mark.server


async def merged(run: Run) -> None:
    await approved(run)
    await run.until(Phase.MERGE_GATE)
    await run.act(Action.APPROVE, by="Ada")
    await run.outcome()


async def test_card_comment_and_note_carry_what_waits(start: StartTicket) -> None:
    world = World()
    run = await start(world, title="Mend the hinge")
    gate = await run.until(Phase.PLAN_GATE)
    await run.until(lambda _: bool(world.of(Note)))
    note, move = world.of(Note)[0], world.of(MoveTicket)[-1]
    assert move.subject == note.subject == gate.subject
    assert (note.title, note.identifier, note.alarm) == ("Mend the hinge", gate.identifier, False)
    assert note.ticket is not None
    assert note.ticket.id == gate.identifier
    assert note.body == gate.plan, "the plan alone: how to decide is up to the place"
    assert move.remark is not None
    session, spend = gate.sessions[-1].session, gate.spend
    foot = f"_planner 1 · 1 turn · {spend.tokens:,} tokens · $0.01 · `{session}`_"
    assert move.remark.text.splitlines()[-1] == foot
    assert "\n\n\n" not in move.remark.text
    assert "turn" not in world.remarks[0].text, "nothing was spent when the ticket was taken"
    await merged(run)
    for line in (await run.status()).sessions:
        assert sum(f"`{line.session}`" in remark.text for remark in world.remarks) == 1, "each is named once"
    assert "_so far" not in world.remarks[-1].text, "the last word has the bill itself"
    last = world.of(Note)[-1]
    assert (last.phase, last.url) == (Phase.DONE, "file:///pulls/1")
    assert all(move.subject for move in world.of(MoveTicket) if move.to in (Phase.PLAN_GATE, Phase.MERGE_GATE))


async def test_what_is_blocked_is_an_alarm(start: StartTicket) -> None:
    world = World(failures={"gather_context": [stop(Failure.BAD_POLICY, "WORKFLOW.md line 3: no.")]})
    run = await start(world)
    await run.until(Phase.BLOCKED)
    await run.until(lambda _: bool(world.of(Note)))
    assert [note.alarm for note in world.of(Note)] == [True]


async def test_a_ticket_that_gave_up_is_an_alarm(start: StartTicket) -> None:
    world = World(policy=policy(strikes=1), checks=[red("a")])
    run = await start(world)
    await approved(run)
    assert (await run.outcome()).phase is Phase.GAVE_UP
    assert [(note.phase, note.alarm) for note in world.of(Note)] == [(Phase.PLAN_GATE, False), (Phase.GAVE_UP, True)]


async def test_run_and_pull_request_are_linked_where_others_can_open_them(
    start: StartTicket, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World()
    monkeypatch.setattr("tests.workflows.outside.PULL_REQUEST", "https://github.com/acme/hinge/pull/1")
    run = await start(world, ui="https://temporal.acme.com/run")
    await merged(run)
    links = [(link.title, link.url) for link in world.of(LinkTicket)]
    assert links == [
        ("The run in Temporal", "https://temporal.acme.com/run"),
        ("Pull request 1", "https://github.com/acme/hinge/pull/1"),
    ]
    found = (await run.handle.describe()).typed_search_attributes
    assert found.get(names.PULL_REQUEST) == "acme/hinge#1", "news of the pull request find the ticket by it"


async def test_a_tracker_that_follows_is_shown_every_line_once_and_none_after_a_question(
    start: StartTicket,
) -> None:
    world = World()
    run = await start(world, follow=True)
    await merged(run)
    shown = [line for progress in world.of(ShowProgress) for line in progress.lines]
    story = [line[9:] for line in (await run.status()).story]
    assert shown == story[: len(shown)]
    assert any("Planner 1 submitted" in line for line in shown)
    assert any("approve by Ada" in line for line in shown)
    assert len({progress.key for progress in world.of(ShowProgress)}) == len(world.of(ShowProgress))
    waiting = False
    for asked in world.asked:
        if isinstance(asked, ShowProgress):
            assert not waiting or asked.phase.is_final, "the question would no longer be the last word"
        if isinstance(asked, MoveTicket):
            waiting = Phase(asked.to).waits_for_a_person or Phase(asked.to).is_final


async def test_lines_are_passed_on_together_and_seldom(start: StartTicket) -> None:
    world = World(delays={"take_turn": 0.1})
    run = await start(world, follow=True)
    await run.until(Phase.PLAN_GATE)
    assert len(world.of(ShowProgress)) <= 2, "one at the beginning, one before the question"


async def test_who_does_not_follow_is_shown_nothing(start: StartTicket) -> None:
    world = World()
    await merged(await start(world))
    assert not world.of(ShowProgress)
    assert not world.of(LinkTicket)


async def test_a_tracker_that_cannot_show_progress_does_not_hurt_the_ticket(start: StartTicket) -> None:
    broken: list[Any] = [stop(Failure.BAD_REQUEST, "No.") for _ in range(50)]
    world = World(failures={"show_progress": broken})
    world.turns[Role.BUILDER] = [works(), done("s1")]
    run = await start(world, follow=True)
    await merged(run)
    assert not any("No." in line for line in (await run.status()).story)
    assert world.of(OpenPullRequest)


async def test_a_tracker_that_follows_reads_the_story_in_order_and_nothing_twice(start: StartTicket) -> None:
    """Of strikes, of CI and of what blocks, the remark is the fuller one."""
    world = World(checks=[red("a"), GREEN], looks=[red_ci(), red_ci(attempt=2), GREEN_CI])
    world.failures["mark_ready"] = [stop(Failure.BAD_REQUEST, "Mind the forge.")]
    world.turns[Role.BUILDER] = [done("s1"), done("s2")]
    mends(world, "s3")
    run = await start(world, follow=True)
    await approved(run)
    await run.until(Phase.BLOCKED)
    await run.act(Action.RESUME)
    await run.until(Phase.MERGE_GATE)
    await run.act(Action.APPROVE)
    await run.outcome()
    said = "\n".join(_words(asked) for asked in world.asked)
    for once in ("Strike 1 of", "Attempt 1 of", "Mind the forge."):
        assert said.count(once) == 1, once
    order = ("Planner 1 submitted", "**Plan", "Strike 1 of", "Pushed to", "Pull request 1: ", "Reviewer 1 is at work")
    places = [said.index(words) for words in (*order, "it may be flaky", "Attempt 1 of", "Fixer 1 is at work")]
    assert places == sorted(places)
    assert "Strikes: 1 by the checks, 1 by CI." in world.remarks[-1].text


def _words(asked: Any) -> str:
    """What of a request is shown on the ticket."""
    if isinstance(asked, ShowProgress):
        return "\n".join(asked.lines)
    remark = asked.remark if isinstance(asked, MoveTicket | PostComment) else None
    return remark.text if remark else ""
