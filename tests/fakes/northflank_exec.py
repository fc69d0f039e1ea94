"""Commands over Northflank's websocket, in the double: one connection is one command in a box."""

import asyncio
import base64
import json
from asyncio.subprocess import PIPE
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict
from starlette.websockets import WebSocket, WebSocketDisconnect

from tests.fakes.box import Box


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _Auth(_Strict):
    type: Literal["apiToken"]
    apiToken: str


class Context(_Strict):
    shell: Literal["none"]
    encoding: Literal["utf-8", "base64"]
    tty: Literal[False]
    command: list[str]
    instanceName: str
    user: Literal[0]


class Init(_Strict):
    auth: _Auth
    context: Context


async def opened(socket: WebSocket) -> Init:
    await socket.accept()
    frame = json.loads(await socket.receive_text())
    assert frame.keys() == {"type", "data"}
    assert frame["type"] == "init"
    return Init.model_validate(frame["data"])


async def say(socket: WebSocket, kind: str, data: Any) -> None:
    await socket.send_text(json.dumps({"type": kind, "data": data}))


async def run(socket: WebSocket, box: Box, context: Context) -> None:
    """Run the command. Who leaves early leaves it running to its end."""
    process = await box.spawn(context.command, stdin=PIPE)
    assert process.stdin
    assert process.stdout
    assert process.stderr
    fed = asyncio.create_task(_feed(socket, process.stdin, context.encoding))
    try:
        await asyncio.gather(
            _tell(socket, "stdOut", process.stdout, context.encoding),
            _tell(socket, "stdErr", process.stderr, context.encoding),
        )
        code = await process.wait()
        exit_code = str(code if code >= 0 else 128 - code)  # a text, as Northflank's client says it comes
        await say(socket, "completion", {"exitCode": exit_code, "status": "Success", "message": ""})
    except (WebSocketDisconnect, RuntimeError):
        await process.communicate()
    finally:
        fed.cancel()
        await asyncio.gather(fed, return_exceptions=True)


async def _feed(socket: WebSocket, stdin: asyncio.StreamWriter, encoding: str) -> None:
    try:
        while (frame := json.loads(await socket.receive_text()))["type"] == "payload":
            stdin.write(base64.b64decode(frame["data"]) if encoding == "base64" else frame["data"].encode())
            await stdin.drain()
        assert frame["type"] == "stdInEnd"
    except (ConnectionResetError, BrokenPipeError, WebSocketDisconnect):
        pass  # the command has enough, or its caller has left
    stdin.close()


async def _tell(socket: WebSocket, kind: str, output: asyncio.StreamReader, encoding: str) -> None:
    while piece := await output.read(60_000):
        await say(socket, kind, base64.b64encode(piece).decode() if encoding == "base64" else piece.decode())
