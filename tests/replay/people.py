"""More ways of which a history is kept: people who speak from outside, and people who do not come."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime

from activities.errors import again
from tests.replay.stories import Story
from tests.workflows.conftest import Run
from tests.workflows.pulls import GREEN_CI, RUNNING_CI, low, nudge
from tests.workflows.world import World, done, policy, works
from workflows.domain.decision import Action
from workflows.domain.gates import Gates, GateTerms
from workflows.domain.intake import CardMove, Words
from workflows.domain.people import Person, Trust
from workflows.domain.session import Role
from workflows.domain.ticket import Phase
from workflows.domain.triage import Kind

ADA = Person(place="linear", id="u1", name="Ada", handle="ada@acme.com", trust=Trust.MEMBER)
LEAVE = {"unattended": "WORKFLOW.md at 12ab34: triage level 4, kind lint", "kind": Kind.LINT}
BOB = Person(place="github", id="2", name="Bob", handle="bob", trust=Trust.MEMBER)


async def _says(run: Run, number: int, text: str, by: Person = ADA, *, stop: bool = False) -> None:
    await run.handle.signal("said", Words(id=f"comment:{number}", text=text, by=by, stop=stop))


def _waiting(**terms: GateTerms) -> World:
    return World(policy=policy().model_copy(update={"gates": Gates.model_validate(terms)}))


def decided_by_words() -> Story:
    """A tracker that follows; a status, a stop and the decisions by words, the pull request linked."""
    world = World(delays={"take_turn": 0.3})
    world.turns[Role.BUILDER] = [works(), works(), works(), done("s1")]

    async def people(run: Run) -> None:
        await run.until(Phase.PLAN_GATE)
        await _says(run, 1, "status")
        await _says(run, 2, "approve please")
        await _says(run, 3, "Approve.")
        await run.until(Phase.BUILDING)
        await _says(run, 4, "stop it", stop=True)
        await run.until(lambda status: status.paused)
        await _says(run, 5, "resume")
        await run.until(Phase.MERGE_GATE)
        await run.handle.signal("pull-request-moved")
        await _says(run, 6, "approve", BOB)

    return Story(world, people, order={"follow": True, "ui": "https://temporal.example.com/run"})


def reminded_and_escalated() -> Story:
    soon = GateTerms(remind_after=1, second=("github:bob",), second_after=2, escalate_after=3)

    async def people(run: Run) -> None:
        await run.until(lambda status: any("Reminder" in line for line in status.story))
        await run.act(Action.PAUSE)
        await asyncio.sleep(0.2)
        await run.act(Action.RESUME)
        await run.until(lambda status: any("Escalated" in line for line in status.story))
        await run.act(Action.APPROVE, by="Ada")
        await run.until(Phase.MERGE_GATE)
        await run.act(Action.APPROVE, by="Ada")

    return Story(_waiting(plan=soon), people)


def expired() -> Story:
    async def people(run: Run) -> None:
        await run.until(Phase.PLAN_GATE)
        await run.act(Action.APPROVE)

    return Story(_waiting(merge=GateTerms(remind_after=1, expire_after=2)), people)


def refused_person() -> Story:
    """Only Bob may approve the plan: Ada's words and her moving the card are answered, and the card is put back."""

    async def people(run: Run) -> None:
        await run.until(Phase.PLAN_GATE)
        await _says(run, 1, "approve")
        move = CardMove(id="m1", status="Building", at=datetime(2126, 5, 1, tzinfo=UTC), by="Ada", person=ADA)
        await run.handle.signal("card-moved", move)
        await run.until(lambda status: sum("was not accepted" in line for line in status.story) == 2)
        await _says(run, 2, "approve", BOB)
        await run.until(Phase.MERGE_GATE)
        await run.act(Action.APPROVE)

    return Story(_waiting(plan=GateTerms(who=("github:bob",))), people)


def notes_away() -> Story:
    """Where notes are posted cannot be reached: people decide, are answered and reminded all the same."""
    world = _waiting(merge=GateTerms(remind_after=1))
    world.failures["post_note"] = [again("Slack is away.") for _ in range(4)]

    async def people(run: Run) -> None:
        await run.until(Phase.PLAN_GATE)
        await _says(run, 1, "status", BOB)
        await _says(run, 2, "approve")
        await run.until(lambda status: any("Reminder" in line for line in status.story))
        await run.act(Action.APPROVE)

    return Story(world, people)


def passed_unattended() -> Story:
    """Both gates by itself; CI is awaited."""
    world = low(grace=1, looks=[RUNNING_CI])

    async def people(run: Run) -> None:
        await run.until(Phase.MERGE_GATE)
        world.looks = [GREEN_CI]
        await nudge(run)

    return Story(world, people, order=LEAVE)


def stopped_unattended() -> Story:
    """Somebody steps in while there is time; then it waits for people."""
    world = low(grace=3600)

    async def people(run: Run) -> None:
        await run.until(Phase.MERGE_GATE)
        await run.act(Action.STEER, note="Wait.", by="Ada")
        await run.until(lambda _: "A person decides at Merge gate" in world.comments)
        await run.handle.signal("remind", "sweep 1")
        await run.until(lambda status: status.reminded is not None)
        await run.act(Action.APPROVE, by="Ada")

    return Story(world, people, order=LEAVE)


PEOPLE: tuple[Callable[[], Story], ...] = (
    decided_by_words,
    reminded_and_escalated,
    expired,
    refused_person,
    passed_unattended,
    stopped_unattended,
    notes_away,
)
