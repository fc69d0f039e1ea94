"""`pawl events`: the journal, any slice of it."""

import asyncio
import json
import re
from typing import cast

from infra import home
from infra.client import find_ticket, ticket_status
from infra.commands import decisions
from infra.console import Console, safe
from infra.exits import Misused, NotFound, PawlError
from infra.journal import JournalEvent, JournalStore, journal_of
from infra.settings import Settings
from infra.temporal import connect
from workflows.domain.model import Record
from workflows.domain.session import Role
from workflows.ports.journal import Entry, EntryKind

_PAGE = 500
_LOOK_SECONDS = 0.3
_CHARACTERS = 500
"""How much of an entry's body people see; JSON has it whole."""

_KEY = re.compile(rf"(?P<ticket>.+)\.[0-9a-f]{{8}}(\.(({'|'.join(Role)})\d+|(work|checks)(\..+)?))?")
"""An account, a session's key or a sandbox's, as `workflows.names` makes them."""


class Slice(Record):
    """Which entries."""

    session: str
    """A session's key, a ticket's account, or a ticket: then all its runs."""
    first: int = 0
    """Turns, inclusive; 0 holds what belongs to the whole session."""
    last: int | None = None
    kinds: tuple[str, ...] = ()
    """Names of EntryKind; none named: all."""
    follow: bool = False

    def holds(self, seq: int) -> bool:
        return self.first <= seq and (self.last is None or seq <= self.last)


async def events(console: Console, settings: Settings, wanted: Slice) -> None:
    """Print the entries in the order they were written, one JSON object per line for programs."""
    settings, kinds = home.located(settings), _kinds(wanted)
    if not settings.journal_url and not (settings.home / "journal.db").exists():
        raise NotFound(f"There is no journal in {settings.home} yet.", "It begins with the first ticket: `pawl run`.")
    store = journal_of(settings)
    try:
        under = await _under(settings, store, wanted)
        place = 0
        while True:
            page = await asyncio.to_thread(store.events, under, kinds, place, _PAGE)
            for event in page:
                if wanted.holds(event.entry.seq) and _belongs(event.entry.session, under):
                    _print(console, await asyncio.to_thread(_whole, store, event))
            place = page[-1].place if page else place
            if len(page) < _PAGE:
                if not wanted.follow:
                    return
                await asyncio.sleep(_LOOK_SECONDS)
    finally:
        store.close()


def _kinds(wanted: Slice) -> list[EntryKind]:
    known = {kind.value: kind for kind in EntryKind}
    unknown = [name for name in wanted.kinds if name not in known]
    if unknown:
        raise Misused(f"The journal has no entries of the kind {unknown[0]!r}.", f"Choose from {', '.join(known)}.")
    return [known[name] for name in wanted.kinds]


async def _under(settings: Settings, store: JournalStore, wanted: Slice) -> str:
    """The session as it was named, when the journal knows it; else the account of the ticket of that name, or the
    session of it that is named as remarks on tickets name it (`words.session_name`)."""
    if await asyncio.to_thread(_knows, store, wanted.session):
        return wanted.session
    try:
        client, key = await connect(settings, wait_seconds=3), _KEY.fullmatch(wanted.session)
        ticket = key["ticket"] if key else wanted.session
        account = (await ticket_status(client, await find_ticket(client, ticket))).account
        return f"{account.rpartition('.')[0]}{wanted.session.removeprefix(ticket)}" if key else account
    except PawlError as error:
        if wanted.follow:
            return wanted.session
        raise NotFound(
            f"The journal of {settings.home} has no session {wanted.session}, and no ticket of that name answers.",
            "`pawl show TICKET` lists its sessions.",
        ) from error


def _knows(store: JournalStore, name: str) -> bool:
    place = 0
    while page := store.events(name, (), place, _PAGE):
        if any(_belongs(event.entry.session, name) for event in page):
            return True
        place = page[-1].place
    return False


def _belongs(session: str, name: str) -> bool:
    """Whether a session whose key begins with `name` is meant by it: a ticket's id may hold dots, so the ticket ENG-1.2
    begins like ENG-1 and is another one."""
    key = _KEY.fullmatch(session)
    return session == name or key is None or key["ticket"] == name or _KEY.fullmatch(name) is not None


def _whole(store: JournalStore, event: JournalEvent) -> JournalEvent:
    """The event with what its body refers to, where that is text: the prompt as the agent got it, or what a command
    was let reach."""
    if event.entry.kind not in (EntryKind.PROMPT, EntryKind.EGRESS):
        return event
    body = store.load(event.entry.body).decode()
    return event.model_copy(update={"entry": event.entry.model_copy(update={"body": body})})


def _print(console: Console, event: JournalEvent) -> None:
    entry = event.entry
    if console.as_json:
        body = decisions.read(entry.body) if entry.kind is EntryKind.EGRESS else _decoded(entry.body)
        console.line({"place": event.place, **entry.model_dump(mode="json", exclude={"body"}), "body": body})
        return
    at = f"{entry.at:%H:%M:%S} " if entry.at else ""
    console.terminal.print(
        f"[dim]{at}{safe(entry.session)}[/] turn {entry.seq} [bold]{entry.kind}[/] {safe(entry.key)}"
    )
    for line in _shown(entry):
        console.terminal.print(f"  {safe(line)}")


def _shown(entry: Entry) -> list[str]:
    if entry.kind is EntryKind.EGRESS:
        return decisions.told(entry.body)
    return [entry.body if len(entry.body) <= _CHARACTERS else f"{entry.body[:_CHARACTERS]} ..."]


def _decoded(body: str) -> object:
    """JSON bodies as JSON; references as the text they are."""
    try:
        return cast("object", json.loads(body))
    except ValueError:
        return body
