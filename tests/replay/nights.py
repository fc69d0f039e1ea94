"""Nights of triage of which a history is kept: `Triage` itself, and the `Loop` around one."""

from collections.abc import Callable
from dataclasses import dataclass, field

from temporalio.client import Client, WorkflowHandle

from activities.errors import stop
from tests.workflows.nights import DOOR, FIRST, SQUEAK, finding, finds, policy, quiet
from tests.workflows.world import World
from workflows import names
from workflows.domain.failures import Failure
from workflows.domain.loop import LoopOrder, LoopOutcome
from workflows.domain.session import Role, TurnEnd, TurnReport
from workflows.domain.triage import Kind, TriageOrder
from workflows.loop import Loop


@dataclass
class NightStory:
    """A world before its night; `then` are further nights of which only the last one's history is kept."""

    world: World
    then: list[Callable[[World], None]] = field(default_factory=list[Callable[[World], None]])

    async def play(self, client: Client, name: str, queue: str) -> dict[str, WorkflowHandle[Loop, LoopOutcome]]:
        """Nights on that queue; handles of the last Loop and of its Triage."""
        loop = f"triage:story-{name}"
        bare = TriageOrder(name=loop, repository="/srv/hinge", model="tape:x")
        order = LoopOrder(name=loop, title="Triage of /srv/hinge", flow="Triage", order=bare.model_dump(mode="json"))
        handle = await self._night(client, order, queue)
        for prepare in self.then:
            prepare(self.world)
            handle = await self._night(client, order, queue)
        await _end_tickets(client, self.world)
        return {"loop": handle, "triage": client.get_workflow_handle_for(Loop.run, loop)}

    async def _night(self, client: Client, order: LoopOrder, queue: str) -> WorkflowHandle[Loop, LoopOutcome]:
        handle = await client.start_workflow(
            Loop.run, order, id=f"{order.name}-{FIRST:%Y-%m-%d}", task_queue=queue, task_timeout=names.DECISION
        )
        await handle.result()
        return handle


async def _end_tickets(client: Client, world: World) -> None:
    """What was started goes on without us: it is not part of the night."""
    for ticket in world.cards.filed.values():
        query = f"WorkflowId = '{names.ticket_workflow_id(ticket.ref)}' AND ExecutionStatus = 'Running'"
        async for run in client.list_workflows(query):
            await client.get_workflow_handle(run.id).terminate()


def night_silent() -> NightStory:
    return NightStory(World())


def night_reported() -> NightStory:
    """A report, and the night in which what it holds is fixed and something else is found."""
    world = World()
    finds(world, finding())

    def second(world: World) -> None:
        world.tries = {f"try {SQUEAK}": 0}
        finds(world, finding(DOOR), finding("Where?", Kind.OTHER, command=""))

    return NightStory(world, [second])


def night_started() -> NightStory:
    """One is started, one is flaky, one is refuted, one waits and is a ticket the night after."""
    world = World(policy=policy(level=3, usd_per_night=9, new_tickets=2), tries={f"try {DOOR}": 1, "try no": 0})
    findings = (finding(), finding(DOOR), finding("no", Kind.OTHER, command="try no"), finding("later", command=""))
    finds(world, *findings)
    return NightStory(world)


def night_left_over() -> NightStory:
    """What waited is told without a model."""
    world = World(policy=policy(level=2, new_tickets=1))
    finds(world, finding(), finding(DOOR))
    return NightStory(world, [quiet])


def night_of_many() -> NightStory:
    """So many are tried that what was learned is kept on the way."""
    world = World()
    finds(world, *(finding(f"tests/test_many.py::test_number_{number}") for number in range(6)))
    return NightStory(world)


def night_without_triager() -> NightStory:
    """It ends without a word; its bill is read, and what waited is told."""
    world = World(policy=policy(level=2, new_tickets=1))
    finds(world, finding(), finding(DOOR))

    def second(world: World) -> None:
        finds(world)
        world.turns[Role.TRIAGER] = [TurnReport(end=TurnEnd.REFUSED, summary="", detail="I won't.")]

    return NightStory(world, [second])


def night_failed() -> NightStory:
    world = World(failures={"list_open": [stop(Failure.BAD_REQUEST, "No access.")]})
    finds(world, finding())
    return NightStory(world)


def night_without_repository() -> NightStory:
    gone = stop(Failure.REPOSITORY_NOT_FOUND, "There is no repository at /srv/hinge.")
    return NightStory(World(failures={"open_repository": [gone]}))


NIGHTS: tuple[Callable[[], NightStory], ...] = (
    night_silent,
    night_reported,
    night_started,
    night_left_over,
    night_of_many,
    night_without_triager,
    night_failed,
    night_without_repository,
)
