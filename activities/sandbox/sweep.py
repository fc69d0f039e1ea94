"""Orphans: sandboxes whose sessions are over, and that nobody destroyed because whoever should have is dead."""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta

from activities.sweeping import Swept
from workflows.ports.sandbox import Sandbox, SandboxError


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
    removed: list[str] = []
    failed: list[str] = []
    for key in orphans:
        try:
            await sandbox.destroy(key)
        except SandboxError as error:
            failed.append(f"{key}: {error}")
        else:
            removed.append(key)
    return Swept(removed=tuple(removed), failed=tuple(failed))
