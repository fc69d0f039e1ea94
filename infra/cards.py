"""One card of the board: its file, read and changed under the board's lock, and what is remembered beside it.

What Pawl remembers (digest, version, who moved the card last) is kept in `.pawl`, so that a person's edit is noticed
whatever editor made it, and no card is touched while somebody only reads.
"""

import hashlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, cast

from pydantic import ValidationError

from infra.files import locked, replace_file
from infra.pages import BadPage, Page
from workflows.domain.events import phase_of
from workflows.domain.model import Record
from workflows.domain.ticket import Phase, Ticket, TicketRef

TRACKER = "board"
COMMENTS = "## Comments"
ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")
_MOST_MOVES = 50


class BadCard(Exception):
    """A card that cannot be read. The message names the file, the line where there is one, and says what to do."""

    def __init__(self, path: Path, cause: str, line: int | None = None) -> None:
        super().__init__(f"{path}: {cause}" if line is None else f"{path}, line {line}: {cause}")
        self.ticket_id = path.stem


class ClosedCard(BadCard):
    """A card whose file does not open. What is wrong is not in the file, so that it may be mended unchanged."""


class CardMissing(Exception):
    """There is no such card on the board. The message says where it was looked for."""


class BoardChange(Record):
    """A card was moved, or is new."""

    id: str
    before: str
    """The column it came from; empty for a new card."""
    status: str
    by_pawl: bool
    """False when a person moved it."""


class Memory(Record):
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
    ours: bool = False
    """Pawl has filed it."""


class Card(NamedTuple):
    page: Page
    ticket: Ticket
    memory: Memory

    @property
    def holder(self) -> str:
        """The account that claimed it; empty when nobody has."""
        return word(self.page.head.get("claimed_by"))


def change(folder: Path, ticket_id: str, edit: Callable[[Card], None]) -> Ticket:
    """Edit the card's page under the lock and write it as the next version, if anything changed."""
    with locked(folder / ".lock"):
        while True:
            card = observed(folder, ticket_id)
            if card.memory.freed:
                card.page.head.remove("claimed_by")
            before = card.page.render()
            edit(card)
            if card.page.render() == before:
                return card.ticket
            card.page.head.set("version", card.ticket.version + 1)
            data = card.page.render()
            _remember(folder, ticket_id, card.memory.model_copy(update={"next_digest": _digest(data)}))
            path = card_path(folder, ticket_id)
            if _digest(path.read_bytes()) == card.memory.digest:  # editors know nothing of our lock
                replace_file(path, data)
                return observed(folder, ticket_id).ticket


def create(folder: Path, ticket_id: str, data: bytes, *, ours: bool = False) -> Ticket:
    """Write a new card, to be called under the lock. Where one lay before, what was remembered of it goes on."""
    memory = _recalled(folder, ticket_id)
    _remember(folder, ticket_id, memory.model_copy(update={"next_digest": _digest(data), "ours": ours}))
    replace_file(card_path(folder, ticket_id), data)
    return observed(folder, ticket_id).ticket


def observed(folder: Path, ticket_id: str) -> Card:
    """Read the card and note what happened to it since it was last seen. Raises CardMissing, BadCard, ClosedCard."""
    path = card_path(folder, ticket_id)
    data = _read(path)
    try:
        page = Page.parse(data)
        ticket = _ticket(path, page)
    except BadPage as error:
        raise BadCard(path, error.cause, error.line) from error
    memory = _recalled(folder, ticket_id)
    if memory.digest != _digest(data):
        memory = _noticed(memory, ticket, _digest(data))
        _remember(folder, ticket_id, memory)
    return Card(page, ticket.model_copy(update={"version": memory.version, "ours": memory.ours}), memory)


def _read(path: Path) -> bytes:
    try:
        if (path.exists() or path.is_symlink()) and not path.is_file():  # a pipe would be waited for
            raise ClosedCard(path, "This is no file, or a link to none. Put a card in its place, or rename it.")
        return path.read_bytes()
    except FileNotFoundError:
        raise CardMissing(f"There is no ticket {path.stem} on the board: {path} does not exist.") from None
    except OSError as error:
        cause = f"The card cannot be read ({error.strerror}). Check the file and its permissions."
        raise ClosedCard(path, cause) from error


def _noticed(memory: Memory, ticket: Ticket, digest: str) -> Memory:
    by_pawl = digest == memory.next_digest
    moved = ticket.status != memory.status
    change = BoardChange(id=ticket.ref.id, before=memory.status, status=ticket.status, by_pawl=by_pawl)
    restarted = moved and memory.status != "" and ticket.status == Phase.TODO
    return Memory(
        digest=digest,
        version=max(memory.version + 1, ticket.version),
        status=ticket.status,
        freed=not by_pawl and (memory.freed or restarted),
        untold=(*memory.untold, change)[-_MOST_MOVES:] if moved else memory.untold,
        ours=memory.ours,
    )


def _ticket(path: Path, page: Page) -> Ticket:
    """Raises BadPage."""
    if not page.has_head:
        raise BadPage("The card has no front matter. Begin it with: ---, title: ..., status: Todo, ---", 1)
    values = page.head.values()
    for key, example in (("title", "title: What is wanted"), ("status", f"status: {Phase.TODO}")):
        if not word(values.get(key)):
            raise BadPage(f"The card has no {key}. Write in its front matter: {example}", page.head.line([key]))
    status = word(values["status"])
    version = values.get("version")
    return Ticket(
        ref=TicketRef(tracker=TRACKER, id=path.stem),
        identifier=path.stem,
        title=word(values["title"]),
        body=page.body(COMMENTS),
        status=phase_of(status) or status,
        version=version if isinstance(version, int) else 0,
        labels=labels_of(page),
        url=str(path),
    )


def labels_of(page: Page) -> tuple[str, ...]:
    """A list, or words separated by commas. Raises BadPage."""
    value, line = page.head.values().get("labels"), page.head.line(["labels"])
    parts = value.split(",") if isinstance(value, str) else value or []
    if not isinstance(parts, list) or any(isinstance(part, list | dict) for part in cast("list[object]", parts)):
        raise BadPage("The labels cannot be read. Write them as: labels: [one, two]", line)
    return tuple(said for part in cast("list[object]", parts) if (said := word(part)))


def word(value: object) -> str:
    """A YAML scalar as people meant it: `title: 404` is the text 404. Anything nested is no word."""
    return "" if value is None or isinstance(value, list | dict) else str(value).strip()


def untold(folder: Path, ticket_id: str) -> tuple[BoardChange, ...]:
    """The moves nobody has been told of; none of a card that is gone or makes no sense. Raises ClosedCard."""
    try:
        with locked(folder / ".lock"):
            return observed(folder, ticket_id).memory.untold
    except ClosedCard:
        raise
    except (CardMissing, BadCard):
        return ()


def told(folder: Path, change: BoardChange) -> None:
    with locked(folder / ".lock"):
        memory = _recalled(folder, change.id)
        if memory.untold[:1] == (change,):
            _remember(folder, change.id, memory.model_copy(update={"untold": memory.untold[1:]}))


def _recalled(folder: Path, ticket_id: str) -> Memory:
    try:
        return Memory.model_validate_json((folder / ".pawl" / f"{ticket_id}.json").read_bytes())
    except (FileNotFoundError, ValidationError):
        return Memory()  # the card itself says version and holder; only who moved it last is forgotten


def _remember(folder: Path, ticket_id: str, memory: Memory) -> None:
    replace_file(folder / ".pawl" / f"{ticket_id}.json", memory.model_dump_json().encode())


def card_path(folder: Path, ticket_id: str) -> Path:
    if not ID.fullmatch(ticket_id):
        raise CardMissing(f"There is no ticket {ticket_id!r}: an id has letters, digits, dot, dash and underscore.")
    if not is_card(f"{ticket_id}.md"):
        raise CardMissing(f"There is no ticket {ticket_id}: a README is not a card.")
    return folder / f"{ticket_id}.md"


def is_card(name: str) -> bool:
    """Whether a file of this name is one: a README is not."""
    stem, dot, _ = name.rpartition(".")
    return name.endswith(".md") and bool(dot and ID.fullmatch(stem)) and stem.upper() != "README"


def card_paths(folder: Path) -> list[Path]:
    """Whatever lies there under the name of a card."""
    return sorted(path for path in folder.glob("*.md") if is_card(path.name))


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
