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
from workflows.domain.written import carries, is_open, rewritten

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
    "open_tickets",
    "read",
    "rewrite",
    "watch",
]

MOST_NEW_BYTES = MOST_BYTES // 2
"""The rest of what a page may have is for the comments that people and Pawl write on the card."""


MOST_REWRITTEN = MOST_NEW_BYTES // 5
"""Characters of a body that Pawl writes anew: in any alphabet the card stays readable."""


class HeldByAnother(Exception):
    """Somebody else holds the card, or it changed since it was read. The message says which."""


class CardTooLarge(Exception):
    """A new card that would soon be too large to be read. The message says how large it may be."""


class Listing(NamedTuple):
    tickets: list[Ticket]
    unreadable: list[BadCard]


def create_ticket(
    folder: Path,
    ticket_id: str,
    title: str,
    body: str = "",
    *,
    status: str = Phase.TODO,
    labels: tuple[str, ...] = (),
    ours: bool = False,
) -> Ticket:
    """Put a new card on the board. `ours`: Pawl files it by itself. Raises as `check_free` and `drafted` do."""
    data = drafted(title, body, status=status, labels=labels)
    with locked(folder / ".lock"):
        check_free(folder, ticket_id)
        return cards.create(folder, ticket_id, data, ours=ours)


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


def open_tickets(folder: Path, labels: tuple[str, ...], most: int) -> list[Ticket]:
    """Those whose column is not a final phase, which carry all of the labels; whose file changed last, first. Cards
    that cannot be read are left out.
    """
    found: list[Ticket] = []
    for path in sorted(cards.card_paths(folder), key=_changed, reverse=True):
        try:
            ticket = read(folder, path.stem)
        except (BadCard, CardMissing):
            continue
        if is_open(ticket) and carries(ticket, labels):
            found.append(ticket)
        if len(found) == most:
            break
    return found


def rewrite(folder: Path, ticket_id: str, title: str, body: str) -> Ticket:
    """Another title and text; what people noted in the text stays, and so does everything else on the card. Raises
    CardMissing, BadCard.
    """

    def put(card: Card) -> None:
        if card.ticket.title != title.strip():
            card.page.head.set("title", title.strip())
        text = rewritten(card.ticket.body, body, MOST_REWRITTEN)
        if card.ticket.body != text:
            card.page.set_body(COMMENTS, text)

    return cards.change(folder, ticket_id, put)


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


def _changed(path: Path) -> tuple[int, int, str]:
    """When the file changed last, 0 when it is gone by now; of two at once the one with the higher number."""
    try:
        return path.stat().st_mtime_ns, len(path.name), path.name
    except OSError:
        return 0, 0, path.name
