"""A double of Daytona: the calls Pawl's adapter makes, over real HTTP, each sandbox a box of this machine.

What it answers has every field that Daytona's own client (0.226) demands. Starting, removing and snapshotting take a
moment, as they do there, and a sandbox keeps its name until it is gone.
"""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any
from uuid import uuid4

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from tests.fakes.box import Box
from tests.fakes.service import Faults, serving

KEY = "dtn_key_of_the_test"
SNAPSHOT = "daytona-small"
_CREATE = {
    "name", "user", "labels", "public", "autoStopInterval", "autoPauseInterval", "autoDeleteInterval", "ttlMinutes",
    "networkBlockAll", "domainAllowList", "snapshot", "target",
}  # fmt: skip
_MOMENT = 0.05
_PAGE = 2


@dataclass
class Sandbox:
    id: str
    box: Box
    asked: dict[str, Any]
    """The body of the request that made it."""
    created: datetime
    state: str = "creating"
    going: bool = False
    """Its removal has been asked for: its state says so only later."""
    reason: str | None = None


class FakeDaytona:
    """`folder` holds the boxes. `broken`: why the next sandboxes do not start. `leaks`: the host that every sandbox
    reaches, whatever it was made with."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.sandboxes: dict[str, Sandbox] = {}
        self.snapshots: dict[str, tuple[Path, str]] = {}
        self.broken = ""
        self.leaks = ""
        self.most_output = 10_000_000
        self.url = ""
        self._under_way: set[asyncio.Task[None]] = set()
        inside = "/toolbox/{id}"
        self._app = Starlette(
            routes=[
                Route("/api/sandbox", self._create, methods=["POST"]),
                Route("/api/sandbox", self._list, methods=["GET"]),
                Route("/api/sandbox/{id}", self._info, methods=["GET"]),
                Route("/api/sandbox/{id}", self._delete, methods=["DELETE"]),
                Route("/api/sandbox/{id}/snapshot", self._snapshot, methods=["POST"]),
                Route("/api/snapshots/{name}", self._snapshot_info, methods=["GET"]),
                Route("/api/snapshots/{id}", self._forget, methods=["DELETE"]),
                Route(f"{inside}/process/execute", self._execute, methods=["POST"]),
                Route(f"{inside}/files/bulk-upload", self._upload, methods=["POST"]),
                Route(f"{inside}/files/download", self._download, methods=["GET"]),
                Route("/{any:path}", _unforeseen, methods=["GET", "POST", "PUT", "PATCH", "DELETE"]),
            ]
        )
        self.http = Faults(self._answer)

    async def stop(self, name: str) -> None:
        """What its idle time does to a sandbox that is removed once it has stopped."""
        sandbox = self._named(name)
        assert sandbox
        await self._gone(sandbox)

    async def close(self) -> None:
        for task in self._under_way:
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)
        for sandbox in self.sandboxes.values():
            await sandbox.box.destroy()

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        if request.headers.get("authorization") != f"Bearer {KEY}":
            await _error(401, "Unauthorized")(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _named(self, name: str) -> Sandbox | None:
        return next((box for box in self.sandboxes.values() if name in (box.id, box.asked["name"])), None)

    async def _create(self, request: Request) -> Response:
        body: dict[str, Any] = await request.json()
        if strange := set(body) - _CREATE:
            return _error(501, f"unforeseen: {strange}")
        if self._named(body["name"]):
            return _error(409, f"Sandbox with name {body['name']} already exists")
        source = body.get("snapshot", SNAPSHOT)
        if source != SNAPSHOT and source not in self.snapshots:
            return _error(400, f"Snapshot {source} not found")
        name = str(uuid4())
        sandbox = Sandbox(name, Box(self.folder / name), body, datetime.now(UTC))
        self.sandboxes[name] = sandbox
        self._later(self._begin(sandbox, self.snapshots[source][0] if source != SNAPSHOT else None))
        return JSONResponse(self._shown(sandbox))

    async def _begin(self, sandbox: Sandbox, image: Path | None) -> None:
        if self.broken:
            sandbox.state, sandbox.reason = "error", self.broken
            return
        await sandbox.box.start(image)
        sandbox.state = "started"

    async def _list(self, request: Request) -> Response:
        told = dict(request.query_params)
        if strange := set(told) - {"labels", "cursor"}:
            return _error(501, f"unforeseen: {strange}")
        wanted = json.loads(told["labels"])
        found = [self._shown(box) for box in self.sandboxes.values() if wanted.items() <= box.asked["labels"].items()]
        start = int(told.get("cursor", 0))
        more = str(start + _PAGE) if len(found) > start + _PAGE else None
        return JSONResponse({"items": found[start : start + _PAGE], "nextCursor": more})

    async def _info(self, request: Request) -> Response:
        sandbox = self._named(request.path_params["id"])
        return JSONResponse(self._shown(sandbox)) if sandbox else _error(404, "Sandbox not found")

    async def _delete(self, request: Request) -> Response:
        sandbox = self._named(request.path_params["id"])
        if sandbox is None:
            return _error(404, "Sandbox not found")
        if sandbox.going:
            return _error(409, "Sandbox is being destroyed")
        sandbox.going = True
        self._later(self._gone(sandbox))
        return JSONResponse(self._shown(sandbox))

    async def _gone(self, sandbox: Sandbox) -> None:
        sandbox.state = "destroying"
        await sandbox.box.destroy()
        self.sandboxes.pop(sandbox.id, None)

    async def _snapshot(self, request: Request) -> Response:
        sandbox = self._named(request.path_params["id"])
        body = await request.json()
        if sandbox is None or sandbox.state != "started":
            return _error(400, "Sandbox is not started")
        sandbox.state = "snapshotting"
        self.snapshots[body["name"]] = (self.folder / body["name"], "snapshotting")
        self._later(self._copied(sandbox, body["name"]))
        return JSONResponse(self._shown(sandbox))

    async def _copied(self, sandbox: Sandbox, name: str) -> None:
        await sandbox.box.snapshot(self.folder / name)
        self.snapshots[name] = (self.folder / name, "active")
        sandbox.state = "started"

    async def _snapshot_info(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name not in self.snapshots:
            return _error(404, "Snapshot not found")
        return JSONResponse({"id": f"id-of-{name}", "name": name, "state": self.snapshots[name][1]})

    async def _forget(self, request: Request) -> Response:
        if self.snapshots.pop(request.path_params["id"].removeprefix("id-of-"), None) is None:
            return _error(404, "Snapshot not found")
        return Response()

    async def _execute(self, request: Request) -> Response:
        sandbox, body = self._inside(request), await request.json()
        if sandbox is None:
            return _error(400, "bad request: no IP address found. Is the Sandbox started?")
        if strange := set(body) - {"command", "cwd", "timeout"}:
            return _error(501, f"unforeseen: {strange}")
        if self.leaks and self.leaks in body["command"]:
            body["command"] = body["command"].replace("python3", "true")
        try:  # the daemon gives both streams as one
            ended = await sandbox.box.exec(
                ("sh", "-c", f"{{ {body['command']}\n}} 2>&1"), cwd=body["cwd"], timeout_seconds=body["timeout"]
            )
        except TimeoutError:
            return _error(408, "command execution timeout")
        return JSONResponse({"exitCode": ended.code, "result": ended.out.decode()[: self.most_output]})

    async def _upload(self, request: Request) -> Response:
        sandbox = self._inside(request)
        if sandbox is None:
            return _error(400, "bad request: no IP address found. Is the Sandbox started?")
        head = f"Content-Type: {request.headers['content-type']}\r\n\r\n".encode()
        form = message_from_bytes(head + await request.body(), policy=policy.HTTP)
        parts = {part.get_param("name", header="content-disposition"): part for part in form.iter_parts()}
        path = parts["files[0].path"].get_content().strip()
        data = parts["files[0].file"].get_payload(decode=True)
        assert isinstance(data, bytes)
        await asyncio.to_thread(sandbox.box.host(path).write_bytes, data)
        return Response()

    async def _download(self, request: Request) -> Response:
        sandbox = self._inside(request)
        if sandbox is None:
            return _error(400, "bad request: no IP address found. Is the Sandbox started?")
        path = sandbox.box.host(request.query_params["path"])
        return FileResponse(path) if path.is_file() else _error(404, "file not found")

    def _inside(self, request: Request) -> Sandbox | None:
        sandbox = self.sandboxes.get(request.path_params["id"])
        return sandbox if sandbox and sandbox.state == "started" else None

    def _later(self, work: Any) -> None:
        async def after_a_moment() -> None:
            await asyncio.sleep(_MOMENT)
            await work

        task = asyncio.create_task(after_a_moment())
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    def _shown(self, sandbox: Sandbox) -> dict[str, Any]:
        return {
            **{"id": sandbox.id, "organizationId": "org", "name": sandbox.asked["name"], "user": "root", "env": {}},
            **{"labels": sandbox.asked["labels"], "public": False, "kvm": False, "target": "test"},
            **{"networkBlockAll": sandbox.asked["networkBlockAll"], "cpu": 1, "gpu": 0, "memory": 1, "disk": 3},
            "state": sandbox.state,
            "desiredState": "destroyed" if sandbox.going else "started",
            "errorReason": sandbox.reason,
            "createdAt": sandbox.created.isoformat(),
            "toolboxProxyUrl": f"{self.url}/toolbox",
        }


def _error(status: int, message: str) -> Response:
    return JSONResponse({"statusCode": status, "message": message}, status)


async def _unforeseen(request: Request) -> Response:
    return _error(501, f"unforeseen: {request.method} {request.url.path}")


@asynccontextmanager
async def running(folder: Path) -> AsyncGenerator[FakeDaytona]:
    """The service on a free loopback port; every box ends with it."""
    double = FakeDaytona(folder)
    async with serving(double.http) as url:
        double.url = url
        try:
            yield double
        finally:
            await double.close()
    assert not double.http.unforeseen
