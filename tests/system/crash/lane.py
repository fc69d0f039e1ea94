"""One stack that runs tickets one after the other, each with its kills, and what can be seen of them afterwards."""

import asyncio
import json
import sys
import time
import urllib.request
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar
from uuid import uuid4

import sqlalchemy as sa

from infra import board, client
from infra.exits import OutOfReach, PawlError, Refused
from infra.parts import ROOT, Part
from infra.settings import Settings
from infra.stack import Stack
from tests.repos import git, git_bytes, make_repository
from tests.system.crash import story, switch
from tests.system.crash.switch import Kill, Line, Victim
from workflows.domain.decision import Action, Decision
from workflows.domain.order import TicketOrder, TicketOutcome
from workflows.domain.ticket import Phase, TicketRef

Answer = TypeVar("Answer")

PATIENCE_SECONDS = 100
LAST = {"move_ticket", "post_note"}
"""The last steps of a ticket before it only waits for a person, taken at the same time."""
PROGRAMS = {
    Part.WORKER: (sys.executable, "-m", "tests.system.crash.killable_worker"),
    Part.GATEWAY: (sys.executable, "-m", "tests.system.crash.killable_gateway"),
}


@dataclass(frozen=True)
class Case:
    """A ticket and who is killed on its way."""

    kills: tuple[Kill, ...] = ()
    """At points that processes come past."""
    parked: Mapping[Phase, tuple[Victim, ...]] = field(default_factory=dict[Phase, tuple[Victim, ...]])
    """While it waits for a person."""

    @property
    def name(self) -> str:
        waiting = [f"{victim} @ parked: {phase}" for phase, victims in self.parked.items() for victim in victims]
        return ", then ".join([*waiting, *(kill.name for kill in self.kills)]) or "nobody"


@dataclass(frozen=True)
class Seen:
    """What can be seen of a ticket that has ended."""

    ticket: str
    outcome: TicketOutcome
    turns: list[str]
    """That the provider was asked for, in order."""
    card: str
    pulls: list[str]
    """The pages of the repository's pull requests."""
    merged: dict[str, str]
    """The files at the head of the forge's main branch."""
    merges: int
    sandboxes: list[str]
    """Folders that are left."""
    processes: list[str]
    open_calls: list[str]
    """What the gateway still thinks is under way."""
    trace: list[Line]
    unkilled: list[Kill]
    seconds: float


class Stuck(AssertionError):
    """The ticket did not end in time."""


@dataclass
class Lane:
    home: Path
    stack: Stack
    provider: str

    @property
    def orders(self) -> Path:
        return self.home / "crash"

    async def run(self, case: Case) -> Seen:
        """Run a ticket to its end, killing on its way whom the case names. Raises Stuck with all that is known."""
        begun = time.monotonic()
        order = self._put_on_board()
        ticket = order.identifier
        switch.order(self.orders, ticket, case.kills)
        started = await self._persistently(lambda: client.start_ticket(self.stack.client, order))
        workflow_id = started.workflow_id
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await self._to_its_end(ticket, workflow_id, case)
                await self.stack.wait_healthy()
                outcome = await client.ticket_outcome(self.stack.client, workflow_id)
        except TimeoutError:
            state = await self._state(ticket, workflow_id)
            await self.stack.client.get_workflow_handle(workflow_id).terminate("stuck")
            raise Stuck(state) from None
        assert outcome is not None, await self._state(ticket, workflow_id)
        return await self._seen(order, outcome, time.monotonic() - begun)

    def _put_on_board(self) -> TicketOrder:
        ticket = f"K{uuid4().hex[:8]}"
        repository = make_repository(self.home / "sources" / ticket, story.BASE)
        card = board.create_ticket(
            self.stack.settings.board_folder, ticket, "Greet politely", "greet should say `Hello, Ada!`."
        )
        return TicketOrder(
            ref=TicketRef(tracker=card.ref.tracker, id=ticket),
            identifier=ticket,
            title=card.title,
            repository=str(repository),
            model=story.MODEL,
            version=card.version,
        )

    async def _to_its_end(self, ticket: str, workflow_id: str, case: Case) -> None:
        """Approve at every gate, and kill there whom the case names first."""
        decided: set[str] = set()
        while True:
            await asyncio.sleep(0.05)
            line = await self._persistently(lambda: client.ticket_line(self.stack.client, workflow_id))
            if line.ended:
                return
            phase = Phase(line.phase)
            assert phase not in (Phase.BLOCKED, Phase.BUDGET_GATE), await self._state(ticket, workflow_id)
            if phase.waits_for_a_person and phase not in decided:
                victims = case.parked.get(phase, ())
                if victims and not self._is_parked(ticket):
                    continue
                for victim in victims:
                    switch.note(self.orders, ticket, "driver", f"KILL {victim} @ parked: {phase}")
                    self.stack.kill(victim.value)
                if await self._approved(workflow_id, phase):
                    decided.add(phase)

    def _is_parked(self, ticket: str) -> bool:
        steps = [line.what for line in switch.trace(self.orders, ticket) if not line.what.startswith("flow: ")]
        begun = [number for number, step in enumerate(steps) if step.endswith(": begun")][-len(LAST) :]
        names = {steps[number].removesuffix(": begun") for number in begun}
        return names == LAST and all(f"{name}: done" in steps[begun[0] :] for name in names)

    async def _approved(self, workflow_id: str, phase: Phase) -> bool:
        """Approve what waits, as somebody who tries again until there is an answer."""
        status = await self._persistently(lambda: client.ticket_status(self.stack.client, workflow_id))
        if status.phase is not phase:
            return False
        decision = Decision(by="the driver", of=status.subject, id=uuid4().hex)
        try:
            await self._persistently(lambda: client.act(self.stack.client, workflow_id, Action.APPROVE, decision))
        except Refused as refused:  # an earlier try was heard, its answer was lost
            if "Nothing to approve now" not in str(refused) and "has ended" not in str(refused):
                raise
        return True

    async def _persistently(self, ask: Callable[[], Awaitable[Answer]]) -> Answer:
        """Ask until somebody answers: server or worker may be dead at the moment."""
        while True:
            try:
                return await ask()
            except OutOfReach:
                await asyncio.sleep(0.1)

    async def _seen(self, order: TicketOrder, outcome: TicketOutcome, seconds: float) -> Seen:
        ticket = order.identifier
        forge = self.stack.settings.forge_folder
        [bare] = forge.glob(f"{ticket}-*.git")
        return Seen(
            ticket=ticket,
            outcome=outcome,
            turns=await asyncio.to_thread(self._asked, ticket),
            card=(self.stack.settings.board_folder / f"{ticket}.md").read_text(),
            pulls=[page.read_text() for page in sorted(forge.glob(f"{ticket}-*.pulls/*/pull.md"))],
            merged={
                path: git_bytes(bare, "show", f"main:{path}").decode()
                for path in git(bare, "ls-tree", "-r", "--name-only", "main").split()
            },
            merges=len(git(bare, "rev-list", "--merges", "main").split()),
            sandboxes=[folder.name for folder in (self.stack.settings.home / "sandboxes").glob(f"{ticket}.*")],
            processes=processes_naming(ticket),
            open_calls=await asyncio.to_thread(self._open_calls, ticket),
            trace=switch.trace(self.orders, ticket),
            unkilled=switch.outstanding(self.orders, ticket),
            seconds=seconds,
        )

    def _asked(self, ticket: str) -> list[str]:
        with urllib.request.urlopen(f"{self.provider}/_seen/{ticket}", timeout=10) as reply:
            return json.load(reply)

    def _open_calls(self, ticket: str) -> list[str]:
        """What the gateway's own books say is not finished: calls in flight, runs not closed, money set aside."""
        engine = sa.create_engine(f"sqlite:///{self.stack.settings.home}/gateway.db")
        with engine.connect() as books:
            asked = (
                "select session || ' turn ' || seq || ' is in flight' from calls where state = 'in flight'"
                " and account like :of union all select session || ' is open' from runs where open and account like :of"
                " union all select account || ' has reserved ' || usd_reserved from accounts"
                " where account like :of and (cast(usd_reserved as real) <> 0 or tokens_reserved <> 0)"
            )
            found = [str(row[0]) for row in books.execute(sa.text(asked), {"of": f"{ticket}.%"})]
        engine.dispose()
        return found

    async def _state(self, ticket: str, workflow_id: str) -> str:
        """Everything that helps to see why a ticket does not go on."""
        try:
            async with asyncio.timeout(5):
                status = (await client.ticket_status(self.stack.client, workflow_id)).model_dump_json(indent=1)
        except (PawlError, TimeoutError) as error:
            status = f"no answer: {error!r}"
        passed = "\n".join(f"{line.at:.3f} {line.who}: {line.what}" for line in switch.trace(self.orders, ticket)[-40:])
        events = "\n".join(event.sentence for event in self.stack.events[-10:])
        logs = "\n".join(
            f"--- {log.name}\n" + "\n".join(log.read_text(errors="replace").splitlines()[-25:])
            for log in sorted((self.home / "home" / "logs").glob("*.log"))
        )
        waiting = switch.outstanding(self.orders, ticket)
        return f"{ticket} is not done.\n{status}\nStill to kill: {waiting}\n{passed}\n{events}\n{logs}"


def processes_naming(text: str) -> list[str]:
    """Command lines of living processes that name the text."""
    found: list[str] = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            argv = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if text in argv:
            found.append(argv)
    return found


@asynccontextmanager
async def lane(home: Path, provider: str) -> AsyncGenerator[Lane]:
    """A stack of its own below `home`, whose gateway calls the provider at this address."""
    (home / "crash").mkdir(parents=True)
    env = {
        switch.FOLDER: str(home / "crash"),
        "ANTHROPIC_API_KEY": "not-a-key",
        "PAWL_ANTHROPIC_BASE_URL": provider,
    }
    stack = Stack(Settings(home=home / "home", shutdown_seconds=20), env=env, programs=PROGRAMS)
    await stack.start()
    try:
        yield Lane(home, stack, provider)
    finally:
        await stack.stop(5)
        assert processes_naming(str(home)) == []


@asynccontextmanager
async def provider() -> AsyncGenerator[str]:
    """The counting provider as a process of its own; its address."""
    argv = (sys.executable, "-m", "tests.system.crash.scripted_provider")
    process = await asyncio.create_subprocess_exec(*argv, stdout=asyncio.subprocess.PIPE, cwd=ROOT)
    assert process.stdout is not None
    try:
        yield (await asyncio.wait_for(process.stdout.readline(), 30)).decode().strip()
    finally:
        process.kill()
        await process.wait()
