"""A double of Northflank: the calls Pawl makes, over real HTTP and websockets, each service a box of this machine.

What it answers follows the types and texts of Northflank's own client; what Northflank does not write down (the status
of a refusal, say) is the double's guess, and the adapter must not depend on it.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal
from uuid import uuid4

from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, WebSocketRoute
from starlette.websockets import WebSocket

from activities.sandbox import folders
from activities.sandbox.northflank_vendor import NorthflankVendor
from tests.fakes import northflank_exec
from tests.fakes.box import Box
from tests.fakes.service import Faults, Handlers, Refused, body_of, no_kept_connections, serving

TOKEN = "nf-token-of-the-test"
PROJECT = "sandboxes"
POLICY = "closed"
IMAGE = "python:3.13"
PAGE = 5
_SERVICES = f"/v1/projects/{PROJECT}/services"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Image(_Strict):
    imagePath: str


class Docker(_Strict):
    configType: Literal["customEntrypointCustomCommand"]
    customEntrypoint: Literal["sleep"]
    customCommand: Literal["infinity"]


class Metadata(_Strict):
    annotations: dict[str, str]


class Restore(_Strict):
    restoreFrom: str


class Deployment(_Strict):
    instances: Literal[1]
    external: Image
    docker: Docker
    storage: dict[str, dict[str, int]]
    metadata: Metadata
    containerSnapshot: Restore | None = None


class Create(_Strict):
    name: str = Field(pattern=r"^[a-zA-Z]((-|\s)?[a-zA-Z0-9]+((-|\s)[a-zA-Z0-9]+)*)?$", min_length=3, max_length=54)
    billing: dict[str, str]
    deployment: Deployment
    tags: list[str]


class Service:
    def __init__(self, asked: Create, folder: Path) -> None:
        self.asked = asked
        self.pod = f"{asked.name}-{uuid4().hex[:10]}"
        self.status = "IN_PROGRESS"
        self.box = Box(folder / self.pod)
        self.changing = asyncio.Lock()


class FakeNorthflank:
    """`missing`: images no registry has. `leaky`: the cluster enforces no policy, so the probe reaches the world."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.url = ""
        self._handlers = Handlers(TOKEN, lambda status, message: {"error": {"status": status, "message": message}})
        self.http = Faults(self._handlers.app(self._routes()))
        self.services: dict[str, Service] = {}
        self.snapshots: dict[str, str] = {}
        self.plans = [("nf-compute-400", 4, 8_192, 0.2), ("nf-compute-50", 0.5, 1_024, 0.02), ("nf-200", 2, 4_096, 0.1)]
        self.policy: dict[str, Any] = {
            "egress": {"denyAll": True, "allowTo": []},
            "restrictions": {
                "projects": {"enabled": True, "items": [PROJECT], "restrictionMode": "in"},
                "tags": {"enabled": False, "items": [], "matchCondition": "or"},
            },
        }
        self.missing: set[str] = set()
        self.leaky = False
        self._under_way: set[asyncio.Task[None]] = set()

    def _routes(self) -> list[BaseRoute]:
        route = self._handlers.route
        return [
            route("GET", "/v1/plans", self._plans),
            route("GET", "/v1/network-policies/{id}", self._policy),
            route("GET", _SERVICES, self._list),
            route("POST", _SERVICES + "/deployment", self._create),
            route("GET", _SERVICES + "/{id}", self._get),
            route("DELETE", _SERVICES + "/{id}", self._delete),
            route("GET", _SERVICES + "/{id}/containers", self._containers),
            route("POST", _SERVICES + "/{id}/snapshots", self._snapshot),
            route("GET", "/v1/container-snapshots/{id}", self._snapshot_state),
            route("DELETE", "/v1/container-snapshots/{id}", self._forget),
            WebSocketRoute(f"/v1/command-exec/projects/{PROJECT}/services/{{id}}", self._exec),
        ]

    async def stop(self) -> None:
        await asyncio.gather(*self._under_way, return_exceptions=True)
        for service in [*self.services.values()]:
            await service.box.destroy()

    async def _plans(self, _: Request) -> Response:
        names = ("id", "cpuResource", "ramResource", "amountPerHour")
        return _data({"plans": [dict(zip(names, plan, strict=True)) for plan in self.plans]})

    async def _policy(self, request: Request) -> Response:
        if request.path_params["id"] != POLICY:
            raise Refused(404, "no such network policy")
        return _data({"id": POLICY, "name": POLICY, "spec": self.policy})

    async def _list(self, request: Request) -> Response:
        after = int(request.query_params.get("cursor", "0"))
        names = [*self.services][after : after + PAGE]
        following = after + len(names)
        page = {"hasNextPage": following < len(self.services), "cursor": str(following), "count": len(names)}
        if not page["hasNextPage"]:
            del page["cursor"]
        return _data({"services": [{"id": name, "name": name} for name in names]}, page)

    async def _create(self, request: Request) -> Response:
        asked = Create.model_validate(await body_of(request))
        if asked.name in self.services:
            raise Refused(409, "a service of this name exists")
        assert asked.billing["deploymentPlan"] in [plan[0] for plan in self.plans]
        image = None
        if asked.deployment.containerSnapshot:
            snapshot = asked.deployment.containerSnapshot.restoreFrom
            if self.snapshots.get(snapshot) != "succeeded":
                raise Refused(400, "no such snapshot")
            image = self.folder / snapshot
        self.services[asked.name] = service = Service(asked, self.folder)
        self._begin(self._start(service, image))
        return _data(self._view(service))

    async def _start(self, service: Service, image: Path | None) -> None:
        async with service.changing:
            if service.asked.deployment.external.imagePath in self.missing:
                service.status = "FAILED"
                return
            await service.box.start(image)
            service.status = "COMPLETED"

    async def _get(self, request: Request) -> Response:
        return _data(self._view(self._service(request)))

    def _view(self, service: Service) -> dict[str, Any]:
        asked = service.asked.model_dump()
        return {
            **asked,
            "id": asked["name"],
            "status": {"deployment": {"status": service.status, "reason": "DEPLOYING"}},
        }

    async def _delete(self, request: Request) -> Response:
        service = self._service(request)
        async with service.changing:
            await service.box.destroy()
            self.services.pop(service.asked.name, None)
        return _data({})

    async def _containers(self, request: Request) -> Response:
        service = self._service(request)
        state = "TASK_RUNNING" if service.box.running else "TASK_STARTING"
        return _data({"containers": [{"name": service.pod, "status": state, "createdAt": 1, "updatedAt": 1}]})

    async def _snapshot(self, request: Request) -> Response:
        service = self._service(request)
        if (await body_of(request))["podName"] != service.pod:
            raise Refused(404, "no such pod")
        snapshot = str(uuid4())
        self.snapshots[snapshot] = "running"

        async def keep() -> None:
            await service.box.snapshot(self.folder / snapshot)
            self.snapshots[snapshot] = "succeeded"

        self._begin(keep())
        return _data({"id": snapshot, "state": "scheduled"})

    async def _snapshot_state(self, request: Request) -> Response:
        snapshot = self._kept(request)
        return _data({"id": snapshot, "state": self.snapshots[snapshot]})

    async def _forget(self, request: Request) -> Response:
        snapshot = self._kept(request)
        used = [one.asked.deployment.containerSnapshot for one in self.services.values()]
        if self.snapshots[snapshot] == "running" or Restore(restoreFrom=snapshot) in used:
            raise Refused(409, "the snapshot is in use")
        del self.snapshots[snapshot]
        await asyncio.to_thread(folders.remove, self.folder / snapshot)
        return _data({})

    def _kept(self, request: Request) -> str:
        snapshot = str(request.path_params["id"])
        if snapshot not in self.snapshots:
            raise Refused(404, "no such snapshot")
        return snapshot

    async def _exec(self, socket: WebSocket) -> None:
        fault = self.http.due(f"WEBSOCKET {socket.url.path}")
        if fault and fault.status:
            await socket.send_denial_response(Response(status_code=fault.status))
            return
        try:
            init = await northflank_exec.opened(socket)
        except (ValueError, AssertionError) as error:
            self.http.unforeseen.append(repr(error))
            raise
        if init.auth.apiToken != TOKEN:
            await northflank_exec.say(socket, "init", {"auth": "failed", "message": "no such token"})
            return
        service = self.services.get(socket.path_params["id"])
        if service is None or service.pod != init.context.instanceName or not service.box.running:
            await northflank_exec.say(socket, "error", {"message": "no such instance"})
            return
        await northflank_exec.say(socket, "init", {"auth": "successful", "context": {"instanceName": service.pod}})
        if fault:
            return
        if self.leaky and "169.254.169.254" in init.context.command[-1]:
            init.context.command[:] = ["echo", "open 1.1.1.1 443"]
        await northflank_exec.run(socket, service.box, init.context)

    def _service(self, request: Request) -> Service:
        service = self.services.get(request.path_params["id"])
        if service is None:
            raise Refused(404, "no such service")
        return service

    def _begin(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)


@asynccontextmanager
async def running(folder: Path) -> AsyncGenerator[FakeNorthflank]:
    """The service until the end of the test, which fails if it was asked for what it is not."""
    folder.mkdir(parents=True, exist_ok=True)
    fake = FakeNorthflank(folder)
    async with serving(fake.http) as fake.url:
        try:
            yield fake
        finally:
            await fake.stop()
            folders.remove(folder)
    assert not fake.http.unforeseen


@asynccontextmanager
async def serving_below(root: Path) -> AsyncGenerator[None]:
    """The service, and below the folder the way to it for every process."""
    async with running(root) as fake:
        (root / "url").write_text(fake.url)
        yield


def vendor(root: Path) -> NorthflankVendor:
    """What a worker uses of the service below the folder."""
    url = (root / "url").read_text()
    return NorthflankVendor(
        TOKEN, "test", project=PROJECT, policy=POLICY, image=IMAGE, base_url=url, http=no_kept_connections()
    )


def _data(data: dict[str, Any], pagination: dict[str, Any] | None = None) -> Response:
    return JSONResponse({"data": data, "pagination": pagination})
