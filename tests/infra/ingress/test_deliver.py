"""What is decided reaches its ticket, with or without a worker, once."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from temporalio.client import Client
from temporalio.worker import Worker

from infra.client import ticket_status
from infra.exits import OutOfReach
from infra.ingress.deliver import Done, carry
from infra.payloads import DATA_CONVERTER
from infra.runner import workflow_runner
from tests.infra.ingress.recorder import ended, heard, recording, runs
from workflows import names
from workflows.domain.intake import CardMove, Leave, Nudge, Start, TellMove, TellWords, Words
from workflows.domain.order import TicketOrder
from workflows.domain.people import Person, Trust
from workflows.domain.ticket import TicketRef
from workflows.ticket import Ticket

pytestmark = pytest.mark.server

ADA = Person(place="linear", id="ada", name="Ada", trust=Trust.MEMBER)
HOUR = timedelta(hours=1)


def now() -> datetime:
    return datetime.now(UTC)


def new_ref() -> TicketRef:
    return TicketRef(tracker="linear", id=uuid4().hex)


def start(ref: TicketRef, at: datetime | None = None, pull_request: str = "") -> Start:
    order = TicketOrder(ref=ref, identifier="ENG-1", repository="/shop", model="a:m", base_branch=pull_request)
    return Start(order=order, at=at or now())


def move(ref: TicketRef, at: datetime | None = None) -> TellMove:
    return TellMove(ref=ref, move=CardMove(id="Building@1", status="Building", at=at or now(), by="Ada"))


def words(ref: TicketRef, at: datetime | None = None, *, stop: bool = False) -> TellWords:
    return TellWords(ref=ref, words=Words(id="comment:1", text="go on", by=ADA, stop=stop), at=at or now())


async def test_everything_is_kept_while_no_worker_runs(client: Client) -> None:
    ref = new_ref()
    done = [await carry(client, one(ref)) for one in (start, move, words)]
    assert done == [Done.STARTED, Done.TOLD, Done.TOLD]
    async with recording(client):
        assert await ended(client, names.ticket_workflow_id(ref)) == [
            "moved Building@1 to Building by Ada",
            "linear:ada said comment:1: go on",
        ]


async def test_the_ticket_itself_is_what_is_started(client: Client) -> None:
    ref = new_ref()
    await carry(client, start(ref))
    async with Worker(client, task_queue=names.WORK, workflows=[Ticket], workflow_runner=workflow_runner()):
        assert (await ticket_status(client, names.ticket_workflow_id(ref))).identifier == "ENG-1"
        await client.get_workflow_handle(names.ticket_workflow_id(ref)).terminate()


async def test_a_ticket_under_way_is_not_started_again(client: Client) -> None:
    ref = new_ref()
    assert [await carry(client, start(ref, at)) for at in (None, None, now() + HOUR)] == [
        *(Done.STARTED, Done.STARTED_BEFORE, Done.STARTED_BEFORE)
    ]


async def test_a_ticket_that_has_ended_is_started_by_what_is_asked_afterwards(client: Client) -> None:
    ref, asked = new_ref(), now()
    workflow_id = names.ticket_workflow_id(ref)
    await carry(client, start(ref, asked))
    async with recording(client):
        await ended(client, workflow_id)
    assert await carry(client, start(ref, asked)) is Done.STARTED_BEFORE  # the same delivery once more
    assert await runs(client, workflow_id, 1) == 1
    assert await carry(client, start(ref, now())) is Done.STARTED
    assert await runs(client, workflow_id, 2) == 2


async def test_nobody_is_told_when_no_run_is_under_way(client: Client) -> None:
    ref = new_ref()
    assert [await carry(client, one) for one in (move(ref), words(ref))] == [Done.NOBODY, Done.NOBODY]
    await carry(client, start(ref))
    async with recording(client):
        await ended(client, names.ticket_workflow_id(ref))
    assert [await carry(client, one) for one in (move(ref), words(ref))] == [Done.NOBODY, Done.NOBODY]


async def test_what_is_older_than_the_run_was_not_meant_for_it(client: Client) -> None:
    """The move that starts a ticket would abort it, delivered once more: a card in Todo is one taken back."""
    ref, before = new_ref(), now() - HOUR
    await carry(client, start(ref, before))
    assert await carry(client, move(ref, before)) is Done.TOO_OLD
    assert await carry(client, words(ref, before, stop=True)) is Done.TOO_OLD
    assert await carry(client, words(ref, before)) is Done.TOLD  # the words that asked for it
    assert await carry(client, words(ref, stop=True)) is Done.TOLD
    async with recording(client):
        heard_all = await ended(client, names.ticket_workflow_id(ref))
    assert heard_all == ["linear:ada said comment:1: go on", "linear:ada said comment:1: go on STOP"]


async def test_news_of_a_pull_request_finds_its_ticket(client: Client) -> None:
    ref, number = new_ref(), int(uuid4().hex[:8], 16)
    workflow_id = names.ticket_workflow_id(ref)
    await carry(client, start(ref, pull_request=f"Acme/o'neill#{number}"))
    nudge = Nudge(repository="Acme/o'neill", number=number)
    async with recording(client):
        while await carry(client, nudge) is Done.NOBODY:  # the list of workflows lags behind
            pass
        assert "pull request moved" in await heard(client, workflow_id)
        other = Nudge(repository="Acme/o'neill", number=number + 1)
        assert await carry(client, other) is Done.NOBODY
        await ended(client, workflow_id)


async def test_what_is_left_reaches_nobody(client: Client) -> None:
    assert await carry(client, Leave(reason="an echo")) is Done.LEFT


async def test_a_server_that_was_never_there_is_out_of_reach() -> None:
    client = await Client.connect("127.0.0.1:9", lazy=True, data_converter=DATA_CONVERTER)
    with pytest.raises(OutOfReach):
        await carry(client, start(new_ref()))


async def test_a_card_can_link_to_its_run_where_people_open_the_ui(client: Client) -> None:
    ref = new_ref()
    await carry(client, start(ref), "https://temporal.example.com/")
    history = await client.get_workflow_handle(names.ticket_workflow_id(ref)).fetch_history()
    (order,) = await client.data_converter.decode(
        history.events[0].workflow_execution_started_event_attributes.input.payloads, [TicketOrder]
    )
    assert order.ui == f"https://temporal.example.com/namespaces/default/workflows/ticket%3Alinear%3A{ref.id}"
