"""A container for doubles of services: a bubblewrap sandbox that lives on and takes one command after the other.

Its root file system is a folder of its own, writable as a container's is, with this machine's programs shown in it
read-only. As root it is root inside, with the capabilities a container keeps for changing users; as an ordinary user it
is one mapped uid, 1000. There is no network but its own loopback.
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from activities.sandbox import folders, mounts

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/opt/python/bin"
ENVIRONMENT = {"PATH": PATH, "HOME": "/root", "LANG": "C.UTF-8"}
CAPABILITIES = ("chown", "dac_override", "fowner", "fsetid", "kill", "setgid", "setuid")
LONGEST_LIFE = 1_800
"""Seconds after which a box ends by itself, should everybody have forgotten it."""

_FOLDERS = ("work", "home", "tmp", "root", "run", "var/tmp", "var/log", "opt/pawl", "opt/python", "etc/pawl", "proc")
_ISOLATION = ("--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts", "--hostname", "box", "--clearenv")
_ROOT = os.geteuid() == 0


@dataclass(frozen=True)
class Ended:
    """How a command ended. `code` is negative for a signal."""

    code: int
    out: bytes
    err: bytes


class Box:
    """One box, all of it below `folder`. Two objects of the same folder are the same box, in whatever process.

    It dies with the process (more exactly: the thread) that started it, unless it `outlives` its starter.
    """

    def __init__(self, folder: Path, *, outlives: bool = False) -> None:
        self.folder = folder
        self._outlives = outlives
        self._process: Process | None = None

    @property
    def running(self) -> bool:
        pid, born = self._init()
        return bool(pid) and _birth(pid) == born

    def host(self, path: str) -> Path:
        """Where the host sees a path of the box's own file system. Follows what links the box has made."""
        return self.folder / "fs" / path.lstrip("/")

    async def start(self, image: Path | None = None) -> None:
        """Start it: empty, or from a `snapshot`. Returns when commands can be run."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _furnish(self.host("/"), image)
        status, status_in = os.pipe()
        self._process = process = await asyncio.create_subprocess_exec(
            *self._bwrap(status_in),
            stdin=DEVNULL,
            stdout=PIPE,
            env={"PATH": os.environ["PATH"]},
            pass_fds=[status_in],
            start_new_session=True,
        )
        os.close(status_in)
        assert process.stdout
        ready = await process.stdout.readline()
        with open(status) as said:  # noqa: ASYNC230, PTH123 - a pipe that holds its one line already
            pid = json.loads(said.readline() or "{}").get("child-pid", 0)
        assert ready == b"ready\n", "bubblewrap has written why on standard error"
        (self.folder / "init").write_text(f"{pid} {_birth(pid)}")

    async def spawn(
        self,
        argv: Sequence[str],
        env: Mapping[str, str] | None = None,
        cwd: str = "/",
        stdin: int = DEVNULL,
        stdout: int = PIPE,
        stderr: int = PIPE,
    ) -> Process:
        """Start a command in it, with pipes. Killing the process kills the command and not what it has started."""
        pid, _ = self._init()
        words = [f"{name}={value}" for name, value in {**ENVIRONMENT, **(env or {})}.items()]
        # the folder is entered, and the program looked up, inside
        inside = ["env", "-i", f"--chdir={cwd}", *words, *argv]
        return await asyncio.create_subprocess_exec(
            *("nsenter", f"--target={pid}", "--mount", "--pid", "--net", "--ipc", "--uts"),
            *(() if _ROOT else ("--user", "--preserve-credentials")),
            *("setpriv", "--no-new-privs", "--pdeathsig", "KILL", *_drop_capabilities(), *inside),
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            env={"PATH": PATH},
            start_new_session=True,
        )

    async def exec(
        self,
        argv: Sequence[str],
        env: Mapping[str, str] | None = None,
        cwd: str = "/",
        stdin: bytes = b"",
        timeout_seconds: float = 60,
    ) -> Ended:
        """Run a command to its end. Raises TimeoutError, having killed it."""
        process = await self.spawn(argv, env, cwd, stdin=PIPE)
        try:
            async with asyncio.timeout(timeout_seconds):
                out, err = await process.communicate(stdin)
        finally:
            if process.returncode is None:
                process.kill()
        assert process.returncode is not None
        return Ended(process.returncode, out, err)

    async def snapshot(self, to: Path) -> None:
        """Copy its file system, as it is, to a folder that does not exist yet."""
        copied = await asyncio.create_subprocess_exec("cp", "-a", "--", str(self.host("/")), str(to))
        assert await copied.wait() == 0

    async def stop(self) -> None:
        """Kill all that runs in it and leave its files."""
        pid, _ = self._init()
        if self.running:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        while self.running:  # noqa: ASYNC110 - the first process ends after all others have
            await asyncio.sleep(0.002)
        if self._process:
            await self._process.wait()

    async def destroy(self) -> None:
        """Kill all that runs in it and remove it. Harmless when there is none."""
        await self.stop()
        if self.folder.exists():
            await asyncio.to_thread(folders.remove, self.folder)

    def _init(self) -> tuple[int, str]:
        """The box's first process, by its number here, and when it was born; zero when there is none."""
        try:
            pid, _, born = (self.folder / "init").read_text().partition(" ")
        except FileNotFoundError:
            return 0, ""
        return int(pid), born

    def _bwrap(self, status: int) -> list[str]:
        # An unprivileged caller cannot enter where bwrap made /dev itself; root must not hand out the real one.
        device = ["--dev", "/dev"] if _ROOT else ["--dev-bind", "/dev", "/dev", "--tmpfs", "/dev/shm"]
        user = (
            ["--cap-drop", "ALL", *(word for name in CAPABILITIES for word in ("--cap-add", f"CAP_{name.upper()}"))]
            if _ROOT
            else ["--unshare-user", "--uid", str(mounts.USER_ID), "--gid", str(mounts.USER_ID)]
        )
        return [
            *("bwrap", *_ISOLATION, *user),
            *(() if self._outlives else ("--die-with-parent",)),
            *("--json-status-fd", str(status), "--bind", str(self.host("/")), "/"),
            *mounts.system_options(),
            *("--ro-bind", sys.base_prefix, "/opt/python", "--proc", "/proc", *device),
            *("--setenv", "PATH", PATH, "--", "sh", "-c", f"echo ready; exec >&- sleep {LONGEST_LIFE}"),
        ]


def _furnish(root: Path, image: Path | None) -> None:
    """Make the file system, unless the box has been here before."""
    if image is not None:
        subprocess.run(["cp", "-a", "--", str(image), str(root)], check=True)
    elif not root.exists():
        for folder in _FOLDERS:
            (root / folder).mkdir(parents=True)
        for folder in ("tmp", "var/tmp"):
            (root / folder).chmod(0o1777)
        for path, text in mounts.system_files():
            (root / path.lstrip("/")).write_text(text)
    for link in [path for path in root.iterdir() if path.is_symlink()]:
        link.unlink()  # bwrap makes them, and wants to be the first


def _drop_capabilities() -> list[str]:
    kept = ",".join(("-all", *(f"+{name}" for name in CAPABILITIES)))
    return ["--inh-caps=-all", f"--bounding-set={kept}"] if _ROOT else []


def _birth(pid: int) -> str:
    """When a process was born, in the kernel's ticks; empty when there is none, or only its remains."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in "ZX" else fields[19]
