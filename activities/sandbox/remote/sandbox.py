"""The sandbox port over any vendor of containers or microVMs, by a small program inside each."""

import hashlib
import json
import time
from collections.abc import Mapping
from typing import Any

from activities.sandbox.folders import job_name
from activities.sandbox.launch import OUTPUT_CAP, require_sane
from activities.sandbox.mounts import Mount
from activities.sandbox.remote.answers import MOST_BYTES, AnswerT, Done, NoAnswer, Seen, Taken, read_answer
from activities.sandbox.remote.install import Place, installed
from activities.sandbox.remote.shown import copy_in
from activities.sandbox.remote.vendor import Vendor, shell
from workflows.ports.sandbox import (
    BadSpec,
    Capabilities,
    Command,
    JobState,
    JobView,
    Sandbox,
    SandboxInfo,
    SandboxRef,
    SandboxSpec,
    require_supported,
)

_WAIT_SECONDS = 20.0
"""Of one question about a job: for no longer does it go on in the sandbox when we are cancelled."""
_ANSWER_SECONDS = 40.0
"""For what a question takes besides."""
_REST_SECONDS = 60.0
"""For output that is there when the wait is over. What is left then is for the next poll."""


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
        await self._ask(ref, "start", Done, **_of(ref, job), staged=staged)

    async def poll(
        self, ref: SandboxRef, job: str, out_at: int = 0, err_at: int = 0, wait_seconds: float = 0
    ) -> JobView:
        deadline = time.monotonic() + wait_seconds
        out, err = bytearray(), bytearray()
        while True:
            wait = max(0.0, min(deadline - time.monotonic(), _WAIT_SECONDS))
            at = {"out": out_at + len(out), "err": err_at + len(err), "most": MOST_BYTES}
            seen = await self._ask(ref, "poll", Seen, **_of(ref, job), **at, wait=wait, patience=wait)
            out += seen.out
            err += seen.err
            if max(out_at + len(out), err_at + len(err)) > OUTPUT_CAP:
                raise NoAnswer("What answers in the sandbox is not Pawl's program: a job's output has no end.")
            rest = _REST_SECONDS if seen.more and (seen.out or seen.err) else 0
            if (seen.ended and not seen.more) or time.monotonic() >= deadline + rest:
                return _view(seen, bytes(out), bytes(err), out_at, err_at)

    async def kill(self, ref: SandboxRef, job: str) -> None:
        await self._ask(ref, "kill", Done, **_of(ref, job))

    async def read(self, ref: SandboxRef, path: str, max_bytes: int) -> bytes:
        taken = await self._ask(ref, "take", Taken, path=path, most=max_bytes)
        data = await self._fetch(ref, taken.staged, max_bytes) if taken.data is None else taken.data
        if len(data) > max_bytes:
            raise BadSpec(f"{path} is larger than {max_bytes:,} bytes.")
        return data

    async def write(self, ref: SandboxRef, path: str, data: bytes, mode: int = 0o644) -> None:
        staged = await self._put(ref, data)
        await self._ask(ref, "offer", Done, path=path, staged=staged, mode=mode)

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

    async def _fetch(self, ref: SandboxRef, staged: str, max_bytes: int) -> bytes:
        try:
            return await self._vendor.get(ref.instance, staged, max_bytes)
        finally:
            await self._vendor.run(ref.instance, shell('rm -f "$1"', staged), _ANSWER_SECONDS)

    async def _ask(
        self, ref: SandboxRef, verb: str, answer: type[AnswerT], patience: float = 0, **arguments: Any
    ) -> AnswerT:
        """Our program's answer. Raises what it says went wrong."""
        place = await self._place(ref)
        call = place.call(verb, json.dumps(arguments))
        said = await self._vendor.run(ref.instance, call, patience + _ANSWER_SECONDS)
        try:
            return read_answer(said, answer)
        except NoAnswer:
            self._places.pop(ref.instance, None)  # the next attempt looks whether the program is still there
            raise

    async def _place(self, ref: SandboxRef) -> Place:
        if ref.instance not in self._places:
            self._places[ref.instance] = await installed(self._vendor, ref.instance, _inside_name(ref), None)
        return self._places[ref.instance]


def _of(ref: SandboxRef, job: str) -> dict[str, Any]:
    return {"at": _inside_name(ref), "job": job_name(job)}


def _inside_name(ref: SandboxRef) -> str:
    """The sandbox's name in its own files: the instance may be of any form."""
    return hashlib.sha256(ref.instance.encode()).hexdigest()[:16]


def _view(seen: Seen, out: bytes, err: bytes, out_at: int, err_at: int) -> JobView:
    has_ended = seen.ended and not seen.more
    return JobView(
        state=JobState.EXITED if has_ended else JobState.RUNNING,
        out=out,
        err=err,
        out_next=out_at + len(out),
        err_next=err_at + len(err),
        truncated=has_ended and seen.truncated,
        reason=seen.reason if has_ended else None,
        code=seen.code if has_ended else None,
    )
