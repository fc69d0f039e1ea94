"""The local board: a folder with one Markdown file per ticket, which people and Pawl write in turns."""

from pathlib import Path
from typing import NamedTuple

from infra import cards
from infra.board_watch import watch
from infra.cards import COMMENTS, ID, BadCard, BoardChange, Card, CardMissing
from infra.files import locked
from infra.pages import MOST_BYTES, FrontMatter, Page
from workflows.domain.events import phase_of, rests
from workflows.domain.ticket import Phase, Ticket

__all__ = [
    "COMMENTS",
    "BadCard",
    "BoardChange",
    "CardMissing",
    "CardTooLarge",
    "HeldByAnother",
    "Listing",
    "check_free",
    "claim",
    "comment",
    "create_ticket",
    "drafted",
    "list_tickets",
    "move",
    "read",
    "watch",
]

MOST_NEW_BYTES = MOST_BYTES // 2
"""The rest of what a page may have is for the comments that people and Pawl write on the card."""


class HeldByAnother(Exception):
    """Somebody else holds the card, or it changed since it was read. The message says which."""


class CardTooLarge(Exception):
    """A new card that would soon be too large to be read. The message says how large it may be."""


class Listing(NamedTuple):
    tickets: list[Ticket]
    unreadable: list[BadCard]


def create_ticket(
    folder: Path, ticket_id: str, title: str, body: str = "", *, status: str = Phase.TODO, labels: tuple[str, ...] = ()
) -> Ticket:
    """Put a new card on the board. Raises as `check_free` and `drafted` do."""
    data = drafted(title, body, status=status, labels=labels)
    with locked(folder / ".lock"):
        check_free(folder, ticket_id)
        return cards.create(folder, ticket_id, data)


def check_free(folder: Path, ticket_id: str) -> None:
    """Raises FileExistsError when the id is taken, ValueError when it cannot be one."""
    if not ID.fullmatch(ticket_id):
        raise ValueError(f"{ticket_id!r} cannot be a ticket id. Use letters, digits, dot, dash and underscore.")
    if not cards.is_card(f"{ticket_id}.md"):
        raise ValueError(f"{ticket_id} cannot be a ticket id: the board leaves a README to people.")
    path = cards.card_path(folder, ticket_id)
    if path.exists():
        raise FileExistsError(f"There is a ticket {ticket_id} already: {path}")


def drafted(title: str, body: str, *, status: str = Phase.TODO, labels: tuple[str, ...] = ()) -> bytes:
    """A new card as it will be written. Raises CardTooLarge."""
    head = FrontMatter.of({"title": title, "status": status, "labels": list(labels)})
    data = Page(head, f"\n{body.strip()}\n").render()
    if len(data) > MOST_NEW_BYTES:
        raise CardTooLarge(
            f"A ticket of {len(data):,} bytes leaves Pawl too little room on its card; {MOST_NEW_BYTES:,} may be used."
        )
    return data


def read(folder: Path, ticket_id: str) -> Ticket:
    """The ticket as its file stands. Raises CardMissing, BadCard."""
    with locked(folder / ".lock"):
        return cards.observed(folder, ticket_id).ticket


def list_tickets(folder: Path) -> Listing:
    """Every ticket of the board by id, and the cards that cannot be read. A README is not a card."""
    listing = Listing([], [])
    for path in cards.card_paths(folder):
        try:
            listing.tickets.append(read(folder, path.stem))
        except BadCard as bad:
            listing.unreadable.append(bad)
        except CardMissing:
            continue
    return listing


def claim(folder: Path, ticket_id: str, account: str, version: int | None) -> Ticket:
    """Write the account on the card. Claiming again for the same account changes nothing.

    Raises CardMissing, BadCard, HeldByAnother.
    """

    def take(card: Card) -> None:
        if card.holder == account:
            return
        if card.holder:
            raise HeldByAnother(f"{ticket_id} is held by {card.holder}. Move its card to Todo to free it.")
        if version is not None and version != card.ticket.version:
            raise HeldByAnother(
                f"{ticket_id} changed since it was read: version {version} then, {card.ticket.version} now."
            )
        card.page.head.set("claimed_by", account)

    return cards.change(folder, ticket_id, take)


def move(folder: Path, ticket_id: str, to: str, remark: tuple[str, str] | None = None) -> Ticket:
    """Put the card into a column and append the remark, a key and a text, once per key. A column in which no work goes
    on (Todo, a final phase, a column of people's own) also frees the card. Raises CardMissing, BadCard.
    """
    phase = phase_of(to)

    def put(card: Card) -> None:
        if card.ticket.status != to:
            card.page.head.set("status", to)
        if rests(phase):
            card.page.head.remove("claimed_by")
        if remark:
            _say(card, *remark)

    return cards.change(folder, ticket_id, put)


def comment(folder: Path, ticket_id: str, key: str, text: str) -> Ticket:
    """Append to the card, once per key. Raises CardMissing, BadCard."""
    return cards.change(folder, ticket_id, lambda card: _say(card, key, text))


def _say(card: Card, key: str, text: str) -> None:
    if not card.page.has_comment(key):
        card.page.add_comment(COMMENTS, key, text)
