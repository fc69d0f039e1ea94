"""Finding the `temporal` program that serves workflows on this machine, and getting it once where there is none."""

import asyncio
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path

import httpx
from temporalio.testing import WorkflowEnvironment

from infra.exits import Misused, OutOfReach, PawlError, exit_now
from infra.settings import Settings

BUILT = "github.com/temporalio/cli/cmd/temporal@v1.5.1"
"""Later versions cannot be installed with `go install`: their go.mod replaces a module with a folder."""
OLDEST_SERVER = (1, 29)
GO_PLACES = ("/usr/local/go/bin/go", "/usr/lib/go/bin/go")
"""Where installers put Go without telling PATH."""

Say = Callable[[str], None]

_DOWNLOADS = "https://temporal.download"
_DOWNLOAD_SECONDS = 300
_BUILD_SECONDS = 1_800


def cache() -> Path:
    """Where what we fetched is kept, for all homes of this user."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pawl" / "bin"


def found(settings: Settings) -> Path | None:
    """The program this machine has: the configured one, else on PATH, else in our cache. Old servers are passed over.

    Raises Misused when the configured one does not serve.
    """
    if settings.temporal_bin is not None:
        if not _serves(settings.temporal_bin):
            raise Misused(
                f"PAWL_TEMPORAL_BIN names {settings.temporal_bin}, which is not a Temporal CLI with a server "
                f"of at least {_text(OLDEST_SERVER)}.",
                "Correct or unset it.",
            )
        return settings.temporal_bin
    return next((path for path in _candidates() if _serves(path)), None)


async def provided(settings: Settings, say: Say) -> Path:
    """The program, got once where the machine has none: downloaded by the SDK, else built with Go.

    `say` hears about long steps. Raises OutOfReach with what to install when nothing works.
    """
    path = found(settings) or await _downloaded(say) or await _built(say)
    if path is None:
        raise OutOfReach(
            "This machine has no Temporal server: there is no `temporal` program on PATH, it cannot be downloaded "
            "and there is no Go to build it with.",
            "Install the Temporal CLI (https://docs.temporal.io/cli) or Go 1.24 or later, "
            "or set PAWL_TEMPORAL_BIN to the program, or TEMPORAL_ADDRESS to a server that runs elsewhere.",
        )
    return path


def _candidates() -> Iterator[Path]:
    on_path = shutil.which("temporal")
    if on_path:
        yield Path(on_path)
    yield from sorted(cache().glob("temporal*"), reverse=True)


def _serves(program: Path) -> bool:
    """Whether it runs here and its server knows the settings we need."""
    if not (program.is_file() and os.access(program, os.X_OK)):
        return False
    try:
        said = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=20, check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        return False
    version = re.search(r"Server (\d+)\.(\d+)", said)
    return version is not None and (int(version[1]), int(version[2])) >= OLDEST_SERVER


async def _downloaded(say: Say) -> Path | None:
    """What the SDK downloads for its own tests, kept in our cache."""
    try:
        async with httpx.AsyncClient(timeout=5) as web:
            await web.head(_DOWNLOADS)
    except httpx.HTTPError:
        return None  # no way out to there: known in seconds, where the SDK would try for long
    say(f"Downloading the Temporal server from {_DOWNLOADS} (once, about 50 MB)")
    cache().mkdir(parents=True, exist_ok=True)
    try:
        async with asyncio.timeout(_DOWNLOAD_SECONDS):
            server = await WorkflowEnvironment.start_local(  # pyright: ignore[reportUnknownMemberType]
                download_dest_dir=str(cache()), dev_server_startup_timeout=timedelta(seconds=_DOWNLOAD_SECONDS)
            )
            await server.shutdown()
    except (RuntimeError, TimeoutError) as error:
        say(f"The download failed: {str(error)[:200]}")
        return None
    return next((path for path in _candidates() if _serves(path)), None)


async def _built(say: Say) -> Path | None:
    """`go install` of the pinned version; Go checks the sources against its checksum database."""
    go = next(filter(None, map(shutil.which, ("go", *GO_PLACES))), None)
    if go is None:
        return None
    say("Building the Temporal server with Go (once; two to five minutes on two cores)")
    cache().mkdir(parents=True, exist_ok=True)
    log = cache() / "build.log"
    begun = time.monotonic()
    scratch = cache().parent / "build"
    env = {"GOMODCACHE": str(scratch / "mod"), "GOCACHE": str(scratch / "cache"), **os.environ, "GOBIN": str(cache())}
    with log.open("wb") as out:
        build = await asyncio.create_subprocess_exec(go, "install", "-v", BUILT, stdout=out, stderr=out, env=env)
        while build.returncode is None and time.monotonic() - begun < _BUILD_SECONDS:
            try:
                await asyncio.wait_for(build.wait(), timeout=10)
            except TimeoutError:
                lines = log.read_bytes().count(b"\n")
                say(f"  still building: {time.monotonic() - begun:.0f} s, {lines} modules and packages so far")
        if build.returncode is None:
            build.kill()
            await build.wait()
    program = cache() / "temporal"
    if build.returncode == 0 and _serves(program):
        say(f"Built {program} in {time.monotonic() - begun:.0f} s")
        if env["GOMODCACHE"].startswith(str(scratch)) and env["GOCACHE"].startswith(str(scratch)):
            await _cleaned(go, env)
        return program
    raise OutOfReach(
        f"Building the Temporal server with {go} failed. The end of {log}:\n{_tail(log)}",
        "Mend what it says, or install the Temporal CLI (https://docs.temporal.io/cli) or set PAWL_TEMPORAL_BIN.",
    )


async def _cleaned(go: str, env: Mapping[str, str]) -> None:
    """Sources and object files take 3 GB and are not needed again. A failed build keeps them and goes on from there."""
    clean = await asyncio.create_subprocess_exec(go, "clean", "-cache", "-modcache", env=env)
    await clean.wait()


def _tail(log: Path) -> str:
    return "\n".join(f"  {line}" for line in log.read_text(errors="replace").splitlines()[-8:])


def _text(version: tuple[int, int]) -> str:
    return ".".join(str(part) for part in version)


if __name__ == "__main__":
    try:
        program_path = asyncio.run(provided(Settings(), lambda line: print(line, file=sys.stderr, flush=True)))
    except PawlError as problem:
        print(problem, file=sys.stderr)
        exit_now(problem.exit)
    print(program_path)
    exit_now(0)
