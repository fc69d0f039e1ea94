"""More ways of which a history is kept: people who speak from outside, and people who do not come."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime

from tests.replay.stories import Story
from tests.workflows.conftest import Run
from tests.workflows.world import World, done, policy, works
from workflows.domain.decision import Action
from workflows.domain.gates import Gates, GateTerms
from workflows.domain.intake import CardMove, Words
from workflows.domain.people import Person, Trust
from workflows.domain.session import Role
from workflows.domain.ticket import Phase

ADA = Person(place="linear", id="u1", name="Ada", handle="ada@acme.com", trust=Trust.MEMBER)
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


PEOPLE: tuple[Callable[[], Story], ...] = (decided_by_words, reminded_and_escalated, expired, refused_person)
