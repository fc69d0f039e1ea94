"""What commands have done with this installation's sandboxes."""

import sys

from activities.journal.decisions import keep_decisions
from activities.sandbox.choice import chosen_sandbox
from activities.sandbox.local import LocalSandbox
from activities.sandbox.probe import probe, refused
from infra.journal import journal_of
from infra.settings import Settings
from workflows.ports.sandbox import OURS, Sandbox, SandboxError


async def check_sandbox(settings: Settings) -> int:
    """Try one, for `pawl doctor`: prints a Probe as one JSON line, and 0 when it holds."""
    try:
        found = await probe(await _chosen(settings))
    except SandboxError as error:
        found = refused(error)
    print(found.model_dump_json())
    return 0 if found.ok else 1


async def end_sandboxes(settings: Settings) -> int:
    """Destroy all of them with whatever runs in them, for a demo that stops: nobody will come back to them. Prints to
    stderr what cannot be destroyed; 0 when nothing is left."""
    try:
        sandbox = await _chosen(settings)
        found = await sandbox.list(OURS)
        if isinstance(sandbox, LocalSandbox):
            await sandbox.sweep()  # what a worker that was killed had half removed
    except SandboxError as error:
        print(error, file=sys.stderr)
        return 1
    failed = [info.ref.key for info in found if not await _destroyed(sandbox, info.ref.key)]
    return 1 if failed else 0


async def _destroyed(sandbox: Sandbox, key: str) -> bool:
    try:
        await sandbox.destroy(key)
    except Exception as error:  # a full disk, a locked journal: the others are still to be ended
        print(f"{key}: {error}", file=sys.stderr)
        return False
    return True


async def _chosen(settings: Settings) -> Sandbox:
    return await chosen_sandbox(settings, lambda told: keep_decisions(journal_of(settings), told))
