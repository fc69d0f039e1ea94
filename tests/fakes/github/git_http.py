"""Repositories over HTTP by git's own server program, for whoever shows the token."""

import asyncio
import base64
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response


class GitServer:
    """Serves `folder/owner/name.git`. `admitted` says whether a token opens a repository."""

    def __init__(self, folder: Path, admitted: Callable[[str, str], bool]) -> None:
        self._folder = folder
        self._admitted = admitted
        self._program = Path(subprocess.check_output(["git", "--exec-path"], text=True).strip()) / "git-http-backend"
        self.leaks: list[str] = []
        """Arguments of running processes that held a token."""

    async def serve(self, request: Request) -> Response:
        token = _password(request.headers.get("authorization", ""))
        name = "/".join(request.path_params["path"].split("/")[:2]).removesuffix(".git")
        if not token or not self._admitted(token, name):
            return Response("no", 401, headers={"www-authenticate": 'Basic realm="GitHub"'})
        self.leaks += [line for line in _arguments_of_everybody() if token in line]
        if not (self._folder / f"{name}.git").exists():
            return Response("Repository not found.", 404)
        return await self._answer(request)

    async def _answer(self, request: Request) -> Response:
        body = await request.body()
        environment = {
            "PATH": os.environ["PATH"],
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "safe.directory",
            "GIT_CONFIG_VALUE_0": "*",
            "GIT_PROJECT_ROOT": str(self._folder),
            "GIT_HTTP_EXPORT_ALL": "1",
            "REMOTE_USER": "x",
            "REMOTE_ADDR": "127.0.0.1",
            "REQUEST_METHOD": request.method,
            "PATH_INFO": f"/{request.path_params['path']}",
            "QUERY_STRING": request.url.query,
            "CONTENT_TYPE": request.headers.get("content-type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": request.headers.get("content-encoding", ""),
            "GIT_PROTOCOL": request.headers.get("git-protocol", ""),
        }
        process = await asyncio.create_subprocess_exec(
            self._program, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, env=environment
        )
        out, _ = await process.communicate(body)
        head, _, data = out.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n") if ": " in line)
        status = int(headers.pop("Status", "200").split()[0])
        return Response(data, status, headers=headers)


def _password(authorization: str) -> str:
    kind, _, value = authorization.partition(" ")
    if kind.casefold() != "basic":
        return ""
    return base64.b64decode(value).decode().partition(":")[2]


def _arguments_of_everybody() -> list[str]:
    found: list[str] = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.append(file.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except OSError:
            continue
    return found
