"""Orphans: sandboxes whose sessions are over, and that nobody destroyed because whoever should have is dead."""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta

from workflows.domain.model import Record
from workflows.ports.sandbox import Sandbox, SandboxError


class Swept(Record):
    destroyed: tuple[str, ...] = ()
    """Keys."""
    failed: tuple[str, ...] = ()
    """What could not be destroyed, with the cause, for people. The next sweep tries again."""


async def sweep(
    sandbox: Sandbox, labels: Mapping[str, str], alive: Collection[str], lease: timedelta, now: datetime
) -> Swept:
    """Destroy the sandboxes with all these labels, older than `lease`, whose key is not `alive`.

    `lease` has to be longer than it takes from listing what is alive to this call, so that what came to life meanwhile
    is spared. Raises ValueError without labels: a sweep names what it may take. Raises what the provider's `list` does.
    """
    if not labels:
        raise ValueError("A sweep without labels would take every sandbox there is: name whose it may take.")
    found = await sandbox.list(labels)
    orphans = [info.ref.key for info in found if info.ref.key not in alive and now - info.created > lease]
    destroyed: list[str] = []
    failed: list[str] = []
    for key in orphans:
        try:
            await sandbox.destroy(key)
        except SandboxError as error:
            failed.append(f"{key}: {error}")
        else:
            destroyed.append(key)
    return Swept(destroyed=tuple(destroyed), failed=tuple(failed))
