"""What people say to a ticket from outside: by words, by the card, heard once, obeyed or answered on the ticket."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from temporalio.client import WorkflowUpdateFailedError

from tests.workflows.conftest import Run, StartTicket
from tests.workflows.test_people import signal
from tests.workflows.world import World, done, policy, works
from workflows.domain.decision import Action
from workflows.domain.gates import Gates, GateTerms
from workflows.domain.intake import CardMove, Words
from workflows.domain.people import Person, Trust
from workflows.domain.session import Role, TakeTurn
from workflows.domain.ticket import Phase
from workflows.ports.forge import OpenPullRequest, PublishChange
from workflows.ports.notify import Note
from workflows.ports.tracker import PostComment

pytestmark = pytest.mark.server

LATER = datetime(2126, 5, 1, 12, tzinfo=UTC)
"""When a moved card counts as moved, unless a test says otherwise: after everything a ticket here has shown."""
ADA = Person(place="linear", id="u1", name="Ada", handle="ada@acme.com", trust=Trust.MEMBER)
BOB = Person(place="github", id="2", name="Bob", handle="bob", trust=Trust.MEMBER)


async def say(run: Run, text: str, by: Person = ADA, *, key: str = "", stop: bool = False) -> None:
    await signal(run, "said", Words(id=key or f"comment:{text}", text=text, by=by, stop=stop))


async def move(run: Run, status: str, by: Person | None = ADA, *, minutes: int = 0, key: str = "") -> None:
    at = LATER + timedelta(minutes=minutes)
    who = by.shown if by else ""
    await signal(run, "card-moved", CardMove(id=key or f"{status}@{at}", status=status, at=at, by=who, person=by))


async def answers(run: Run, world: World, number: int = 1) -> list[str]:
    """What was answered on the ticket, once there are so many answers."""

    def said() -> list[str]:
        return [asked.remark.text for asked in world.of(PostComment) if "/answer-" in asked.remark.key]

    await run.until(lambda _: len(said()) >= number)
    return said()


async def test_a_ticket_is_decided_by_words_from_plan_to_merge(start: StartTicket) -> None:
    world = World()
    run = await start(world)
    gate = await run.until(Phase.PLAN_GATE)
    await say(run, f"Approve {gate.subject[:12]}")
    head = (await run.until(Phase.MERGE_GATE)).subject
    await say(run, "approve", BOB)
    outcome = await run.outcome()
    assert outcome.phase is Phase.DONE
    assert outcome.approved_by == "Ada"
    plan, merge = outcome.decisions
    assert (plan.action, plan.phase, plan.subject) == (Action.APPROVE, Phase.PLAN_GATE, gate.subject)
    assert (plan.who, plan.name, plan.via) == ("linear:u1", "Ada", "linear")
    assert (merge.who, merge.subject) == ("github:2", head)
    assert abs(datetime.now(UTC) - merge.at) < timedelta(minutes=5)
    line = f"approve on `{gate.subject}` by Ada (`linear:u1`) from linear"
    assert line in world.of(OpenPullRequest)[0].body
    assert line in world.remarks[-1].text


@pytest.mark.parametrize("by_signal", [True, False])
async def test_nobody_vouches_for_themselves(start: StartTicket, by_signal: bool) -> None:
    run = await start(World())
    await run.until(Phase.PLAN_GATE)
    claims = {"by": "Ada", "who": "linear:u1", "via": "linear"}
    if by_signal:
        await signal(run, "approve", claims)
    else:
        await run.act(Action.APPROVE, **claims)
    decided = (await run.until(Phase.MERGE_GATE)).decisions[0]
    assert (decided.name, decided.who, decided.via) == ("Ada", "", "")


async def test_what_is_refused_is_answered_on_the_ticket_once(start: StartTicket) -> None:
    world = World()
    run = await start(world)
    await run.until(Phase.PLAN_GATE)
    for _ in range(3):  # a delivery that comes three times
        await say(run, "approve fffffff", key="comment:1")
    await say(run, "approve please", key="comment:2")
    said = await answers(run, world, 2)
    assert said[0].startswith("Ada: approve was not accepted. Stale: you saw fffffff")
    assert "alone in the first line" in said[1]
    assert (await run.status()).phase is Phase.PLAN_GATE
    await run.act(Action.REJECT)
    await run.outcome()
    assert len(await answers(run, world)) == 2


async def test_who_spoke_elsewhere_is_answered_there_too_and_called_by_their_login_only_at_home(
    start: StartTicket,
) -> None:
    world = World()
    run = await start(world)
    await run.until(Phase.PLAN_GATE)
    await say(run, "status", BOB)
    await say(run, "status", BOB.model_copy(update={"place": "board"}), key="comment:2")
    away, home = await answers(run, world, 2)
    assert away.startswith("Bob: T-")
    assert home.startswith("@bob: T-")
    assert "is in **Plan gate**. Waiting for your approval of the plan. What waits has the hash `" in home
    notes = [note.text for note in world.of(Note) if "/answer-" in note.key]
    assert notes == [away]


async def test_words_are_answered_even_when_the_ticket_ends_meanwhile(start: StartTicket) -> None:
    world = World(delays={"post_comment": 0.3})
    run = await start(world)
    await run.until(Phase.PLAN_GATE)
    await say(run, "status")
    await run.act(Action.REJECT)
    await say(run, "approve", key="comment:late")
    await run.outcome()
    said = await answers(run, world, 2)
    assert "comes too late" in said[1]


async def test_a_stranger_is_refused_again_and_gets_no_answer(start: StartTicket) -> None:
    world = World()
    run = await start(world)
    await run.until(Phase.PLAN_GATE)
    mallory = Person(place="github", id="9", name="*Mallory*", handle="bob")
    await say(run, "approve", mallory)
    await say(run, "stop", mallory, stop=True)
    await move(run, "Building", mallory)
    await say(run, "approve", ADA.model_copy(update={"trust": Trust.OURS}), key="comment:echo")
    unproven = ADA.model_copy(update={"trust": Trust.UNPROVEN, "name": "Nobody knows"})
    await say(run, "approve", unproven, key="comment:unproven")
    await move(run, "Building", unproven, key="unproven", minutes=1)
    status = await run.status()
    assert status.phase is Phase.PLAN_GATE
    assert not status.paused
    assert sum("Mallory is no member here" in line for line in status.story) == 3
    assert sum("Nobody knows is no member here" in line for line in status.story) == 2
    await say(run, "status")
    assert len(await answers(run, world)) == 1


async def test_free_words_go_where_they_are_asked_for(start: StartTicket) -> None:
    world = World(delays={"take_turn": 0.3})
    world.turns[Role.PLANNER] *= 2
    world.turns[Role.BUILDER] = [works(), works(), works(), done("s1")]
    run = await start(world)
    first = await run.until(Phase.PLAN_GATE)
    await say(run, "Smaller, please.")
    await run.until(lambda status: status.phase is Phase.PLAN_GATE and bool(status.decisions))
    assert (await run.status()).decisions[0].action is Action.REQUEST_CHANGES
    assert first.subject
    await say(run, "approve")
    await run.until(lambda _: bool(world.turns_of(Role.BUILDER)))
    await say(run, "Use pathlib.")
    await run.until(Phase.MERGE_GATE)
    assert "Use pathlib." in [words for turn in world.of(TakeTurn) for words in turn.steering]


async def test_the_approvers_address_stands_in_the_commit(start: StartTicket) -> None:
    world = World()
    run = await start(world)
    await run.until(Phase.PLAN_GATE)
    await say(run, "approve", ADA.model_copy(update={"handle": "ada@acme.com"}))
    await run.until(Phase.MERGE_GATE)
    assert world.of(PublishChange)[0].message.endswith("\nCo-authored-by: Ada <ada@acme.com>")
    await say(run, "approve", key="comment:merge")
    assert (await run.outcome()).phase is Phase.DONE


async def test_the_places_own_stop_pauses_and_is_answered(start: StartTicket) -> None:
    world = World(delays={"take_turn": 0.2})
    world.turns[Role.PLANNER] = [works() for _ in range(100)]
    run = await start(world)
    await run.until(lambda _: bool(world.of(TakeTurn)))
    await say(run, "whatever it says", stop=True)
    assert "`resume` goes on at the same turn, `abort` ends" in (await answers(run, world))[0]
    assert (await run.status()).paused
    await asyncio.sleep(0.8)
    taken = len(world.of(TakeTurn))
    await asyncio.sleep(0.8)
    assert len(world.of(TakeTurn)) == taken
    await say(run, "Go on with the door.")
    assert "reads it at its first turn after you resume" in (await answers(run, world, 2))[1]
    await say(run, "resume")
    await run.until(lambda _: len(world.of(TakeTurn)) > taken)
    await say(run, "abort")
    assert (await run.outcome()).phase is Phase.CANCELLED


async def test_the_places_own_stop_ends_a_turn_in_its_middle_and_a_resume_goes_on_with_it(start: StartTicket) -> None:
    world = World(delays={"take_turn": 60})
    run = await start(world)
    await run.until(lambda _: bool(world.of(TakeTurn)))
    await say(run, "stop, please", stop=True)
    await run.until(lambda status: any("in the middle of a turn" in line for line in status.story))
    world.delays = {}
    await asyncio.sleep(0.5)
    assert len(world.of(TakeTurn)) == 1
    await say(run, "resume")
    await run.until(Phase.PLAN_GATE)
    assert [(turn.session, turn.seq) for turn in world.of(TakeTurn)][:2] == [(world.of(TakeTurn)[0].session, 1)] * 2
    await say(run, "reject", key="comment:end")
    assert (await run.outcome()).phase is Phase.DECLINED


async def test_an_older_move_and_one_heard_before_change_nothing(start: StartTicket) -> None:
    world = World()
    run = await start(world)
    await run.until(Phase.PLAN_GATE)
    await move(run, "Somewhere", minutes=5)
    await move(run, "Todo", minutes=4)  # overtaken by the newer one: obeyed, it would undo the ticket
    await move(run, "Building", minutes=5, key="Somewhere@2126-05-01 12:05:00+00:00")  # the same happening
    assert (await run.status()).phase is Phase.PLAN_GATE
    await move(run, "Building", minutes=5)
    outcome = (await run.until(Phase.MERGE_GATE)).decisions[0]
    assert (outcome.who, outcome.via) == ("linear:u1", "linear")


async def test_an_approval_that_was_meant_for_an_earlier_plan_is_refused(start: StartTicket) -> None:
    """A delivery may be lost, and the words or the move be found by polling when another plan waits."""
    world = World()
    world.turns[Role.PLANNER] *= 2
    run = await start(world)
    await run.until(Phase.PLAN_GATE)
    said_at = datetime.now(UTC) - timedelta(hours=1)
    await signal(run, "said", Words(id="late", text="approve", by=ADA, at=said_at))
    await signal(run, "card-moved", CardMove(id="late-move", status="Building", at=said_at, person=ADA))
    status = await run.until(lambda status: sum("Stale: it was said" in line for line in status.story) == 2)
    assert status.phase is Phase.PLAN_GATE
    assert status.decisions == ()
    await signal(run, "said", Words(id="now", text="approve", by=ADA, at=datetime.now(UTC)))
    await run.until(Phase.MERGE_GATE)


async def test_a_refused_move_is_answered_and_the_card_put_back(start: StartTicket) -> None:
    terms = GateTerms(who=("linear:boss@acme.com",))
    world = World(policy=policy().model_copy(update={"gates": Gates(plan=terms)}))
    run = await start(world)
    await run.until(Phase.PLAN_GATE)
    await move(run, "Building")
    await move(run, "Building", None, minutes=1)
    await run.until(lambda _: world.moves[-2:] == ["Plan gate"] * 2 and len(world.moves) >= 4)
    known, unknown = [remark.text for remark in world.remarks if "/answer-" in remark.key]
    assert known.startswith("Ada: approve was not accepted. Here only linear:boss@acme.com and whoever works in")
    assert "you are linear:u1 (ada@acme.com)" in known
    assert "who you are is not known here" in unknown
    await run.act(Action.APPROVE)  # whoever works in Temporal may, unless the policy says otherwise
    assert (await run.until(Phase.MERGE_GATE)).decisions[0].via == ""


async def test_a_gate_that_is_not_for_operators_refuses_temporal_in_words(start: StartTicket) -> None:
    terms = GateTerms(who=("github:bob",), operators=False)
    world = World(policy=policy().model_copy(update={"gates": Gates(default=terms)}))
    run = await start(world)
    await run.until(Phase.PLAN_GATE)
    claims = {"by": "Bob", "who": "github:2", "via": "github"}
    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await run.act(Action.APPROVE, **claims)
    assert "only github:bob may approve; not whoever works in Temporal" in str(refused.value.cause)
    await signal(run, "approve", claims)
    await say(run, "approve", ADA)
    assert "only github:bob may approve" in (await answers(run, world))[0]
    await say(run, "approve", BOB, key="comment:2")
    await run.until(Phase.MERGE_GATE)


async def test_the_same_happening_counts_once_by_whichever_way_it_comes(start: StartTicket) -> None:
    world = World(delays={"take_turn": 0.5})
    run = await start(world)
    await run.until(lambda _: bool(world.of(TakeTurn)))
    await run.act(Action.STEER, note="Mind the paint.", id="slack:1")
    await say(run, "Mind the paint.", key="slack:1")
    await say(run, "And the glass.", key="slack:2")
    assert "counts once" in await run.act(Action.STEER, note="And the glass.", id="slack:2")
    await run.until(Phase.PLAN_GATE)
    await say(run, "approve")
    await run.until(Phase.MERGE_GATE)
    heard = [words for turn in world.of(TakeTurn) for words in turn.steering]
    assert sorted(heard) == ["And the glass.", "Mind the paint."]


@pytest.mark.parametrize("name", ["said", "card-moved", "pull-request-moved"])
@pytest.mark.parametrize(
    "payload", [(), (None,), (5,), ([1],), ({},), ({"id": 3, "by": {"place": []}},), ({"at": "x"},)]
)
async def test_no_signal_can_hold_up_the_ticket(start: StartTicket, name: str, payload: tuple[Any, ...]) -> None:
    run = await start(World())
    await run.until(Phase.PLAN_GATE)
    await signal(run, name, *payload)
    await run.act(Action.APPROVE)
    await run.until(Phase.MERGE_GATE)


async def test_a_move_without_a_time_zone_and_a_name_of_any_length_do_no_harm(start: StartTicket) -> None:
    run = await start(World())
    await run.until(Phase.PLAN_GATE)
    await move(run, "Somewhere")
    await signal(run, "card-moved", {"id": "a", "status": "Elsewhere", "at": "2126-05-01T13:00:00", "by": "x" * 9_000})
    long = Person(place="linear", id="i" * 9_000, name="n" * 9_000, trust=Trust.MEMBER)
    await say(run, "approve", long)
    assert len((await run.until(Phase.MERGE_GATE)).decisions[0].who) == 300
