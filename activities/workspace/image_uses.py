"""When prepared images were last used, and the end of those nobody uses any more.

The journal has, under a session of its own for each provider, an entry for every day on which an image was made or
used, and two for its end: retired, then removed. Entries are never changed. Who begins to use an image writes that and
then looks whether it is retired; who retires it writes that and then looks whether it is used: of two at once, one sees
the other and gives way.
"""

import hashlib
from datetime import UTC, datetime, timedelta

from activities.sweeping import Swept
from workflows.ports.journal import Entry, EntryKind, Journal
from workflows.ports.sandbox import Sandbox, SandboxError

KEPT = timedelta(days=30)
"""How long an image stays that nobody uses: longer than any sandbox that was made of it."""


class ImageUses:
    """Of the images of one provider, by its own references."""

    def __init__(self, sandbox: Sandbox, journal: Journal) -> None:
        self._sandbox, self._journal = sandbox, journal
        self._session = f"images:{sandbox.name}"

    async def begin(self, reference: str) -> bool:
        """Write down that the image is used today. False when it was retired: it may be gone at any moment."""
        await self._write(EntryKind.IMAGE_USED, reference, str(datetime.now(UTC).date()))
        return await self._journal.get(self._session, _key(reference, EntryKind.IMAGE_RETIRED)) is None

    async def sweep(self, now: datetime) -> Swept:
        """Remove the images that were not used for 30 days."""
        removed: list[str] = []
        failed: list[str] = []
        for reference in await self._unused(now):
            await self._write(EntryKind.IMAGE_RETIRED, reference)
            if reference not in await self._unused(now):  # somebody was faster
                continue
            try:
                await self._sandbox.forget(reference)
            except SandboxError as error:
                failed.append(f"{reference}: {error}")
            else:
                await self._write(EntryKind.IMAGE_REMOVED, reference)
                removed.append(reference)
        return Swept(removed=tuple(removed), failed=tuple(failed))

    async def _unused(self, now: datetime) -> list[str]:
        """What was last used long ago and is still there."""
        entries = await self._journal.entries(self._session)
        last = {entry.body: entry.at for entry in entries if entry.kind is EntryKind.IMAGE_USED}
        removed = {entry.body for entry in entries if entry.kind is EntryKind.IMAGE_REMOVED}
        return [name for name, at in last.items() if at and now - at > KEPT and name not in removed]

    async def _write(self, kind: EntryKind, reference: str, when: str = "") -> None:
        key = _key(reference, kind, when)
        await self._journal.put(Entry(session=self._session, seq=0, kind=kind, key=key, body=reference))


def _key(reference: str, kind: EntryKind, when: str = "") -> str:
    """Of any reference, however long."""
    return f"{hashlib.sha256(reference.encode()).hexdigest()[:32]}/{kind}{when and '/'}{when}"
