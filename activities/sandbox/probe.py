"""Whether a sandbox can run here, for `pawl doctor` and a worker's start."""

import secrets

from activities.sandbox.refusals import BROKEN, Refused
from workflows.domain.model import Record
from workflows.ports.sandbox import BadSpec, Command, ExitReason, Sandbox, SandboxError, SandboxSpec


class Probe(Record):
    ok: bool
    tier: str
    """The protection in force, or that would be."""
    message: str
    fix: str = ""
    """What to do, exactly; empty when all is well."""


async def probe(sandbox: Sandbox) -> Probe:
    """Run a real sandbox of this provider, with its own settings, and say how it went."""
    tier = sandbox.capabilities.tier
    try:
        await _run_one(sandbox)
    except SandboxError as error:
        return refused(error, tier)
    return Probe(ok=True, tier=tier, message=f"A sandbox runs here: {tier}.")


def refused(error: SandboxError, tier: str = "") -> Probe:
    """Why there is no sandbox, or none that runs."""
    if isinstance(error, Refused):
        return Probe(ok=False, tier=tier, message=error.message, fix=error.fix)
    if isinstance(error, BadSpec):
        return Probe(ok=False, tier=tier, message=str(error), fix="Correct the setting that it names.")
    return Probe(ok=False, tier=tier, message=str(error), fix="Try again; if it stays, read the message above.")


async def _run_one(sandbox: Sandbox) -> None:
    spec = SandboxSpec(key=f"doctor-{secrets.token_hex(8)}", lifetime_seconds=300, idle_seconds=60)
    ref = await sandbox.ensure(spec)
    try:
        await sandbox.start(ref, "proof", Command(argv=("true",)))
        view = await sandbox.poll(ref, "proof", wait_seconds=60)
    finally:
        await sandbox.destroy(ref.key)
    if view.reason is not ExitReason.EXITED or view.code != 0:
        raise Refused(f"The sandbox ran `true` and it ended with {view.reason} {view.code}.", BROKEN)
