"""The services of one project at Northflank, as Pawl looks at them. Raises what Northflank's client raises."""

import asyncio

from northflank import ApiCallError, AsyncApiClient

from activities.sandbox.northflank_terms import ABOUT, About, Container, Plan, Policy, Service
from activities.sandbox.patience import pauses
from workflows.ports.sandbox import PolicyUnsupported, Transient


class Services:
    def __init__(self, client: AsyncApiClient, project: str) -> None:
        self._client = client
        self._name = project

    async def about(self, service: str) -> About | None:
        """What we wrote on a service; None where there is none, or none of ours."""
        try:
            found = await self._client.get.service(project_id=self._name, service_id=service)
        except ApiCallError as error:
            if error.status == 404:
                return None
            raise
        written = Service.model_validate(found.data).deployment.metadata.annotations.get(ABOUT)
        return About.model_validate_json(written) if written else None

    async def require_closed(self, policy: str) -> None:
        try:
            found = await self._client.get.network_policy(network_policy_id=policy)
        except ApiCallError as error:
            if error.status != 404:
                raise
            raise PolicyUnsupported(f"There is no network policy {policy} at Northflank.") from error
        if not Policy.model_validate(found.data).closes(self._name):
            raise PolicyUnsupported(
                f"The network policy {policy} does not deny all egress of everything in {self._name}. "
                "Let it: deny all egress, restrict it to that project, and to no tags."
            )

    async def plan(self, memory_mb: int) -> str:
        """The cheapest plan that holds the memory."""
        found = await self._client.list.plans()
        plans = [Plan.model_validate(plan) for plan in found.data["plans"]]
        enough = [plan for plan in plans if plan.memory_mb >= memory_mb]
        if not enough:
            raise PolicyUnsupported(f"No plan of Northflank's has {memory_mb} MB of memory.")
        return min(enough, key=lambda plan: (plan.price, plan.id)).id

    async def pod(self, service: str) -> str:
        """Empty when none runs, or there is no such service."""
        try:
            found = await self._client.get.service.containers(project_id=self._name, service_id=service)
        except ApiCallError as error:
            if error.status == 404:
                return ""
            raise
        containers = [Container.model_validate(one) for one in found.data.get("containers", [])]
        return next((one.name for one in containers if one.status == "TASK_RUNNING"), "")

    async def delete(self, service: str) -> None:
        looks = pauses()
        while await self.about(service):
            try:
                await self._client.delete.service(project_id=self._name, service_id=service)
            except ApiCallError as error:
                if error.status not in (404, 409):  # gone, or going
                    raise
            await asyncio.sleep(next(looks))

    async def failed(self, service: str) -> bool:
        try:
            found = await self._client.get.service(project_id=self._name, service_id=service)
        except ApiCallError as error:
            if error.status != 404:
                raise
            raise Transient(f"The Northflank service {service} was removed while it started.") from error
        return Service.model_validate(found.data).failed
