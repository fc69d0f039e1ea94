"""A double of Runloop: the calls Pawl makes, over real HTTP, each devbox a box of this machine.

What it answers follows the types and texts of Runloop's own client; what Runloop does not write down (the status of a
refusal, say) is the double's guess, and the adapter must not depend on it.
"""

import asyncio
import json
import shutil
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute

from activities.sandbox.runloop_vendor import RunloopVendor
from tests.fakes.devboxes import Create, Devbox, Execute, Execution, Policy, Wait
from tests.fakes.service import Faults, Handlers, Refused, body_of, no_kept_connections, serving

KEY = "rl-key-of-the-test"
INLINE = 65_536
"""Bytes of a command's output that come with its answer; all of it only comes as a stream."""
PAGE = 20
_BOX = "/v1/devboxes/{id}"


class FakeRunloop:
    """`queued`: how many of the next devboxes find no place. `forgets_policy`: devboxes come without their network
    policy. `names_are_unique`: a second policy of a name is refused, as an older Runloop did."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.url = ""
        self._handlers = Handlers(KEY, lambda _, message: {"message": message})
        self.http = Faults(self._handlers.app(self._routes()))
        self.boxes: dict[str, Devbox] = {}
        self.policies: dict[str, dict[str, Any]] = {}
        self.snapshots: dict[str, dict[str, Any]] = {}
        self.blueprints: set[str] = {"base"}
        self.queued = 0
        self.forgets_policy = False
        self.names_are_unique = False
        self._under_way: set[asyncio.Task[None]] = set()

    def _routes(self) -> list[BaseRoute]:
        route = self._handlers.route
        return [
            route("GET", "/v1/network-policies", self._policies),
            route("POST", "/v1/network-policies", self._make_policy),
            route("GET", "/v1/devboxes", self._list),
            route("POST", "/v1/devboxes", self._create),
            route("GET", "/v1/devboxes/disk_snapshots/{id}/status", self._snapshot_status),
            route("POST", "/v1/devboxes/disk_snapshots/{id}/delete", self._forget),
            route("GET", _BOX, self._retrieve),
            route("POST", _BOX + "/shutdown", self._shutdown),
            route("POST", _BOX + "/execute", self._execute),
            route("POST", _BOX + "/executions/{execution}/wait_for_status", self._wait),
            route("GET", _BOX + "/executions/{execution}/stream_stdout_updates", self._stream),
            route("POST", _BOX + "/upload_file", self._upload),
            route("POST", _BOX + "/download_file", self._download),
            route("POST", _BOX + "/snapshot_disk_async", self._snapshot),
        ]

    async def stop(self) -> None:
        for box in self.boxes.values():
            if box.status != "shutdown":
                await box.shut_down()
        await asyncio.gather(*self._under_way, return_exceptions=True)

    async def _policies(self, request: Request) -> Response:
        part = request.query_params.get("name", "")
        return _page(request, "network_policies", [one for one in self.policies.values() if part in one["name"]])

    async def _make_policy(self, request: Request) -> Response:
        asked = Policy.model_validate(await body_of(request))
        if self.names_are_unique and any(one["name"] == asked.name for one in self.policies.values()):
            raise Refused(400, "Name already exists")
        now = int(time.time() * 1000)
        policy: dict[str, Any] = {
            "id": f"npl_{uuid4().hex}",
            "name": asked.name,
            "create_time_ms": now,
            "update_time_ms": now,
            "egress": asked.model_dump(exclude={"name"}),
        }
        self.policies[policy["id"]] = policy
        return JSONResponse(policy)

    async def _list(self, request: Request) -> Response:
        await self._reap()
        status = request.query_params.get("status")
        views = [box.view() for box in self.boxes.values() if status in (None, box.status)]
        return _page(request, "devboxes", views)

    async def _create(self, request: Request) -> Response:
        asked = Create.model_validate(await body_of(request))
        if asked.launch_parameters.network_policy_id not in self.policies:
            raise Refused(400, "no such network policy")
        if asked.blueprint_name is not None and asked.blueprint_name not in self.blueprints:
            raise Refused(404, "no such blueprint")
        image = None
        if asked.snapshot_id is not None:
            if asked.snapshot_id not in self.snapshots:
                raise Refused(404, "no such snapshot")
            image = self._kept(asked.snapshot_id)
        box = Devbox(asked, self.folder, "queued" if self.queued else "provisioning")
        self.boxes[box.id] = box
        if self.queued:
            self.queued -= 1
        else:
            self._begin(box.boot(image))
        view = box.view()
        if self.forgets_policy:
            del view["launch_parameters"]["network_policy_id"]
        return JSONResponse(view)

    async def _retrieve(self, request: Request) -> Response:
        await self._reap()
        return JSONResponse(self._box(request).view())

    async def _shutdown(self, request: Request) -> Response:
        box = self._box(request)
        if box.status == "shutdown":
            raise Refused(400, "already shut down")
        if request.query_params.get("force") != "true" and any(
            one["devbox"] == box.id and one["status"] == "in_progress" for one in self.snapshots.values()
        ):
            raise Refused(409, "snapshots are in progress")
        await box.shut_down()
        return JSONResponse(box.view())

    async def _execute(self, request: Request) -> Response:
        told = Execute.model_validate(await body_of(request))
        box = await self._running(request)
        execution = box.execute(told.command)
        await execution.ended(told.optimistic_timeout)
        return self._seen(request, box, execution)

    async def _wait(self, request: Request) -> Response:
        told = Wait.model_validate(await body_of(request))
        box = await self._running(request)
        execution = box.executions[request.path_params["execution"]]
        if await execution.ended(told.timeout_seconds) is None:
            raise Refused(408, "not yet")
        return self._seen(request, box, execution)

    def _seen(self, request: Request, box: Devbox, execution: Execution) -> Response:
        about: dict[str, Any] = {"devbox_id": box.id, "execution_id": execution.id, "status": "running"}
        if execution.ending.done():
            ended = execution.ending.result()
            lines = int(request.query_params.get("last_n", "100"))
            last = "".join(ended.out.decode().splitlines(keepends=True)[-lines:])
            about |= {
                "status": "completed",
                "exit_status": ended.code if ended.code >= 0 else 128 - ended.code,
                "stdout": last[-INLINE:],
                "stdout_truncated": len(last) > INLINE or last != ended.out.decode(),
                "stderr": ended.err.decode(errors="replace")[-INLINE:],
                "stderr_truncated": len(ended.err) > INLINE,
            }
        return JSONResponse(about)

    async def _stream(self, request: Request) -> Response:
        ended = (await self._running(request)).executions[request.path_params["execution"]].ending.result()
        pieces = [ended.out[at : at + 10_000] for at in range(0, len(ended.out), 10_000)]
        events = [f"data: {json.dumps({'output': piece.decode()})}\n\n" for piece in pieces]
        return Response("".join(events), media_type="text/event-stream")

    async def _upload(self, request: Request) -> Response:
        box = await self._running(request)
        form = _form(request.headers["content-type"], await request.body())
        wrote = await box.box.exec(["sh", "-c", 'cat > "$1"', "sh", form["path"].decode()], stdin=form["file"])
        if wrote.code:
            raise Refused(400, wrote.err.decode())
        return JSONResponse({})

    async def _download(self, request: Request) -> Response:
        box = await self._running(request)
        read = await box.box.exec(["cat", "--", (await body_of(request))["path"]])
        if read.code:
            raise Refused(400, read.err.decode())
        return Response(read.out, media_type="application/octet-stream")

    async def _snapshot(self, request: Request) -> Response:
        box = await self._running(request)
        kept: dict[str, Any] = {
            "id": f"snp_{uuid4().hex}",
            "create_time_ms": int(time.time() * 1000),
            "metadata": (await body_of(request))["metadata"],
            "source_devbox_id": box.id,
        }
        self.snapshots[kept["id"]] = {"view": kept, "status": "in_progress", "devbox": box.id}

        async def keep() -> None:
            await box.box.snapshot(self._kept(kept["id"]))
            self.snapshots[kept["id"]]["status"] = "complete"

        self._begin(keep())
        return JSONResponse(kept)

    async def _snapshot_status(self, request: Request) -> Response:
        kept = self.snapshots.get(request.path_params["id"])
        if kept is None:
            raise Refused(404, "no such snapshot")
        return JSONResponse({"status": kept["status"], "snapshot": kept["view"]})

    async def _forget(self, request: Request) -> Response:
        if self.snapshots.pop(request.path_params["id"], None) is None:
            raise Refused(404, "no such snapshot")
        return JSONResponse({})

    def _kept(self, snapshot: str) -> Path:
        return self.folder / snapshot

    def _box(self, request: Request) -> Devbox:
        box = self.boxes.get(request.path_params["id"])
        if box is None:
            raise Refused(404, "no such devbox")
        return box

    async def _running(self, request: Request) -> Devbox:
        await self._reap()
        box = self._box(request)
        if box.status != "running":
            raise Refused(400, f"the devbox is {box.status}")
        box.used = time.monotonic()
        return box

    async def _reap(self) -> None:
        for box in [box for box in self.boxes.values() if box.idle]:
            await box.shut_down()

    def _begin(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)


@asynccontextmanager
async def running(folder: Path) -> AsyncGenerator[FakeRunloop]:
    """The service until the end of the test, which fails if it was asked for what it is not."""
    folder.mkdir(parents=True, exist_ok=True)
    fake = FakeRunloop(folder)
    async with serving(fake.http) as fake.url:
        try:
            yield fake
        finally:
            await fake.stop()
            shutil.rmtree(folder)
    assert not fake.http.unforeseen


@asynccontextmanager
async def serving_below(root: Path) -> AsyncGenerator[None]:
    """The service, and below the folder the way to it for every process."""
    async with running(root) as fake:
        (root / "url").write_text(fake.url)
        yield


def vendor(root: Path) -> RunloopVendor:
    """What a worker uses of the service below the folder."""
    url = (root / "url").read_text()
    return RunloopVendor(KEY, "test", base_url=url, http=no_kept_connections())


def _page(request: Request, name: str, items: list[dict[str, Any]]) -> Response:
    """The page the client asks for. To have its paging used, no page is longer than PAGE."""
    after = request.query_params.get("starting_after")
    first = next((at + 1 for at, item in enumerate(items) if item["id"] == after), 0)
    page = items[first : first + min(PAGE, int(request.query_params["limit"]))]
    return JSONResponse({name: page, "has_more": first + len(page) < len(items)})


def _form(content_type: str, body: bytes) -> dict[str, bytes]:
    """The fields of a multipart form. Nothing of ours has the boundary in it."""
    boundary = content_type.partition("boundary=")[2].strip('"').encode()
    fields: dict[str, bytes] = {}
    for part in body.split(b"--" + boundary)[1:-1]:
        head, _, value = part.partition(b"\r\n\r\n")
        name = head.partition(b'name="')[2].partition(b'"')[0].decode()
        fields[name] = value.removesuffix(b"\r\n")
    return fields
