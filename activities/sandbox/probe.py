"""Whether a sandbox can run on this machine, for `pawl doctor` and a worker's start."""

from activities.sandbox.bubblewrap import BubblewrapSandbox
from activities.sandbox.refusals import Refused
from workflows.domain.model import Record
from workflows.ports.sandbox import SandboxError


class Probe(Record):
    ok: bool
    tier: str
    """The protection in force, or that would be."""
    message: str
    fix: str = ""
    """What to do, exactly; empty when all is well."""


async def probe(sandbox: BubblewrapSandbox) -> Probe:
    """Run a real sandbox, with this provider's own settings, and say how it went."""
    tier = sandbox.capabilities.tier
    try:
        await sandbox.prove()
    except Refused as refused:
        return Probe(ok=False, tier=tier, message=refused.message, fix=refused.fix)
    except SandboxError as error:
        return Probe(ok=False, tier=tier, message=str(error), fix="Try again; if it stays, read the message above.")
    return Probe(ok=True, tier=tier, message=f"A sandbox runs here: {tier}.")
