"""The local board: a folder with one Markdown file per ticket, which people and Pawl write in turns.

What Pawl remembers of a card (its version, who moved it last) is kept beside the cards in `.pawl`, so that a person's
edit is noticed whatever editor made it, and no file is touched while somebody only reads.
"""

import asyncio
import hashlib
import re
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import NamedTuple, cast

from pydantic import ValidationError

from infra.files import locked, replace_file
from infra.pages import BadPage, FrontMatter, Page
from workflows.domain.events import phase_of
from workflows.domain.model import Record
from workflows.domain.ticket import Phase, Ticket, TicketRef

TRACKER = "board"
COMMENTS = "## Comments"
ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")
_MOST_MOVES = 50


class BadCard(Exception):
    """A card that cannot be read. The message names file and line and says what to write."""

    def __init__(self, path: Path, error: BadPage) -> None:
        super().__init__(f"{path}, line {error.line}: {error.cause}")
        self.ticket_id = path.stem


class CardMissing(Exception):
    """There is no such card on the board. The message says where it was looked for."""


class HeldByAnother(Exception):
    """Somebody else holds the card, or it changed since it was read. The message says which."""


class BoardChange(Record):
    """A card was moved, or is new."""

    id: str
    before: str
    """The column it came from; empty for a new card."""
    status: str
    by_pawl: bool
    """False when a person moved it."""


class Listing(NamedTuple):
    tickets: list[Ticket]
    unreadable: list[BadCard]


def create_ticket(
    folder: Path, ticket_id: str, title: str, body: str = "", *, status: str = Phase.TODO, labels: tuple[str, ...] = ()
) -> Ticket:
    """Put a new card on the board. Raises FileExistsError when the id is taken, ValueError when it cannot be one."""
    if not ID.fullmatch(ticket_id):
        raise ValueError(f"{ticket_id!r} cannot be a ticket id. Use letters, digits, dot, dash and underscore.")
    with locked(folder / ".lock"):
        path = _path(folder, ticket_id)
        if path.exists():
            raise FileExistsError(f"There is a ticket {ticket_id} already: {path}")
        head = FrontMatter.of({"title": title, "status": status, "labels": list(labels)})
        replace_file(path, Page(head, f"\n{body.strip()}\n").render())
        return _observed(folder, ticket_id).ticket


def read(folder: Path, ticket_id: str) -> Ticket:
    """The ticket as its file stands. Raises CardMissing, BadCard."""
    with locked(folder / ".lock"):
        return _observed(folder, ticket_id).ticket


def list_tickets(folder: Path) -> Listing:
    """Every ticket of the board by id, and the cards that cannot be read. A README is not a card."""
    listing = Listing([], [])
    for path in _paths(folder):
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

    def take(card: _Card) -> None:
        holder = _word(card.page.head.get("claimed_by"))
        if holder == account:
            return
        if holder:
            raise HeldByAnother(f"{ticket_id} is held by {holder}. Move its card to Todo to free it.")
        if version is not None and version != card.ticket.version:
            raise HeldByAnother(
                f"{ticket_id} changed since it was read: version {version} then, {card.ticket.version} now."
            )
        card.page.head.set("claimed_by", account)

    return _change(folder, ticket_id, take)


def move(folder: Path, ticket_id: str, to: str) -> Ticket:
    """Put the card into a column. One in which no work goes on (Todo, a final phase, a column of people's own) also
    frees it. Raises CardMissing, BadCard.
    """
    phase = phase_of(to)

    def put(card: _Card) -> None:
        if card.ticket.status != to:
            card.page.head.set("status", to)
        if phase is None or phase is Phase.TODO or phase.is_final:
            card.page.head.remove("claimed_by")

    return _change(folder, ticket_id, put)


def comment(folder: Path, ticket_id: str, key: str, text: str) -> Ticket:
    """Append to the card, once per key. Raises CardMissing, BadCard."""

    def say(card: _Card) -> None:
        if not card.page.has_comment(COMMENTS, key):
            card.page.add_comment(COMMENTS, key, text)

    return _change(folder, ticket_id, say)


async def watch(folder: Path, interval: float = 1.0) -> AsyncGenerator[BoardChange]:
    """Yield every move since the last watcher stopped, then those to come, forever.

    A move counts as told when the caller asks for the next one, so a watcher that dies repeats the last. The moves of
    a card come in order and none is lost when Pawl moves the card on. For one watcher per board.
    """
    seen: dict[Path, tuple[int, int, int]] = {}
    while True:
        for path in await asyncio.to_thread(_paths, folder):
            stamp = await asyncio.to_thread(_stamp, path)
            if stamp is None or stamp == seen.get(path):
                continue
            for change in await asyncio.to_thread(_untold, folder, path.stem):
                yield change
                await asyncio.to_thread(_told, folder, change)
            seen[path] = stamp
        await asyncio.sleep(interval)


class _Memory(Record):
    """What is remembered of a card beside it."""

    digest: str = ""
    """Of the file as it was last seen."""
    next_digest: str = ""
    """Of the file Pawl is about to write, noted first: whatever else appears was written by a person."""
    version: int = 0
    status: str = ""
    freed: bool = False
    """A person moved the card back to Todo: nobody holds it, whatever it says."""
    untold: tuple[BoardChange, ...] = ()


class _Card(NamedTuple):
    page: Page
    ticket: Ticket
    memory: _Memory


def _change(folder: Path, ticket_id: str, edit: Callable[[_Card], None]) -> Ticket:
    """Edit the card's page under the lock and write it as the next version, if anything changed."""
    with locked(folder / ".lock"):
        card = _observed(folder, ticket_id)
        if card.memory.freed:
            card.page.head.remove("claimed_by")
        before = card.page.render()
        edit(card)
        if card.page.render() == before:
            return card.ticket
        card.page.head.set("version", card.ticket.version + 1)
        data = card.page.render()
        _remember(folder, ticket_id, card.memory.model_copy(update={"next_digest": _digest(data)}))
        replace_file(_path(folder, ticket_id), data)
        return _observed(folder, ticket_id).ticket


def _observed(folder: Path, ticket_id: str) -> _Card:
    """Read the card and note what happened to it since it was last seen."""
    path = _path(folder, ticket_id)
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise CardMissing(f"There is no ticket {ticket_id} on the board: {path} does not exist.") from None
    try:
        page = Page.parse(data)
        ticket = _ticket(path, page)
    except BadPage as error:
        raise BadCard(path, error) from error
    memory = _recalled(folder, ticket_id)
    if memory.digest != _digest(data):
        memory = _noticed(memory, ticket, _digest(data))
        _remember(folder, ticket_id, memory)
    return _Card(page, ticket.model_copy(update={"version": memory.version}), memory)


def _noticed(memory: _Memory, ticket: Ticket, digest: str) -> _Memory:
    by_pawl = digest == memory.next_digest
    moved = ticket.status != memory.status
    change = BoardChange(id=ticket.ref.id, before=memory.status, status=ticket.status, by_pawl=by_pawl)
    restarted = moved and memory.status != "" and ticket.status == Phase.TODO
    return _Memory(
        digest=digest,
        version=max(memory.version + 1, ticket.version),
        status=ticket.status,
        freed=not by_pawl and (memory.freed or restarted),
        untold=(*memory.untold, change)[-_MOST_MOVES:] if moved else memory.untold,
    )


def _ticket(path: Path, page: Page) -> Ticket:
    """Raises BadPage."""
    if not page.has_head:
        raise BadPage("The card has no front matter. Begin it with: ---, title: ..., status: Todo, ---", 1)
    values = page.head.values()
    for key, example in (("title", "title: What is wanted"), ("status", f"status: {Phase.TODO}")):
        if not _word(values.get(key)):
            raise BadPage(f"The card has no {key}. Write in its front matter: {example}", page.head.line([key]))
    status = _word(values["status"])
    version = values.get("version")
    return Ticket(
        ref=TicketRef(tracker=TRACKER, id=path.stem),
        identifier=path.stem,
        title=_word(values["title"]),
        body=page.body(COMMENTS),
        status=phase_of(status) or status,
        version=version if isinstance(version, int) else 0,
        labels=_labels(values.get("labels"), page.head.line(["labels"])),
        url=str(path),
    )


def _labels(value: object, line: int) -> tuple[str, ...]:
    """A list, or words separated by commas."""
    parts = value.split(",") if isinstance(value, str) else value or []
    if not isinstance(parts, list) or any(isinstance(part, list | dict) for part in cast("list[object]", parts)):
        raise BadPage("The labels cannot be read. Write them as: labels: [one, two]", line)
    return tuple(word for part in cast("list[object]", parts) if (word := _word(part)))


def _word(value: object) -> str:
    """A YAML scalar as people meant it: `title: 404` is the text 404. Anything nested is no word."""
    return "" if value is None or isinstance(value, list | dict) else str(value).strip()


def _untold(folder: Path, ticket_id: str) -> tuple[BoardChange, ...]:
    try:
        with locked(folder / ".lock"):
            return _observed(folder, ticket_id).memory.untold
    except (CardMissing, BadCard):
        return ()


def _told(folder: Path, change: BoardChange) -> None:
    with locked(folder / ".lock"):
        memory = _recalled(folder, change.id)
        if memory.untold[:1] == (change,):
            _remember(folder, change.id, memory.model_copy(update={"untold": memory.untold[1:]}))


def _recalled(folder: Path, ticket_id: str) -> _Memory:
    try:
        return _Memory.model_validate_json((folder / ".pawl" / f"{ticket_id}.json").read_bytes())
    except (FileNotFoundError, ValidationError):
        return _Memory()  # the card itself says version and holder; only who moved it last is forgotten


def _remember(folder: Path, ticket_id: str, memory: _Memory) -> None:
    replace_file(folder / ".pawl" / f"{ticket_id}.json", memory.model_dump_json().encode())


def _path(folder: Path, ticket_id: str) -> Path:
    if not ID.fullmatch(ticket_id):
        raise CardMissing(f"There is no ticket {ticket_id!r}: an id has letters, digits, dot, dash and underscore.")
    return folder / f"{ticket_id}.md"


def _paths(folder: Path) -> list[Path]:
    return sorted(p for p in folder.glob("*.md") if ID.fullmatch(p.stem) and p.stem.upper() != "README")


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        stat = path.stat()
    except FileNotFoundError:
        return None
    return stat.st_mtime_ns, stat.st_size, stat.st_ino


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
