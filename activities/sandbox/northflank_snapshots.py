"""Container snapshots at Northflank. Raises what Northflank's client raises."""

import asyncio

from northflank import ApiCallError, AsyncApiClient

from activities.sandbox.patience import pauses
from workflows.ports.sandbox import Transient


class Snapshots:
    def __init__(self, client: AsyncApiClient, project: str) -> None:
        self._client = client
        self._project = project

    async def make(self, service: str, pod: str) -> str:
        """The id of the snapshot of a service's container, once it is complete."""
        made = await self._client.create.container_snapshot(
            project_id=self._project, service_id=service, data={"podName": pod}
        )
        snapshot, looks = made.data["id"], pauses()
        state = await self._state(snapshot)
        while state not in ("succeeded", "failed", "cancelled"):
            await asyncio.sleep(next(looks))
            state = await self._state(snapshot)
        if state != "succeeded":
            raise Transient(f"Northflank made no snapshot of {service}: it {state}.")
        return snapshot

    async def has(self, snapshot: str) -> bool:
        try:
            await self._state(snapshot)
        except ApiCallError as error:
            if error.status == 404:
                return False
            raise
        return True

    async def delete(self, snapshot: str) -> None:
        """What does not exist is fine."""
        try:
            await self._client.delete.container_snapshot(snapshot_id=snapshot)
        except ApiCallError:
            if await self.has(snapshot):
                raise

    async def _state(self, snapshot: str) -> str:
        return str((await self._client.get.container_snapshot(snapshot_id=snapshot)).data["state"])
