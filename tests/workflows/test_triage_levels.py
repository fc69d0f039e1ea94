"""What a level lets triage do, and the brakes around it."""

from decimal import Decimal

import pytest
from temporalio.client import Client

from tests.workflows.nights import (
    DOOR,
    SQUEAK,
    StartNights,
    card,
    entry,
    filed,
    finding,
    finds,
    model_calls,
    policy,
    quiet,
    red,
)
from tests.workflows.world import World
from workflows import names
from workflows.domain.budget import Spend
from workflows.domain.change import Check
from workflows.domain.order import TicketOrder
from workflows.domain.ticket import Ticket as Card
from workflows.domain.triage import Kind, Standing, finding_id
from workflows.domain.written import text_digest
from workflows.ports.tracker import FileTicket, RewriteTicket
from workflows.ports.workspace import TryCommand

pytestmark = pytest.mark.server
LINT, LATCH = "src/hinge.py:E501", "tests/test_latch.py::test_click"


async def started(client: Client, ticket: Card) -> TicketOrder:
    """The order of a ticket that is under way; it is ended with the test."""
    handle = client.get_workflow_handle(names.ticket_workflow_id(ticket.ref))
    (first, *_) = (await handle.fetch_history()).events
    attributes = first.workflow_execution_started_event_attributes
    await handle.terminate()
    (order,) = await client.data_converter.decode(attributes.input.payloads, [TicketOrder])
    return order


async def test_level_2_files_a_draft_for_each(nights: StartNights, client: Client) -> None:
    world = World(policy=policy(level=2))
    finds(world, finding(), finding(DOOR))
    run = await nights(world)
    said = await run.next()
    assert (said.tickets, said.started) == (("F-1", "F-2"), ())
    first = filed(world)[0]
    assert first.title == "Failing test: The hinge squeaks"
    assert first.key == f"{run.name}:{entry(world).id}:1"
    assert "\n\n    It squeaks when it is cold.\n\n" in first.body
    assert "\n\n    try tests/test_hinge.py::test_squeak\n\n" in first.body
    assert (entry(world).standing, entry(world).identifier) == (Standing.TICKETED, "F-1")
    assert not world.of(RewriteTicket)
    with pytest.raises(Exception, match="not found"):
        await client.get_workflow_handle("ticket:board:F-1").describe()


async def test_level_3_starts_what_is_proven_and_leaves_the_rest_as_drafts(nights: StartNights, client: Client) -> None:
    world = World(policy=policy(level=3, low_risk=["failing test"]), tries={f"try {DOOR}": 1})
    finds(world, finding(), finding(DOOR), finding("Where is it?", Kind.OTHER, command=""))
    run = await nights(world)
    said = await run.next(label="From a tape.", ui="https://temporal.test/", reviewer_model="tape:r")
    assert (said.tickets, said.started) == (("F-1", "F-2", "F-3"), ("F-1",))
    standings = [one.standing for one in world.state.findings]
    assert standings == [Standing.STARTED, Standing.TICKETED, Standing.TICKETED]
    ticket = world.cards.filed[filed(world)[0].key]
    order = await started(client, ticket)
    assert (order.repository, order.model, order.reviewer_model) == ("/srv/hinge", "tape:x", "tape:r")
    assert (order.usd, order.label, order.unattended) == (Decimal(1), "From a tape.", "")
    assert order.ui.startswith("https://temporal.test/namespaces/default/workflows/ticket%3Aboard%3AF-1")
    assert ticket.body.startswith("> From a tape.")


async def test_level_4_lets_low_risk_kinds_pass_their_gates(nights: StartNights, client: Client) -> None:
    world = World(policy=policy(level=4, usd_per_night=9, commands=(Check(name="lint", run="ruff check ."),)))
    world.reds["lint"] = red("lint", excerpt="src/hinge.py:3:1: E501 too long")
    finds(world, finding(LINT, Kind.LINT), finding(), finding("src/hinge.py:F401", Kind.LINT))
    said = await (await nights(world)).next()
    assert said.started == ("F-1", "F-2", "F-3")
    orders = [await started(client, ticket) for ticket in world.cards.filed.values()]
    base = world.bases[0][:12]
    assert [order.unattended for order in orders] == [f"WORKFLOW.md at {base}: triage level 4, kind lint", "", ""]
    assert [order.kind for order in orders] == [Kind.LINT, Kind.FAILING_TEST, Kind.LINT]
    by_itself = filed(world)[0]
    texts = [text_digest(filing.title, filing.body) for filing in filed(world)]
    assert [order.text for order in orders] == [texts[0], "", ""], "it may say nothing else when it is claimed"
    assert by_itself.title == "Lint: src/hinge.py:E501"
    assert "squeaks" not in by_itself.body, "nobody watches: no word in it is a model's choice"


async def test_an_older_text_under_the_same_key_is_not_what_has_leave(nights: StartNights, client: Client) -> None:
    """Such as a night has left that was killed, or a person has edited."""
    world = World(policy=policy(level=4, commands=(Check(name="lint", run="ruff check ."),)))
    world.reds["lint"] = red("lint", excerpt="src/hinge.py:3:1: E501 too long")
    run = await nights(world)
    lint = finding(LINT, Kind.LINT)
    key = f"{run.name}:{finding_id(lint.kind, lint.subject)}:1"
    older = FileTicket(tracker="board", key=key, title="Lint: loose", body="Loosen it all.", labels=("triage",))
    there = world.cards.file(older)
    finds(world, lint)
    assert (await run.next()).started == ("F-1",)
    order = await started(client, there)
    assert order.text not in ("", text_digest(there.title, there.body))


async def test_what_does_not_fit_is_first_the_next_night_without_a_model(nights: StartNights) -> None:
    world = World(policy=policy(level=2, new_tickets=1))
    run = await nights(world)
    finds(world, finding(), finding(DOOR), finding(LATCH))
    first = await run.next()
    assert (first.tickets, first.waiting) == (("F-1",), 2)
    assert entry(world, DOOR).standing is Standing.WAITING
    quiet(world)
    second = await run.next()
    assert (second.tickets, second.waiting, second.asked) == (("F-2",), 1, False)
    assert DOOR in filed(world)[1].body
    finds(world, finding(LINT, Kind.LINT))
    third = await run.next()
    assert (third.tickets, third.waiting) == (("F-3",), 1)
    assert LATCH in filed(world)[2].body, "what waited comes before what is new"
    assert model_calls(world) == 2


async def test_open_tickets_are_capped_until_people_close_some(nights: StartNights) -> None:
    world = World(policy=policy(level=2, open_tickets=1))
    run = await nights(world)
    finds(world, finding(), finding(DOOR))
    assert (await run.next()).tickets == ("F-1",)
    quiet(world)
    assert (await run.next()).tickets == ()
    world.cards.close("F-1")
    assert (await run.next()).tickets == ("F-2",)


async def test_tickets_of_others_with_our_label_do_not_fill_the_cap(nights: StartNights) -> None:
    world = World(policy=policy(level=2, open_tickets=1))
    run = await nights(world)
    theirs = [card(f"ENG-{number}", "Noise") for number in range(3)]
    world.cards.others = [one.model_copy(update={"labels": ("triage",)}) for one in theirs]
    finds(world, finding())
    assert (await run.next()).tickets == ("F-1",)


async def test_a_nights_money_covers_what_it_starts(nights: StartNights, client: Client) -> None:
    world = World(policy=policy(level=3, usd_per_night=2, usd_per_finding="0.9"), spent=Decimal("0.3"))
    run = await nights(world)
    finds(world, finding(), finding(DOOR), finding(LATCH))
    first = await run.next()
    assert (first.started, first.waiting) == (("F-1",), 2)
    quiet(world)
    second = await run.next()
    assert (second.started, second.waiting, second.spend) == (("F-2", "F-3"), 0, Spend())
    for ticket in world.cards.filed.values():
        assert (await started(client, ticket)).usd == Decimal("0.9")


async def test_what_no_night_can_pay_becomes_a_draft(nights: StartNights) -> None:
    world = World(policy=policy(level=3, usd_per_night=1, usd_per_finding=2))
    finds(world, finding())
    said = await (await nights(world)).next()
    assert (said.tickets, said.started) == (("F-1",), ())


async def test_what_waits_and_does_not_fail_any_more_is_never_told(nights: StartNights) -> None:
    world = World(policy=policy(level=2, new_tickets=0))
    run = await nights(world)
    finds(world, finding())
    await run.next()
    world.tries = {f"try {SQUEAK}": 0}
    world.policy = policy(level=2)
    finds(world)
    said = await run.next()
    assert (said.fixed, said.tickets, entry(world).standing) == (1, (), Standing.FIXED)


async def test_more_findings_than_can_be_run_in_a_night_are_run_first_in_the_next(nights: StartNights) -> None:
    world = World(policy=policy(level=2, new_tickets=50, open_tickets=500))
    many = [finding(f"tests/test_many.py::test_number_{number}") for number in range(23)]
    run = await nights(world)
    finds(world, *many)
    first = await run.next()
    assert (len(first.tickets), first.waiting) == (20, 3)
    quiet(world)
    second = await run.next()
    assert (len(second.tickets), second.waiting) == (3, 0)
    assert len(world.of(TryCommand)) == 23
