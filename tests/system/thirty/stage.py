"""One stack on which nights happen, each with its kills, and what can be seen of them afterwards."""

import asyncio
import sys
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

from temporalio.client import WorkflowHandle
from temporalio.service import RPCError

from activities.notebook.sheet import read_sheet
from infra import board, client, scheduled
from infra.exits import OutOfReach
from infra.parts import Part
from infra.repositories import key_of
from infra.settings import Settings
from infra.stack import Stack
from tests.fakes.provider import running
from tests.infra.command_line import pawl
from tests.repos import git, make_repository
from tests.system.crash import switch
from tests.system.crash.lane import processes_naming
from tests.system.crash.switch import Kill
from tests.system.thirty import story
from tests.system.thirty.one_switch import NIGHT
from tests.system.thirty.provider import StoryProvider
from tests.system.thirty.story import Night
from workflows import names
from workflows.domain.loop import LoopOutcome
from workflows.domain.ticket import Phase
from workflows.domain.triage import NightOutcome, Standing, TriageState

Answer = TypeVar("Answer")

PATIENCE_SECONDS = 90
DAY, EVENING = timedelta(days=1), timedelta(hours=6)
PROGRAMS = {
    Part.WORKER: (sys.executable, "-m", "tests.system.thirty.nights_worker"),
    Part.GATEWAY: (sys.executable, "-m", "tests.system.thirty.nights_gateway"),
}


class Stuck(AssertionError):
    """A night did not end in time."""


@dataclass(frozen=True)
class World:
    """What people could have noticed."""

    cards: dict[str, bytes]
    notes: str
    calls: int
    """That the provider was asked for."""


@dataclass(frozen=True)
class Seen:
    """A night that has ended."""

    outcome: NightOutcome
    loop: LoopOutcome
    account: str
    before: World
    after: World
    state: TriageState
    unkilled: list[Kill]
    seconds: float


@dataclass
class Stage:
    home: Path
    first: datetime
    """The first night's moment."""
    repository: Path = field(init=False)
    provider: StoryProvider = field(init=False)
    stack: Stack = field(init=False)

    def __post_init__(self) -> None:
        (self.home / "crash").mkdir(parents=True)
        switch.order(self.home / "crash", NIGHT, ())
        self.repository = make_repository(self.home / "shop")
        self._commit(story.BASE, self.first - EVENING)
        self.provider = StoryProvider(self._night_of, self._id_of)

    @property
    def name(self) -> str:
        return names.triage_id(key_of(str(self.repository)))

    def moment(self, number: int) -> datetime:
        return self.first + DAY * (number - 1)

    def schedule(self) -> None:
        """As a person types it. Its own next moment is half a day away."""
        typed = ("--repo", str(self.repository), "--cron", f"{self.first:%-M %-H} * * *", "--timezone", "UTC")
        made = pawl(self.stack.settings.home, "schedule", "triage", *typed, "--jitter", "never", "--model", story.MODEL)
        assert made.code == 0, made.out

    async def night(self, number: int, night: Night, kills: tuple[Kill, ...], between: tuple[Part, ...]) -> Seen:
        """A day and its night. Raises Stuck with all that is known."""
        begun = time.monotonic()
        self._day(number, night)
        before = self._world()
        switch.order(self.home / "crash", NIGHT, kills)
        for part in between:
            self.stack.kill(part)
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                run_id, loop, outcome = await self._outcome(self.moment(number))
                for ticket in outcome.started:
                    await self._parked(ticket)
        except TimeoutError:
            raise Stuck(f"night {number} does not end.\n{self.story()}") from None
        return Seen(
            outcome=outcome,
            loop=loop,
            account=names.night_account(self.name, run_id),
            before=before,
            after=self._world(),
            state=self.state(),
            unkilled=switch.outstanding(self.home / "crash", NIGHT),
            seconds=time.monotonic() - begun,
        )

    def story(self) -> str:
        """What helps to see why a night does not go on."""
        passed = switch.trace(self.home / "crash", NIGHT)[-40:]
        lines = [f"{line.at:.3f} {line.who}: {line.what}" for line in passed]
        lines += [event.sentence for event in self.stack.events[-10:]]
        for log in sorted((self.home / "home" / "logs").glob("*.log")):
            lines += [f"--- {log.name}", *log.read_text(errors="replace").splitlines()[-25:]]
        return "\n".join(lines)

    def state(self) -> TriageState:
        path = self._state_file
        if not path.exists():
            return TriageState(repository=str(self.repository))
        return read_sheet(path.read_bytes(), str(self.repository), datetime.now(UTC)).state

    async def persistently(self, ask: Callable[[], Awaitable[Answer]]) -> Answer:
        """Ask until somebody answers: server or worker may be dead at the moment."""
        while True:
            try:
                return await ask()
            except (OutOfReach, RPCError):
                await asyncio.sleep(0.1)

    # By day

    def _day(self, number: int, night: Night) -> None:
        if night.files:
            self._commit(night.files, self.moment(number) - EVENING)
        if night.card:
            board.create_ticket(self.stack.settings.board_folder, *night.card)
        if night.ignores:
            self._ignore(night.ignores)

    def _commit(self, files: Mapping[str, str], at: datetime) -> None:
        for name, content in files.items():
            path = self.repository / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(content)
        git(self.repository, "add", "-A")
        dated = {f"GIT_{who}_DATE": at.isoformat() for who in ("AUTHOR", "COMMITTER")}
        git(self.repository, "commit", "-q", "-m", "A day's work", env=dated)

    def _ignore(self, subject: str) -> None:
        """As a person does in an editor."""
        before, found, after = self._state_file.read_text().partition(f"subject: {subject}\n")
        assert found, before
        standing = f"standing: {Standing.TICKETED}\n"
        assert standing in after
        replaced = after.replace(standing, f"standing: {Standing.IGNORED}\n", 1)
        draft = self.home / "edited.yaml"
        draft.write_text(before + found + replaced)
        draft.replace(self._state_file)

    # By night

    async def _outcome(self, at: datetime) -> tuple[str, LoopOutcome, NightOutcome]:
        await self.persistently(lambda: scheduled.backfill(self.stack.client, self.name, at - timedelta(minutes=1), at))
        ask = self.stack.client.get_workflow_handle
        loop = ask(f"{self.name}-{at:%Y-%m-%dT%H:%M:%SZ}", result_type=LoopOutcome)
        run_id = await self._ended(loop)
        told = await self.persistently(loop.result)
        child = ask(self.name, result_type=NightOutcome)
        await self._ended(child)
        return run_id, told, await self.persistently(child.result)

    async def _ended(self, handle: "WorkflowHandle[object, object]") -> str:
        """The run that has ended."""
        while True:
            about = await self.persistently(handle.describe)
            if about.close_time:
                return about.run_id
            await asyncio.sleep(0.1)

    async def _parked(self, ticket: str) -> None:
        """Its planner is done, and everybody knows: from then on it only waits for a person."""
        while f"{ticket}." not in self._notes() or b"plan_gate" not in self.cards()[ticket]:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
        workflow_id = await self.persistently(lambda: client.find_ticket(self.stack.client, ticket))
        status = await self.persistently(lambda: client.ticket_status(self.stack.client, workflow_id))
        assert status.phase is Phase.PLAN_GATE, status

    # What there is

    def _world(self) -> World:
        return World(self.cards(), self._notes(), self.provider.total)

    @property
    def gateway_books(self) -> Path:
        return self.home / "home" / "gateway.db"

    @property
    def started(self) -> list[str]:
        """The tickets of findings that were started."""
        return [entry.identifier for entry in self.state().findings if entry.standing is Standing.STARTED]

    async def running(self) -> list[str]:
        """What the server says is not over, its own schedules left out."""
        found = self.stack.client.list_workflows('ExecutionStatus = "Running"')
        return [one.id async for one in found if not one.id.startswith("temporal-sys-")]

    def sandboxes(self) -> list[str]:
        return [folder.name for folder in (self.home / "home" / "sandboxes").glob("triage-*")]

    def cards(self) -> dict[str, bytes]:
        return {path.stem: path.read_bytes() for path in self.stack.settings.board_folder.glob("*.md")}

    def _notes(self) -> str:
        """The keys of all that was said to whoever looks at the log."""
        said = self.home / "home" / "notes.log"
        return said.read_text() if said.exists() else ""

    @property
    def _state_file(self) -> Path:
        return self.home / "home" / "triage" / f"{self.name.removeprefix(names.TRIAGE)}.yaml"

    def _night_of(self, at: datetime) -> tuple[int, Night]:
        number = 1 + round((at - self.first) / DAY)
        return number, story.night(number)

    def _id_of(self, subject: str) -> str:
        return next(entry.id for entry in self.state().findings if entry.subject == subject)


@asynccontextmanager
async def stage(home: Path) -> AsyncGenerator[Stage]:
    """A stack of its own below `home`, a repository that it triages, and a provider that has read the story."""
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    made = Stage(home, now - timedelta(hours=12) - DAY * (story.NIGHTS + 1))
    async with running(made.provider) as provider:
        env = {
            switch.FOLDER: str(home / "crash"),
            "ANTHROPIC_API_KEY": "not-a-key",
            "PAWL_ANTHROPIC_BASE_URL": provider.url,
        }
        made.stack = Stack(Settings(home=home / "home", shutdown_seconds=20), env=env, programs=PROGRAMS)
        await made.stack.start()
        try:
            await asyncio.to_thread(made.schedule)
            yield made
        finally:
            await made.stack.stop(5)
            assert processes_naming(str(home)) == []
