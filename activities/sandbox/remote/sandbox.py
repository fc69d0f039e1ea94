"""The sandbox port over any vendor of containers or microVMs, by a small program inside each."""

import base64
import hashlib
import json
import time
from collections.abc import Mapping
from typing import Any

from activities.sandbox.folders import job_name
from activities.sandbox.launch import OUTPUT_CAP, require_sane
from activities.sandbox.mounts import Mount
from activities.sandbox.remote.install import Place, installed
from activities.sandbox.remote.shown import copy_in
from activities.sandbox.remote.vendor import Said, Vendor
from workflows.ports.sandbox import (
    BadSpec,
    Capabilities,
    Command,
    Denied,
    ExitReason,
    JobState,
    JobView,
    Sandbox,
    SandboxInfo,
    SandboxRef,
    SandboxSpec,
    Transient,
    require_supported,
)

_WAIT_SECONDS = 20.0
"""Of one question about a job: for no longer does it go on in the sandbox when we are cancelled."""
_ANSWER_SECONDS = 40.0
"""For what a question takes besides."""
_MOST_OUTPUT = 1 << 20
_ERRORS: dict[str, type[Exception]] = {
    "BadSpec": BadSpec,
    "Denied": Denied,
    "FileNotFoundError": FileNotFoundError,
    "Transient": Transient,
}


class RemoteSandbox(Sandbox):
    """Sandboxes of one vendor. What the port promises about jobs and files is kept by our program inside."""

    def __init__(self, vendor: Vendor, mounts: tuple[Mount, ...] = (), path_prefix: str = "") -> None:
        """`mounts` are copied into every sandbox; `path_prefix` goes before the image's own PATH."""
        self.name = vendor.name
        self._vendor, self._mounts, self._path_prefix = vendor, mounts, path_prefix
        self._places: dict[str, Place] = {}
        """By instance."""

    @property
    def capabilities(self) -> Capabilities:
        return self._vendor.capabilities

    async def ensure(self, spec: SandboxSpec) -> SandboxRef:
        require_supported(spec, self.capabilities)
        ref = SandboxRef(key=spec.key, instance=await self._vendor.make(spec))
        place = await installed(self._vendor, ref.instance, _inside_name(ref), spec.limits)
        await copy_in(self._vendor, ref.instance, place, self._mounts)
        self._places[ref.instance] = place
        return ref

    async def start(self, ref: SandboxRef, job: str, command: Command) -> None:
        require_sane(command)
        told = {
            "argv": command.argv,
            "cwd": command.cwd,
            "env": command.env,
            "path_prefix": self._path_prefix,
            "timeout": command.timeout_seconds,
            "output_cap": OUTPUT_CAP,
        }
        staged = await self._put(ref, json.dumps(told).encode() + b"\n" + command.stdin)
        await self._ask(ref, "start", **_of(ref, job), staged=staged)

    async def poll(
        self, ref: SandboxRef, job: str, out_at: int = 0, err_at: int = 0, wait_seconds: float = 0
    ) -> JobView:
        deadline = time.monotonic() + wait_seconds
        out, err = bytearray(), bytearray()
        while True:
            wait = max(0.0, min(deadline - time.monotonic(), _WAIT_SECONDS))
            at = {"out": out_at + len(out), "err": err_at + len(err), "most": _MOST_OUTPUT}
            said = await self._ask(ref, "poll", **_of(ref, job), **at, wait=wait, patience=wait)
            out += base64.b64decode(said["out"])
            err += base64.b64decode(said["err"])
            if not said["more"] and (said["ended"] or time.monotonic() >= deadline):
                return _view(said, bytes(out), bytes(err), out_at, err_at)

    async def kill(self, ref: SandboxRef, job: str) -> None:
        await self._ask(ref, "kill", **_of(ref, job))

    async def read(self, ref: SandboxRef, path: str, max_bytes: int) -> bytes:
        taken = await self._ask(ref, "take", path=path, most=max_bytes)
        if "data" in taken:
            return base64.b64decode(taken["data"])
        try:
            return await self._vendor.get(ref.instance, taken["staged"], max_bytes)
        finally:
            await self._vendor.run(ref.instance, ("rm", "-f", taken["staged"]), _ANSWER_SECONDS)

    async def write(self, ref: SandboxRef, path: str, data: bytes, mode: int = 0o644) -> None:
        staged = await self._put(ref, data)
        await self._ask(ref, "offer", path=path, staged=staged, mode=mode)

    async def snapshot(self, ref: SandboxRef) -> str:
        return await self._vendor.snapshot(ref.instance)

    async def forget(self, reference: str) -> None:
        await self._vendor.forget(reference)

    async def destroy(self, key: str) -> None:
        await self._vendor.remove(key)

    async def list(self, labels: Mapping[str, str]) -> list[SandboxInfo]:
        return await self._vendor.list(labels)

    async def _put(self, ref: SandboxRef, data: bytes) -> str:
        """Where in the sandbox the data is now, for our program to fetch it."""
        staged = (await self._place(ref)).new_file()
        await self._vendor.put(ref.instance, staged, data)
        return staged

    async def _ask(self, ref: SandboxRef, verb: str, patience: float = 0, **arguments: Any) -> dict[str, Any]:
        """Our program's answer. Raises what it says went wrong."""
        place = await self._place(ref)
        call = place.call(verb, json.dumps(arguments))
        said = await self._vendor.run(ref.instance, call, patience + _ANSWER_SECONDS)
        answer = _answer(said)
        if answer is None:
            self._places.pop(ref.instance, None)  # the next attempt looks whether the program is still there
            raise Transient(f"Pawl's program in the sandbox did not answer: {(said.err or said.out)[-500:]}")
        if "error" in answer:
            raise _ERRORS[answer["error"]](answer["message"])
        return answer

    async def _place(self, ref: SandboxRef) -> Place:
        if ref.instance not in self._places:
            self._places[ref.instance] = await installed(self._vendor, ref.instance, _inside_name(ref), None)
        return self._places[ref.instance]


def _of(ref: SandboxRef, job: str) -> dict[str, Any]:
    return {"at": _inside_name(ref), "job": job_name(job)}


def _inside_name(ref: SandboxRef) -> str:
    """The sandbox's name in its own files: the instance may be of any form."""
    return hashlib.sha256(ref.instance.encode()).hexdigest()[:16]


def _answer(said: Said) -> dict[str, Any] | None:
    lines = said.out.splitlines()
    return json.loads(lines[-1]) if said.code == 0 and lines and lines[-1].startswith("{") else None


def _view(said: dict[str, Any], out: bytes, err: bytes, out_at: int, err_at: int) -> JobView:
    view = JobView(
        state=JobState.EXITED if said["ended"] else JobState.RUNNING,
        out=out,
        err=err,
        out_next=out_at + len(out),
        err_next=err_at + len(err),
    )
    if not said["ended"]:
        return view
    ended = {"reason": ExitReason(said["reason"]), "code": said["code"], "truncated": said["truncated"]}
    return view.model_copy(update=ended)
