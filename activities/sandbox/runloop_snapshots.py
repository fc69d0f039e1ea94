"""Disk snapshots at Runloop. Raises what Runloop's client raises, and the port's errors for what that does not know."""

import asyncio

from runloop_api_client import APIStatusError
from runloop_api_client.resources.devboxes import AsyncDevboxesResource

from activities.sandbox.patience import pauses
from activities.sandbox.runloop_terms import REFUSED
from workflows.ports.sandbox import BadSpec, Transient

PREFIX = "snp_"


class Snapshots:
    def __init__(self, devboxes: AsyncDevboxesResource) -> None:
        self._devboxes = devboxes

    async def make(self, instance: str, metadata: dict[str, str]) -> str:
        """The snapshot's id, once it is complete."""
        made = await self._devboxes.snapshot_disk_async(instance, metadata=metadata)
        seen, looks = await self._devboxes.disk_snapshots.query_status(made.id), pauses()
        while seen.status == "in_progress":
            await asyncio.sleep(next(looks))
            seen = await self._devboxes.disk_snapshots.query_status(made.id)
        if seen.status != "complete":
            raise Transient(f"Runloop made no snapshot of {instance}: {seen.error_message or seen.status}")
        return made.id

    async def has(self, snapshot: str) -> bool:
        try:
            return (await self._devboxes.disk_snapshots.query_status(snapshot)).status != "deleted"
        except APIStatusError as error:
            if error.status_code in REFUSED:
                return False
            raise

    async def delete(self, snapshot: str) -> None:
        """What does not exist is fine. Raises BadSpec for what is no snapshot."""
        if not snapshot.startswith(PREFIX):
            raise BadSpec(f"{snapshot!r} is no snapshot of Runloop's.")
        try:
            await self._devboxes.disk_snapshots.delete(snapshot)
        except APIStatusError:
            if await self.has(snapshot):
                raise
