"""What the turns of a ticket may keep. Nothing of it is removed while somebody could go back to it: it has a size."""

import asyncio
import hashlib

from workflows.domain.model import Record
from workflows.ports.journal import Entry, EntryKind, Journal
from workflows.ports.sandbox import Denied

MOST_BYTES = 4 * 1024**3
"""Of all states that a ticket's turns have kept."""
ALWAYS_BYTES = 1024 * 1024
"""A state up to this size is kept at any time: a ticket that has used up its room can still finish its work."""


class KeptState(Record):
    """The body of a KEPT entry."""

    state: str
    """Its journal reference."""
    bytes: int


async def keep_state(journal: Journal, session: str, bundle: bytes) -> str:
    """Store a state and count it. Its journal reference. Raises Denied when the session has no room for it."""
    state = f"sha256:{hashlib.sha256(bundle).hexdigest()}"
    if await journal.get(session, _key(state)) is None:
        await _refuse_too_much(journal, session, len(bundle))
    body = KeptState(state=state, bytes=len(bundle)).model_dump_json()
    entry = Entry(session=session, seq=0, kind=EntryKind.KEPT, key=_key(state), body=body)
    await asyncio.gather(journal.keep(bundle), journal.put(entry))  # one commit for both, where the state is small
    return state


async def _refuse_too_much(journal: Journal, session: str, size: int) -> None:
    if size <= ALWAYS_BYTES:
        return
    kept = [entry for entry in await journal.entries(session) if entry.kind is EntryKind.KEPT]
    total = sum(KeptState.model_validate_json(entry.body).bytes for entry in kept)
    if total + size > MOST_BYTES:
        raise Denied(
            f"The turns of this ticket have kept {total:,} bytes of changes, and {size:,} more do not fit into "
            f"{MOST_BYTES:,}. Take large files out of the checkout, or have git ignore them: changes of up to "
            f"{ALWAYS_BYTES:,} bytes are always kept."
        )


def _key(state: str) -> str:
    return f"kept-{state}"
