"""What no webhook has told is found by looking, once, and by a schedule."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from temporalio.client import Client
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from activities.intake import TemporalIntake
from activities.tracker.board import BoardTracker
from infra import board, schedules
from infra.client import start_ticket, tickets_under_way
from infra.connections import Connections, Linear
from infra.exits import Misused
from tests.infra.ingress.recorder import SHOWS, WAITS, Recorder, ended, heard, runs
from workflows import names
from workflows.domain.chat import Waiting
from workflows.domain.intake import CardSeen, Terms, WordsSaid
from workflows.domain.order import TicketOrder
from workflows.domain.people import Person, Trust
from workflows.domain.routes import AGENT_TODO, Route
from workflows.domain.ticket import Phase, Ticket, TicketRef
from workflows.ports.intake import Reconcile, Reconciled
from workflows.ports.tracker import FindNews, News
from workflows.sync import Sync

pytestmark = pytest.mark.server
ADA = Person(place="told", id="ada", name="Ada", trust=Trust.MEMBER)


@dataclass
class ToldTracker(BoardTracker):
    """A tracker whose news a test writes; `asked` is what was looked for."""

    news: list[News] = field(default_factory=list[News])
    asked: list[FindNews] = field(default_factory=list[FindNews])

    async def find_news(self, search: FindNews) -> News:
        self.asked.append(search)
        return self.news.pop(0) if len(self.news) > 1 else self.news[0]


def named(name: str) -> tuple[Terms, str]:
    """Terms of a tracker that no other test has."""
    tracker = f"{name}-{uuid4().hex[:8]}"
    return Terms(routes=(Route(tracker=tracker, repository="/srv/shop"),), model="a:m"), tracker


def card(tracker: str, status: str, name: str = "ENG-1") -> Ticket:
    return Ticket(ref=TicketRef(tracker=tracker, id=name), identifier=name, title="Mend it", status=status)


def now() -> datetime:
    return datetime.now(UTC)


async def until(holds: Callable[[], bool]) -> None:
    for _ in range(300):
        if holds():
            return
        await asyncio.sleep(0.1)
    raise AssertionError("It did not come about in 30 s.")


async def listed(client: Client, tracker: str, phases: set[str]) -> None:
    """Return when tickets of these phases are listed: the list lags behind."""
    for _ in range(100):
        if set((await tickets_under_way(client, tracker)).values()) == phases:
            return
        await asyncio.sleep(0.1)
    raise AssertionError(f"They are not listed: {phases}.")


@asynccontextmanager
async def working(client: Client, intake: TemporalIntake) -> AsyncGenerator[None]:
    worker = Worker(
        client,
        task_queue=names.WORK,
        workflows=[Recorder, Sync],
        activities=intake.activities(),
        workflow_runner=UnsandboxedWorkflowRunner(),
    )
    async with worker:
        yield


async def test_a_card_that_asks_for_work_is_started_once(client: Client, tmp_path: Path) -> None:
    terms = Terms(routes=(Route(tracker="board", repository="/srv/shop"),), model="a:m")
    intake = TemporalIntake(client, BoardTracker(tmp_path), terms)
    name = f"T-{uuid4().hex[:8]}"
    board.create_ticket(tmp_path, name, "One", status=AGENT_TODO)
    board.create_ticket(tmp_path, f"{name}-b", "Not asked for", status="Someday")
    workflow_id = names.ticket_workflow_id(TicketRef(tracker="board", id=name))
    async with working(client, intake):
        first = await intake.reconcile(Reconcile(tracker="board"))
        assert (first.started, first.complete) == ((name,), True)
        assert (await intake.reconcile(Reconcile(tracker="board", since=first.until))).started == ()
        await ended(client, workflow_id)
        assert (await intake.reconcile(Reconcile(tracker="board"))).started == (), "what was asked is answered"
        (tmp_path / f"{name}.md").write_text((tmp_path / f"{name}.md").read_text() + "\nOnce more, please.\n")
        assert (await intake.reconcile(Reconcile(tracker="board"))).started == (name,)
        await ended(client, workflow_id)
    assert await runs(client, workflow_id, 2) == 2


async def test_a_look_is_whole_where_lost_webhooks_cannot_be_asked_for(client: Client, tmp_path: Path) -> None:
    async def refuses(_: datetime) -> int:
        raise ApplicationError("GitHub's rate limit is reached.")

    terms, name = named("refuses")
    tracker = ToldTracker(tmp_path, [News(cards=(), until=now())])
    done = await TemporalIntake(client, tracker, terms, {name: refuses}).reconcile(Reconcile(tracker=name))
    assert (done.complete, done.redelivered) == (True, 0)


async def test_moves_and_words_are_passed_on_and_not_again(client: Client, tmp_path: Path) -> None:
    terms, name = named("told")
    asking = CardSeen(id="card@1", card=card(name, AGENT_TODO), at=now())
    later_than_the_run = now() + timedelta(minutes=1)  # however long this machine takes to begin it
    moved = CardSeen(id="Done@2", card=card(name, "Done"), at=later_than_the_run, by=ADA, moved=True)
    said = WordsSaid(
        id="comment:1",
        ref=moved.card.ref,
        text="approve",
        at=later_than_the_run + timedelta(seconds=1),
        by=ADA,
        addressed=True,
    )
    stranger = said.model_copy(update={"id": "comment:2", "by": ADA.model_copy(update={"trust": Trust.STRANGER})})
    later = News(cards=(moved,), words=(said, stranger), until=later_than_the_run + timedelta(seconds=2))
    tracker = ToldTracker(tmp_path, [News(cards=(asking,), until=now()), later])
    intake = TemporalIntake(client, tracker, terms)
    workflow_id = names.ticket_workflow_id(moved.card.ref)
    async with working(client, intake):
        first = await intake.reconcile(Reconcile(tracker=name))
        await listed(client, name, {"Todo"})
        second = await intake.reconcile(Reconcile(tracker=name, since=first.until))
        third = await intake.reconcile(Reconcile(tracker=name, since=second.until))
        assert (first.told, second.told, third.told) == (0, 2, 0)
        assert tracker.asked[1].under_way == (moved.card.ref,)
        assert await heard(client, workflow_id) == [
            "moved Done@2 to Done by Ada",
            "told:ada said comment:1: approve",
        ]
        restarted = TemporalIntake(client, ToldTracker(tmp_path, [later]), terms)
        assert (await restarted.reconcile(Reconcile(tracker=name, since=first.until))).told == 2
        await ended(client, workflow_id)


async def test_why_a_card_that_asks_is_not_started_is_in_the_log_once(
    client: Client, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    terms, name = named("stranger")
    eve = Person(place=name, id="eve", name="Eve")
    asking = CardSeen(id="card@1", card=card(name, AGENT_TODO), at=now(), by=eve)
    said = CardSeen(id="card@2", card=card(name, "Someday", "ENG-2"), at=now(), by=eve)
    intake = TemporalIntake(client, ToldTracker(tmp_path, [News(cards=(asking, said), until=now())]), terms)
    for _ in range(2):
        assert (await intake.reconcile(Reconcile(tracker=name))).started == ()
    logged = [record.getMessage() for record in caplog.records if record.name.startswith("temporalio.activity")]
    assert logged == [
        "Not started: ENG-1 asks for work, and Eve, who asked, is no member there: a member must ask for it"
    ]


async def test_a_card_where_its_ticket_has_put_it_is_told_nobody(client: Client, tmp_path: Path) -> None:
    terms, name = named("stands")
    asking = CardSeen(id="card@1", card=card(name, AGENT_TODO), at=now())
    stands = CardSeen(id="Todo@2", card=card(name, "to do"), at=now() + timedelta(seconds=1), moved=True)
    tracker = ToldTracker(tmp_path, [News(cards=(asking,), until=now()), News(cards=(stands,), until=now())])
    intake = TemporalIntake(client, tracker, terms)
    async with working(client, intake):
        first = await intake.reconcile(Reconcile(tracker=name))
        await listed(client, name, {"Todo"})
        assert (await intake.reconcile(Reconcile(tracker=name, since=first.until))).told == 0
        await ended(client, names.ticket_workflow_id(asking.card.ref))


async def test_the_schedule_looks_and_goes_on_where_the_last_look_ended(client: Client, tmp_path: Path) -> None:
    terms, name = named("schedule")
    tracker = ToldTracker(tmp_path, [News(until=now()), News(until=now() + timedelta(seconds=1))])
    intake = TemporalIntake(client, tracker, terms)
    looking = Connections(connections={name: Linear()}, routes=terms.routes, poll_seconds=5)
    async with working(client, intake):
        await schedules.ensure_schedules(client, looking)
        handle = client.get_schedule_handle(names.sync_id(name))
        await until(lambda: len(tracker.asked) >= 1)
        await handle.pause(note="by a person")
        await schedules.ensure_schedules(client, looking)
        assert (await handle.describe()).schedule.state.paused, "what a person paused stays paused"
        await handle.trigger()
        await until(lambda: len(tracker.asked) >= 2)
        await handle.unpause()
        assert tracker.asked[1].since > tracker.asked[0].since + timedelta(hours=12), "the first look goes far back"
        await until(lambda: len(tracker.asked) >= 3)  # by then it is listed
        await schedules.ensure_schedules(client, Connections())
        with pytest.raises(RPCError, match="not found"):
            await handle.describe()


async def test_a_look_that_ends_early_is_followed_by_another_in_the_same_run(client: Client, tmp_path: Path) -> None:
    terms, name = named("early")
    tracker = ToldTracker(tmp_path, [News(until=now() - timedelta(hours=3)), News(until=now())])
    async with working(client, TemporalIntake(client, tracker, terms)):
        result = await client.execute_workflow(
            "Sync", {"tracker": name, "days": 7}, id=f"sync:{name}:now", task_queue=names.WORK, result_type=Reconciled
        )
    assert (len(tracker.asked), result.complete) == (2, True)


async def test_the_digest_has_a_schedule_where_slack_is_and_a_calendar_that_is_none_is_told(client: Client) -> None:
    slack = Connections.model_validate({"connections": {"slack": {"kind": "slack"}}, "timezone": "Europe/Berlin"})
    await schedules.ensure_schedules(client, slack)
    described = await client.get_schedule_handle(names.DIGEST).describe()
    assert described.schedule.spec.time_zone_name == "Europe/Berlin"
    with pytest.raises(Misused, match="digest"):
        await schedules.ensure_schedules(client, slack.model_copy(update={"digest": "every now and then"}))
    await schedules.ensure_schedules(client, Connections())
    with pytest.raises(RPCError, match="not found"):
        await client.get_schedule_handle(names.DIGEST).describe()


async def test_what_waits_is_listed_also_where_a_ticket_does_not_answer(client: Client, tmp_path: Path) -> None:
    """The recorder has no status to tell."""
    terms, name = named("waiting")
    intake = TemporalIntake(client, ToldTracker(tmp_path), terms)
    order = TicketOrder(
        ref=TicketRef(tracker=name, id="1"), identifier=name, repository="/srv/shop", model="a:m", label=WAITS
    )
    async with working(client, intake):
        started = await start_ticket(client, order)
        waiting: list[Waiting] = []
        for _ in range(100):
            if waiting := [one for one in await intake.list_waiting() if one.identifier == name]:
                break
            await asyncio.sleep(0.1)
        await ended(client, started.workflow_id)
    assert [(one.phase, one.since <= now()) for one in waiting] == [(Phase.PLAN_GATE, True)]


async def test_a_person_who_asks_has_tickets_look_at_their_pull_requests(client: Client, tmp_path: Path) -> None:
    terms, name = named("nudge")
    waits = CardSeen(id="card@1", card=card(name, AGENT_TODO, "WAITS"), at=now())
    builds = CardSeen(id="card@1", card=card(name, AGENT_TODO, "BUILDS"), at=now())
    tracker = ToldTracker(tmp_path, [News(cards=(waits, builds), until=now()), News(until=now())])
    intake = TemporalIntake(client, tracker, terms)
    ids = [names.ticket_workflow_id(one.card.ref) for one in (waits, builds)]
    async with working(client, intake):
        await intake.reconcile(Reconcile(tracker=name))
        await client.get_workflow_handle(ids[0]).signal(SHOWS, "Merge gate")
        await client.get_workflow_handle(ids[1]).signal(SHOWS, "Building")
        await listed(client, name, {"Merge gate", "Building"})
        by_schedule = await client.execute_workflow(
            "Sync", {"tracker": name}, id=f"sync:{name}:1", task_queue=names.WORK, result_type=Reconciled
        )
        by_hand = await client.execute_workflow(
            "Sync", {"tracker": name, "days": 1}, id=f"sync:{name}:2", task_queue=names.WORK, result_type=Reconciled
        )
        assert (by_schedule.nudged, by_hand.nudged) == (0, 1)
        assert [await ended(client, one) for one in ids] == [["pull request moved"], []]
