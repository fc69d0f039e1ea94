"""The audit log: what was decided without a person."""

from abc import abstractmethod
from datetime import timedelta

from temporalio import activity
from temporalio.workflow import ActivityConfig

from workflows.domain.unattended import AuditEntry
from workflows.ports import PATIENT, Port


class Audit(Port):
    """Where decisions that nobody took are written down, and never taken out again."""

    options = ActivityConfig(start_to_close_timeout=timedelta(seconds=30), retry_policy=PATIENT)

    @activity.defn
    @abstractmethod
    async def append_audit(self, entry: AuditEntry) -> None:
        """Add the entry, once per key. When it returns, it is on disk."""
