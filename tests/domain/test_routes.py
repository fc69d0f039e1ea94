"""Which tickets are worked on, and where."""

from decimal import Decimal

import pytest

from workflows.domain.routes import Route, route_of
from workflows.domain.ticket import Ticket, TicketRef

SHOP = Route(tracker="linear", team="ENG", repository="shop")
ANY = Route(tracker="linear", repository="any")
LABEL = Route(tracker="linear", label="pawl", repository="by-label")
BOTH = Route(tracker="linear", state="Ready", label="pawl", repository="both")
GITHUB = Route(tracker="github", team="Acme/Shop", label="pawl", repository="https://github.com/acme/shop")


def ticket(status: str = "Backlog", team: str = "ENG", labels: tuple[str, ...] = (), tracker: str = "linear") -> Ticket:
    ref = TicketRef(tracker=tracker, id="1")
    return Ticket(ref=ref, identifier="ENG-1", title="t" * 400, status=status, team=team, labels=labels)


@pytest.mark.parametrize(
    ("card", "routes", "expected"),
    [
        (ticket(), (), None),
        (ticket(), (SHOP,), SHOP),
        (ticket(team="eng"), (SHOP,), SHOP),
        (ticket(team="OPS"), (SHOP,), None),
        (ticket(team=""), (SHOP,), None),
        (ticket(team="OPS"), (SHOP, ANY), ANY),
        (ticket(tracker="github"), (SHOP, ANY), None),
        (ticket(), (SHOP, LABEL), SHOP),  # neither asks for it: the first that covers it
        (ticket(labels=("pawl",)), (SHOP, LABEL), LABEL),  # the one that asks for it goes first
        (ticket("Agent Todo", labels=("pawl",)), (SHOP, LABEL), SHOP),
        (ticket(team="acme/shop", tracker="github"), (SHOP, GITHUB), GITHUB),
    ],
)
def test_the_route_of_a_ticket(card: Ticket, routes: tuple[Route, ...], expected: Route | None) -> None:
    assert route_of(card, routes) is expected


@pytest.mark.parametrize(
    ("route", "card", "asks"),
    [
        (SHOP, ticket("Agent Todo"), True),
        (SHOP, ticket("AGENT TODO"), True),
        (SHOP, ticket("Todo"), False),
        (SHOP, ticket(""), False),
        (LABEL, ticket(labels=("Pawl",)), True),
        (LABEL, ticket("Agent Todo"), False),
        (LABEL, ticket(""), False),
        (BOTH, ticket("ready"), True),
        (BOTH, ticket(labels=("bug", "pawl")), True),
        (BOTH, ticket("Agent Todo", labels=("bug",)), False),
    ],
)
def test_a_card_asks_for_work_by_its_column_or_its_label(route: Route, card: Ticket, asks: bool) -> None:
    assert route.asks_for(card) is asks


def test_an_order_takes_what_the_route_says_and_the_installation_for_the_rest() -> None:
    route = Route(tracker="linear", repository="shop", base_branch="next", reviewer_model="a:r", usd=Decimal(3))
    order = route.order(ticket(), "a:m", "a:other")
    assert (order.repository, order.base_branch, order.model, order.reviewer_model, order.usd) == (
        *("shop", "next", "a:m", "a:r"),
        Decimal(3),
    )
    assert len(order.title) == 300
