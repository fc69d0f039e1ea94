"""The double's workers: commands in sandboxes, their streams, and snapshots."""

from collections.abc import AsyncIterator

from grpclib import GRPCError, Status
from modal_proto import task_command_router_pb2 as router_pb2

from tests.fakes.modal.control import Tokens
from tests.fakes.modal.execs import Exec
from tests.fakes.modal.sandboxes import Held, Sandboxes
from tests.fakes.modal.service import Headers


class Router:
    def __init__(self, sandboxes: Sandboxes, tokens: Tokens) -> None:
        self._sandboxes = sandboxes
        self._tokens = tokens

    async def TaskExecStart(
        self, request: router_pb2.TaskExecStartRequest, headers: Headers
    ) -> router_pb2.TaskExecStartResponse:
        """The same exec id is the same command, however often it comes."""
        held = await self._ready(request.task_id, headers)
        if request.exec_id not in held.execs:
            env = {name: value for source in request.secret_sources for name, value in source.env.contents.items()}
            seconds = float(request.timeout_secs) or None
            held.execs[request.exec_id] = await Exec.start(
                held.box, request.command_args, env, request.workdir or "/", seconds
            )
        return router_pb2.TaskExecStartResponse()

    async def TaskExecStdioRead(
        self, request: router_pb2.TaskExecStdioReadRequest, headers: Headers
    ) -> AsyncIterator[router_pb2.TaskExecStdioReadResponse]:
        command = await self._command(request.task_id, request.exec_id, headers)
        wants_err = request.file_descriptor == router_pb2.TASK_EXEC_STDIO_FILE_DESCRIPTOR_STDERR
        async for data in (command.err if wants_err else command.out).pieces(request.offset):
            yield router_pb2.TaskExecStdioReadResponse(data=data)

    async def TaskExecStdinWrite(
        self, request: router_pb2.TaskExecStdinWriteRequest, headers: Headers
    ) -> router_pb2.TaskExecStdinWriteResponse:
        command = await self._command(request.task_id, request.exec_id, headers)
        await command.write(request.offset, request.data, request.eof)
        return router_pb2.TaskExecStdinWriteResponse()

    async def TaskExecWait(
        self, request: router_pb2.TaskExecWaitRequest, headers: Headers
    ) -> router_pb2.TaskExecWaitResponse:
        code = await (await self._command(request.task_id, request.exec_id, headers)).code()
        if code < 0:
            return router_pb2.TaskExecWaitResponse(signal=-code)
        return router_pb2.TaskExecWaitResponse(code=code)

    async def TaskSnapshotFilesystem(
        self, request: router_pb2.TaskSnapshotFilesystemRequest, headers: Headers
    ) -> router_pb2.TaskSnapshotFilesystemResponse:
        held = await self._ready(request.task_id, headers)
        image_id = await self._sandboxes.snapshot(held, request.ttl_seconds)
        return router_pb2.TaskSnapshotFilesystemResponse(image_id=image_id)

    async def _command(self, task_id: str, exec_id: str, headers: Headers) -> Exec:
        held = await self._ready(task_id, headers)
        if exec_id not in held.execs:
            raise GRPCError(Status.NOT_FOUND, f"Exec {exec_id} not found")
        return held.execs[exec_id]

    async def _ready(self, task_id: str, headers: Headers) -> Held:
        self._tokens.require(headers.get("authorization", "").removeprefix("Bearer "))
        held = self._sandboxes.by_task(task_id)
        await held.ready.wait()
        return held
