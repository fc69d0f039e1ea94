"""Containers by the command line of podman or docker: one adapter, the program is a setting.

They have no network, since neither program filters by name. Only our own program inside is root there, with the
capabilities it needs to run commands as somebody else.
"""

import asyncio
import json
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from activities.sandbox.container_failures import NameInUse, NotStarted, failure_of
from activities.sandbox.container_images import ContainerImages
from activities.sandbox.refusals import Refused
from activities.sandbox.remote.vendor import Said, Vendor, shell
from infra.children import ended, started
from workflows.domain.model import Record
from workflows.ports.sandbox import (
    BadSpec,
    Capabilities,
    Denied,
    Gone,
    Network,
    SandboxInfo,
    SandboxRef,
    SandboxSpec,
    Transient,
)

_INSTALLATION, _ABOUT = "pawl.installation", "pawl.about"
_CAPABILITIES = "CHOWN,DAC_OVERRIDE,FOWNER,FSETID,KILL,SETGID,SETUID"
_OWN_MEMORY_MB, _OWN_PROCESSES = 48, 40
"""For our program, what keeps the container alive, and the threads of what starts a command in it. A job that takes
some of these away is ended by our program."""
_SHARED_MEMORY_MB = 64
_RUN_SECONDS = 60.0
_MAKE_SECONDS = 900.0
"""An image may have to be fetched first."""
_TRANSFER_SECONDS = 300.0
_ATTEMPTS = 5
_NOWHERE = next(folder for folder in ("/proc", "/") if Path(folder).is_dir())
"""The program's folder: podman's monitor writes a file `oom` into its own, where nobody looks for it."""
_ABSENT = 44
_PROGRAM_FAILED = 125
_MAYBE_FAILED = (1, 255, _PROGRAM_FAILED)
"""What docker and podman end with when it was they who failed, not the command inside; the first two it may be too."""
_CONTROLLERS = {"cpu", "memory", "pids"}

# The first process: it buries orphans, and ends the container when its time is over. Our program touches `asked` at
# every call and while a job runs. In Python, since a shell ends when it cannot fork, and jobs may see to that.
_LIVE = """
import os, sys, time
began = time.time()
while time.time() - began < float(sys.argv[1]):
    try:
        asked = os.stat("/opt/pawl/asked").st_mtime
    except OSError:
        asked = began
    if time.time() - max(asked, began) >= float(sys.argv[2]):
        break
    time.sleep(1)
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass
"""


class _About(Record):
    """What a container's label says of it."""

    key: str
    labels: dict[str, str]
    created: datetime


async def connected(program: str, images: ContainerImages) -> "ContainerCli":
    """Ask the program what this machine can enforce. Raises Refused when it is not there or does not work."""
    cli = ContainerCli(program, images, hard_limits=False)
    try:
        info = json.loads(await cli.said("info", "--format", "{{json .}}", seconds=_RUN_SECONDS))
    except (Transient, Denied) as error:
        raise Refused(
            f"`{program} info` does not work: {error}", f"Make `{program} info` work for this user."
        ) from error
    return ContainerCli(program, images, hard_limits=_has_hard_limits(info))


def _has_hard_limits(info: dict[str, Any]) -> bool:
    if "host" in info:  # podman
        host = info["host"]
        may = not host["security"]["rootless"] or host["cgroupVersion"] == "v2"
        return may and set(host.get("cgroupControllers") or ()) >= _CONTROLLERS
    return all(info.get(name) for name in ("MemoryLimit", "PidsLimit", "CpuCfsQuota"))


class ContainerCli(Vendor):
    """Containers named after their keys: the name is what makes the second maker get the first one's."""

    def __init__(self, program: str, images: ContainerImages, hard_limits: bool) -> None:
        self._program, self._images = program, images
        self._installation = images.installation
        self.name = Path(program).name
        self._hard_limits = hard_limits

    @property
    def capabilities(self) -> Capabilities:
        limits = "cgroup" if self._hard_limits else "rlimits and watchdog"
        return Capabilities(
            network=Network.NONE,
            kill=True,
            snapshot=True,
            hard_limits=self._hard_limits,
            images=True,
            tier=f"{self.name}, {limits}",
        )

    async def make(self, spec: SandboxSpec) -> str:
        image = self._images.of(spec)
        for _ in range(_ATTEMPTS):
            try:
                return await self._living(spec.key)
            except Gone:
                pass
            try:
                return (await self.said(*self._run_options(spec, image), seconds=_MAKE_SECONDS)).split()[-1]
            except NameInUse:
                await asyncio.sleep(0.2)
            except BadSpec as error:
                if spec.snapshot:
                    raise Gone(f"The snapshot {image} was removed.") from error
                raise
        raise Transient(f"The container of {spec.key} is neither running nor gone; try again.")

    async def run(self, instance: str, argv: tuple[str, ...], timeout_seconds: float) -> Said:
        code, out, err = await self._exec(instance, argv, seconds=timeout_seconds)
        return Said(code=code, out=out.decode("ascii", "replace"), err=err.decode(errors="replace"))

    async def put(self, instance: str, path: str, data: bytes) -> None:
        script = shell('cat > "$1"', path)
        code, _, err = await self._exec(instance, script, data=data, seconds=_TRANSFER_SECONDS)
        if code != 0:
            raise Transient(f"{path} could not be written: {err.decode(errors='replace')[-500:]}")

    async def get(self, instance: str, path: str, max_bytes: int) -> bytes:
        script = shell(f'[ -f "$1" ] || exit {_ABSENT}; head -c "$2" "$1"', path, str(max_bytes))
        code, out, err = await self._exec(instance, script, seconds=_TRANSFER_SECONDS)
        if code == _ABSENT:
            raise FileNotFoundError(f"{path} does not exist.")
        if code != 0:
            raise Transient(f"{path} could not be read: {err.decode(errors='replace')[-500:]}")
        return out

    async def snapshot(self, instance: str) -> str:
        reference = self._images.new()
        await self.said("commit", instance, reference, seconds=_MAKE_SECONDS)
        return reference

    async def forget(self, reference: str) -> None:
        ours = self._images.require_ours(reference)
        with suppress(BadSpec):  # there is none
            await self.said("image", "rm", ours, seconds=_RUN_SECONDS)

    async def remove(self, key: str) -> None:
        for _ in range(_ATTEMPTS):
            try:
                await self.said("rm", "--force", self._container(key), seconds=_RUN_SECONDS)
            except Gone:
                return
            except Transient as error:
                if "in progress" not in str(error):
                    raise
                await asyncio.sleep(0.2)
            else:
                return

    async def list(self, labels: Mapping[str, str]) -> list[SandboxInfo]:
        mine = f"label={_INSTALLATION}={self._installation}"
        ids = (await self.said("ps", "--quiet", "--no-trunc", "--filter", mine, seconds=_RUN_SECONDS)).split()
        if not ids:
            return []
        # some may end between the two questions: the others are told all the same
        _, out, _ = await self._call("container", "inspect", *ids, seconds=_RUN_SECONDS)
        infos = [_info(container) for container in json.loads(out)]
        return [info for info in infos if labels.items() <= info.labels.items()]

    async def said(self, *words: str, seconds: float) -> str:
        """What the program answers. Raises the port's error for what it complains about."""
        code, out, err = await self._call(*words, seconds=seconds)
        if code != 0:
            raise failure_of(err.decode(errors="replace"))
        return out.decode()

    def _container(self, key: str) -> str:
        return f"pawl-{self._installation}-{key}"

    def _run_options(self, spec: SandboxSpec, image: str) -> tuple[str, ...]:
        limits = spec.limits
        memory = f"{limits.memory_mb + _OWN_MEMORY_MB}m"
        temporary = f"size={max(16, min(limits.disk_mb, limits.memory_mb // 2))}m,mode=1777"
        about = _About(key=spec.key, labels=spec.labels, created=datetime.now(UTC))
        return (
            *("run", "--detach", "--rm", "--name", self._container(spec.key), "--hostname", "sandbox"),
            *("--label", f"{_INSTALLATION}={self._installation}", "--label", f"{_ABOUT}={about.model_dump_json()}"),
            *("--network", "none", "--cap-drop", "ALL", "--cap-add", _CAPABILITIES),
            *("--security-opt", "no-new-privileges", "--user", "0", "--workdir", "/"),
            *("--memory", memory, "--memory-swap", memory, "--pids-limit", str(limits.processes + _OWN_PROCESSES)),
            *(("--cpus", f"{limits.cpus:g}") if limits.cpus else ()),
            *("--tmpfs", f"/tmp:{temporary}", "--tmpfs", f"/var/tmp:{temporary}"),  # noqa: S108 - paths inside
            *("--shm-size", f"{min(_SHARED_MEMORY_MB, limits.memory_mb)}m"),
            *("--log-driver", "none", "--stop-signal", "KILL"),
            # podman passes the worker's proxy settings on unless it is told not to; docker does not know the option
            *(("--http-proxy=false",) if self.name == "podman" else ()),
            *(("--pull", "never") if spec.snapshot else ()),
            *(
                "--entrypoint",
                "python3",
                image,
                "-I",
                "-S",
                "-c",
                _LIVE,
                str(spec.lifetime_seconds),
                str(spec.idle_seconds),
            ),
        )

    async def _living(self, key: str) -> str:
        """The running container of a key. Raises Gone when there is none; one that has ended removes itself."""
        format_ = "{{.Id}} {{.State.Running}}"
        words = ("container", "inspect", "--format", format_, self._container(key))
        instance, running = (await self.said(*words, seconds=_RUN_SECONDS)).split()
        if running != "true":
            raise Gone(f"The container of {key} has ended.")
        return instance

    async def _exec(
        self, instance: str, argv: tuple[str, ...], seconds: float, data: bytes | None = None
    ) -> tuple[int, bytes, bytes]:
        words = ("exec", *(("--interactive",) if data is not None else ()), "--user", "0", instance, *argv)
        attempt = 1
        while True:
            code, out, err = await self._call(*words, seconds=seconds, data=data)
            failure = failure_of(err.decode(errors="replace")) if code in _MAYBE_FAILED else None
            if isinstance(failure, NotStarted) and attempt < _ATTEMPTS:
                await asyncio.sleep(0.3)
            elif isinstance(failure, Gone) or (failure and code == _PROGRAM_FAILED):
                raise failure
            else:
                return code, out, err
            attempt += 1

    async def _call(self, *words: str, seconds: float, data: bytes | None = None) -> tuple[int, bytes, bytes]:
        """Code, output and complaints of the program. When we are cancelled it ends; what it began inside goes on."""
        try:
            process = await started(
                self._program, *words,
                stdin=DEVNULL if data is None else PIPE, stdout=PIPE, stderr=PIPE, cwd=_NOWHERE,
            )  # fmt: skip
        except FileNotFoundError as error:
            raise Refused(f"The program {self._program} is not on PATH.", f"Install {self.name}.") from error
        try:
            async with asyncio.timeout(seconds):
                out, err = await process.communicate(data)
        except TimeoutError:
            raise Transient(f"`{self.name} {words[0]}` takes longer than {seconds:g} seconds.") from None
        finally:
            await ended(process)
        assert process.returncode is not None  # noqa: S101 - communicate has waited for it
        return process.returncode, out, err


def _info(container: dict[str, Any]) -> SandboxInfo:
    about = _About.model_validate_json(container["Config"]["Labels"][_ABOUT])
    ref = SandboxRef(key=about.key, instance=container["Id"])
    return SandboxInfo(ref=ref, labels=about.labels, created=about.created)
