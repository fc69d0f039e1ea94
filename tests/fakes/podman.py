"""The real podman, on storage of this run's own: images and containers of the machine are left alone."""

import atexit
import hashlib
import os
import resource
import shutil
import subprocess
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path

from activities.sandbox.container_cli import ContainerCli
from activities.sandbox.container_images import ContainerImages
from activities.sandbox.remote.sandbox import RemoteSandbox
from tests.fakes import image

IMAGE = "localhost/small:1"
_PROCESSES = 4_096
_PREFIX = "pawl-podman-"

# More than these its own defaults ask for, and a root without the capability to raise limits is refused.
_CONFIGURATION = """
[containers]
default_ulimits = ["nofile={files}:{files}", "nproc={processes}:{processes}"]
"""


def found() -> bool:
    """Whether there is one that can run containers without further set-up: root's."""
    return os.geteuid() == 0 and shutil.which("podman") is not None


@asynccontextmanager
async def serving(root: Path) -> AsyncGenerator[None]:
    """Put a `podman` into the folder that knows the storage."""
    root.mkdir(parents=True)
    (root / "podman").symlink_to(_program())
    yield


def vendor(root: Path) -> ContainerCli:
    installation = hashlib.sha256(str(root).encode()).hexdigest()[:12]
    return ContainerCli(str(root / "podman"), ContainerImages(IMAGE, installation), hard_limits=True)


def opened(root: Path) -> RemoteSandbox:
    return RemoteSandbox(vendor(root))


@cache
def _program() -> Path:
    for left in Path(tempfile.gettempdir()).glob(f"{_PREFIX}[0-9]*-*"):  # by runs that were killed
        if not Path("/proc", left.name.removeprefix(_PREFIX).partition("-")[0]).exists():
            _remove(left)
    storage = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-"))
    atexit.register(_remove, storage)
    files = min(65_536, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    (storage / "containers.conf").write_text(_CONFIGURATION.format(files=files, processes=_PROCESSES))
    runtime = "--runtime runc" if shutil.which("runc") else ""
    program = storage / "podman"
    program.write_text(
        f"#!/bin/sh\nexport CONTAINERS_CONF={storage}/containers.conf\nexec {shutil.which('podman')} {runtime} "
        f'--root {storage}/storage --runroot {storage}/run --tmpdir {storage}/tmp --cgroup-manager cgroupfs "$@"\n'
    )
    program.chmod(0o755)
    image.pack(storage / "root.tar")
    subprocess.run([program, "import", "--quiet", storage / "root.tar", IMAGE], check=True, stdout=subprocess.DEVNULL)
    return program


def _remove(storage: Path) -> None:
    if (storage / "podman").exists():  # it goes first, and what is mounted may have kept the rest
        subprocess.run([storage / "podman", "rm", "--all", "--force"], check=False, stdout=subprocess.DEVNULL)
    mounts = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    for mount in reversed([mount for mount in mounts if mount.startswith(f"{storage}/")]):
        subprocess.run(["umount", mount], check=False)
    subprocess.run(["rm", "-rf", "--one-file-system", storage], check=False)
