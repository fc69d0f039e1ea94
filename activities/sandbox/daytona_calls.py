"""Daytona's HTTP interface, as far as sandboxes need it: what is asked, and what its refusals mean to the port."""

import json
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import httpx
from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from workflows.ports.sandbox import BadSpec, Capacity, Denied, Gone, SandboxError, Transient

URL = "https://app.daytona.io/api"
_MEANINGS: dict[int, type[SandboxError]] = {
    400: BadSpec,
    401: Denied,
    403: Denied,
    404: Gone,
    410: Gone,
    413: BadSpec,
    422: BadSpec,
    429: Capacity,
    503: Capacity,
}
"""Every other refusal may pass in a moment."""
_MOST_TEXT = 500


class State(BaseModel):
    """What Daytona says about a sandbox."""

    model_config = ConfigDict(alias_generator=to_camel)

    id: str
    labels: dict[str, str]
    state: str
    desired_state: str = ""
    error_reason: str | None = None
    created_at: datetime
    toolbox_proxy_url: str

    @property
    def going(self) -> bool:
        return self.state in ("destroying", "destroyed") or self.desired_state == "destroyed"


class Snapshot(BaseModel):
    id: str
    """What it is deleted by; it is found by its name."""
    state: str


class Conflict(Exception):
    """There is one of this name."""


class DaytonaCalls:
    """`http` is used for all of them, without retries. Every method raises the port's errors."""

    def __init__(self, http: httpx.AsyncClient, key: str, url: str = URL) -> None:
        self._http = http
        self._headers = {"Authorization": f"Bearer {key}"}
        self._url = url

    async def create(self, body: dict[str, Any]) -> None:
        """Raises Conflict."""
        response = await self._send("POST", f"{self._url}/sandbox", json=body, timeout=60)
        if response.status_code == 409:
            raise Conflict
        _check(response)

    async def find(self, name: str) -> State | None:
        """The sandbox of this id or name; None where there is none."""
        response = await self._send("GET", f"{self._url}/sandbox/{name}")
        if response.status_code == 404:
            return None
        state = State.model_validate(_check(response).json())
        return None if state.state == "destroyed" else state

    async def delete(self, name: str) -> None:
        """Ask for its end. What does not exist, or is on its way out, is fine."""
        response = await self._send("DELETE", f"{self._url}/sandbox/{name}")
        if response.status_code not in (404, 409):
            _check(response)

    async def all(self, labels: dict[str, str]) -> AsyncIterator[State]:
        """The sandboxes with these labels, in whatever state."""
        cursor = ""
        while True:
            query = {"labels": json.dumps(labels), **({"cursor": cursor} if cursor else {})}
            page = _check(await self._send("GET", f"{self._url}/sandbox", params=query)).json()
            for item in page["items"]:
                yield State.model_validate(item)
            cursor = page["nextCursor"]
            if not cursor:
                return

    async def snapshot(self, instance: str, name: str) -> None:
        _check(await self._send("POST", f"{self._url}/sandbox/{instance}/snapshot", json={"name": name}))

    async def snapshot_found(self, name: str) -> Snapshot | None:
        """None where there is none, or not yet."""
        response = await self._send("GET", f"{self._url}/snapshots/{name}")
        return None if response.status_code == 404 else Snapshot.model_validate(_check(response).json())

    async def delete_snapshot(self, identity: str) -> None:
        """What does not exist is fine."""
        response = await self._send("DELETE", f"{self._url}/snapshots/{identity}")
        if response.status_code != 404:
            _check(response)

    async def execute(self, sandbox: State, command: str, seconds: int) -> tuple[int, str]:
        """Exit code, and standard output and standard error as one. `command` is for a shell: zsh, bash or sh."""
        asked = {"command": command, "cwd": "/", "timeout": seconds}
        said = _check(await self._inside(sandbox, "POST", "/process/execute", json=asked, timeout=seconds + 10)).json()
        return int(said["exitCode"]), str(said["result"])

    async def upload(self, sandbox: State, path: str, data: bytes) -> None:
        part = {"files[0].file": (path, data, "application/octet-stream")}
        form = {"files[0].path": path}
        _check(await self._inside(sandbox, "POST", "/files/bulk-upload", data=form, files=part, timeout=120))

    async def download(self, sandbox: State, path: str, max_bytes: int) -> bytes:
        """Raises FileNotFoundError, and BadSpec for a larger file."""
        url = f"{sandbox.toolbox_proxy_url}/{sandbox.id}/files/download"
        kept = bytearray()
        try:
            async with self._http.stream(
                "GET", url, params={"path": path}, headers=self._headers, timeout=120
            ) as response:
                if response.status_code == 404:
                    raise FileNotFoundError(path)
                if response.is_error:
                    await response.aread()
                _check(response)
                async for chunk in response.aiter_bytes():
                    kept += chunk
                    if len(kept) > max_bytes:
                        raise BadSpec(f"{path} is larger than {max_bytes} bytes.")
        except httpx.TransportError as error:
            raise _unreachable(error) from error
        return bytes(kept)

    async def _inside(self, sandbox: State, method: str, path: str, **asked: Any) -> httpx.Response:
        return await self._send(method, f"{sandbox.toolbox_proxy_url}/{sandbox.id}{path}", **asked)

    async def _send(self, method: str, url: str, **asked: Any) -> httpx.Response:
        try:
            return await self._http.request(method, url, headers=self._headers, **asked)
        except httpx.TransportError as error:
            raise _unreachable(error) from error


def _unreachable(error: httpx.TransportError) -> Transient:
    return Transient(f"Daytona cannot be reached ({type(error).__name__}: {error}).")


def _check(response: httpx.Response) -> httpx.Response:
    if response.is_error:
        meaning = _MEANINGS.get(response.status_code, Transient)
        raise meaning(f"Daytona answered {response.status_code}: {response.text[:_MOST_TEXT]}")
    return response
