"""A double of E2B: the calls Pawl's adapter makes, over real HTTP, each sandbox a box of this machine.

The control plane follows the SDK's own models; commands go through the server half of the SDK's generated protocol.
What an idempotency key does follows E2B's published server: the first answer is repeated, a key whose request is still
worked on is a conflict, and so is one that comes with another request.
"""

import asyncio
import json
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote
from uuid import uuid4

from connectrpc.code import Code
from connectrpc.errors import ConnectError
from connectrpc.request import RequestContext
from e2b.envd.process.process_connect import Process, ProcessASGIApplication
from e2b.envd.process.process_pb import ProcessEvent, StartRequest, StartResponse
from protobuf import Oneof
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from tests.fakes.box import Box
from tests.fakes.service import Faults, serving

KEY = "e2b_key_of_the_test"
TEMPLATE = "base"
_CREATE = {
    "templateID", "metadata", "timeout", "envVars", "allow_internet_access", "network", "autoPause", "autoPauseMemory"
}  # fmt: skip
_LONGEST = 86_400
_PAGE = 3


@dataclass
class Sandbox:
    id: str
    box: Box
    asked: dict[str, Any]
    """The body of the request that made it."""
    started: float
    ends: float
    token: str = field(default_factory=lambda: uuid4().hex)


class FakeE2B(Process):
    """`folder` holds the boxes. `pending`: seconds during which a creation is being worked on."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.sandboxes: dict[str, Sandbox] = {}
        self.snapshots: dict[str, Path] = {}
        self.pending = 0.0
        self.url = ""
        self._answers: dict[str, tuple[str, dict[str, Any] | None]] = {}
        self._rpc = ProcessASGIApplication(self)
        self._plain = Starlette(
            routes=[
                Route("/v2/sandboxes", self._create, methods=["POST"]),
                Route("/v2/sandboxes", self._list, methods=["GET"]),
                Route("/v2/sandboxes/{id}/connect", self._connect, methods=["POST"]),
                Route("/sandboxes/{id}", self._info, methods=["GET"]),
                Route("/sandboxes/{id}", self._kill, methods=["DELETE"]),
                Route("/sandboxes/{id}/timeout", self._set_timeout, methods=["POST"]),
                Route("/sandboxes/{id}/snapshots", self._snapshot, methods=["POST"]),
                Route("/templates/{id}", self._forget, methods=["DELETE"]),
                Route("/files", self._upload, methods=["POST"]),
                Route("/files", self._download, methods=["GET"]),
                Route("/health", self._health, methods=["GET"]),
                Route("/{any:path}", _unforeseen, methods=["GET", "POST", "PUT", "PATCH", "DELETE"]),
            ]
        )
        self.http = Faults(self._answer)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        inside = scope["path"].startswith(("/process.Process/", "/files", "/health"))
        refusal = self._no_entry(headers) if inside else None
        if not inside and headers.get("x-api-key") != KEY:
            refusal = _error(401, "no such key")
        if refusal:
            await refusal(scope, receive, send)
        elif scope["path"] == "/process.Process/Start":
            await self._rpc(scope, receive, send)
        else:
            await self._plain(scope, receive, send)

    def _no_entry(self, headers: Headers) -> Response | None:
        """What the proxy in front of the sandboxes says."""
        sandbox = self._alive(headers.get("e2b-sandbox-id", ""))
        if sandbox is None:
            return _error(502, "The sandbox was not found")
        return None if headers.get("x-access-token") == sandbox.token else _error(401, "no such token")

    def _alive(self, name: str) -> Sandbox | None:
        sandbox = self.sandboxes.get(name)
        return sandbox if sandbox and time.time() < sandbox.ends else None

    async def _create(self, request: Request) -> Response:
        body: dict[str, Any] = await request.json()
        key = request.headers["idempotency-key"]
        if strange := set(body) - _CREATE:
            return _error(501, f"unforeseen: {strange}")
        text = json.dumps(body, sort_keys=True)
        before, answer = self._answers.get(key, (text, {}))
        if before != text:
            return _error(409, "used with a different request")
        if answer is None:
            return _error(409, "no response yet")
        if not answer:
            self._answers[key] = (text, None)
            await asyncio.sleep(self.pending)
            answer = await self._made(body)
            self._answers[key] = (text, answer)
        return JSONResponse(answer["body"], answer["status"])

    async def _made(self, body: dict[str, Any]) -> dict[str, Any]:
        if body["timeout"] > _LONGEST:
            return {"status": 400, "body": {"code": 400, "message": "Timeout cannot be greater than 24 hours"}}
        image = self.snapshots.get(body["templateID"])
        if image is None and body["templateID"] != TEMPLATE:
            return {"status": 404, "body": {"code": 404, "message": f"template '{body['templateID']}' not found"}}
        name = f"i{uuid4().hex[:19]}"
        box = Box(self.folder / name)
        await box.start(image)
        now = time.time()
        sandbox = Sandbox(name, box, body, now, now + body["timeout"])
        self.sandboxes[name] = sandbox
        return {"status": 201, "body": _spoken(sandbox)}

    async def _list(self, request: Request) -> Response:
        told = dict(request.query_params)
        strange = set(told) - {"metadata", "state", "nextToken"}
        if strange or told.get("state") != "running":
            return _error(501, f"unforeseen: {told}")
        wanted = {unquote(name): unquote(value) for name, value in parse_qsl(told.get("metadata", ""))}
        found = [
            _shown(sandbox)
            for sandbox in self.sandboxes.values()
            if self._alive(sandbox.id) and wanted.items() <= sandbox.asked["metadata"].items()
        ]
        start = int(told.get("nextToken", 0))
        more = {"x-next-token": str(start + _PAGE)} if len(found) > start + _PAGE else {}
        return JSONResponse(found[start : start + _PAGE], headers=more)

    async def _info(self, request: Request) -> Response:
        sandbox = self._alive(request.path_params["id"])
        return JSONResponse(_shown(sandbox)) if sandbox else _error(404, "sandbox not found")

    async def _connect(self, request: Request) -> Response:
        sandbox = self._alive(request.path_params["id"])
        if sandbox is None:
            return _error(404, "sandbox not found")
        sandbox.ends = max(sandbox.ends, time.time() + (await request.json())["timeout"])
        return JSONResponse(_spoken(sandbox))

    async def _set_timeout(self, request: Request) -> Response:
        sandbox = self._alive(request.path_params["id"])
        if sandbox is None:
            return _error(404, "sandbox not found")
        sandbox.ends = time.time() + (await request.json())["timeout"]
        return Response(status_code=204)

    async def _kill(self, request: Request) -> Response:
        sandbox = self.sandboxes.pop(request.path_params["id"], None)
        if sandbox is None:
            return _error(404, "sandbox not found")
        await sandbox.box.destroy()
        return Response(status_code=204)

    async def _snapshot(self, request: Request) -> Response:
        sandbox = self._alive(request.path_params["id"])
        if sandbox is None:
            return _error(404, "sandbox not found")
        if await request.json() != {"memory": False}:
            return _error(501, "unforeseen: a snapshot with memory starts what ran in it again")
        name = f"s{uuid4().hex[:19]}"
        self.snapshots[f"{name}:default"] = self.folder / name
        await sandbox.box.snapshot(self.folder / name)
        return JSONResponse({"snapshotID": f"{name}:default", "names": []}, 201)

    async def _forget(self, request: Request) -> Response:
        """Snapshots are templates to it, by the same name."""
        if self.snapshots.pop(request.path_params["id"], None) is None:
            return _error(404, "template not found")
        return Response(status_code=204)

    async def start(
        self, request: StartRequest, ctx: RequestContext[StartRequest, StartResponse], /
    ) -> AsyncIterator[StartResponse]:
        """envd's command: a login shell, as the user the call's basic authorization names."""
        sandbox = self._alive(ctx.request_headers["e2b-sandbox-id"])
        process = request.process
        if sandbox is None or process is None or ctx.request_headers.get("authorization") != "Basic cm9vdDo=":
            raise ConnectError(Code.UNIMPLEMENTED, "commands of others than root are not foreseen")
        yield _event("start", ProcessEvent.StartEvent(pid=1))
        seconds = ctx.timeout_ms / 1000 if ctx.timeout_ms else None
        try:
            ended = await sandbox.box.exec(
                (process.cmd, *process.args), dict(process.envs), process.cwd or "/", timeout_seconds=seconds or 600
            )
        except TimeoutError as error:
            raise ConnectError(Code.DEADLINE_EXCEEDED, "deadline exceeded") from error
        for kind, data in (("stdout", ended.out), ("stderr", ended.err)):
            for at in range(0, len(data), 65_536):
                part = ProcessEvent.DataEvent(output=Oneof(kind, data[at : at + 65_536]))  # pyright: ignore[reportArgumentType]
                yield _event("data", part)
        yield _event("end", ProcessEvent.EndEvent(exit_code=ended.code, exited=True, status=f"exit {ended.code}"))

    async def _upload(self, request: Request) -> Response:
        path = self._host(request)
        assert request.headers["content-type"] == "application/octet-stream"
        await asyncio.to_thread(path.write_bytes, await request.body())
        return JSONResponse([{"name": path.name, "type": "file", "path": request.query_params["path"]}])

    async def _download(self, request: Request) -> Response:
        path = self._host(request)
        return FileResponse(path) if path.is_file() else _error(404, "file not found")

    def _host(self, request: Request) -> Path:
        assert request.query_params["username"] == "root"
        return self.sandboxes[request.headers["e2b-sandbox-id"]].box.host(request.query_params["path"])

    async def _health(self, request: Request) -> Response:
        return Response(status_code=204)


def _spoken(sandbox: Sandbox) -> dict[str, Any]:
    """What creating and connecting answer."""
    return {
        "templateID": sandbox.asked["templateID"],
        "sandboxID": sandbox.id,
        "clientID": "test",
        "envdVersion": "0.6.7",
        "envdAccessToken": sandbox.token,
    }


def _shown(sandbox: Sandbox) -> dict[str, Any]:
    return {
        **_spoken(sandbox),
        "startedAt": datetime.fromtimestamp(sandbox.started, UTC).isoformat(),
        "endAt": datetime.fromtimestamp(sandbox.ends, UTC).isoformat(),
        "cpuCount": 2,
        "memoryMB": 512,
        "diskSizeMB": 1024,
        "state": "running",
        "metadata": sandbox.asked["metadata"],
    }


def _event(kind: str, value: Any) -> StartResponse:
    return StartResponse(event=ProcessEvent(event=Oneof(kind, value)))  # pyright: ignore[reportArgumentType]


def _error(status: int, message: str) -> Response:
    return JSONResponse({"code": status, "message": message}, status)


async def _unforeseen(request: Request) -> Response:
    return _error(501, f"unforeseen: {request.method} {request.url.path}")


@asynccontextmanager
async def running(folder: Path) -> AsyncGenerator[FakeE2B]:
    """The service on a free loopback port; every box ends with it."""
    double = FakeE2B(folder)
    async with serving(double.http) as url:
        double.url = url
        try:
            yield double
        finally:
            for sandbox in double.sandboxes.values():
                await sandbox.box.destroy()
    assert not double.http.unforeseen
