"""The demo's project: a released library from the package index, as a git repository with its real test suite."""

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from workflows.domain.model import Record

PACKAGES_INSIDE = "/opt/python-packages"
"""Where the sandbox shows the project's dependency; WORKFLOW.md names it too."""

_HERE = Path(__file__).parent
_DATE = "2026-11-21T00:00:00Z"
_MANIFEST = """[project]
name = "pawl-demo"
version = "0"
requires-python = ">=3.11"
dependencies = ["python-slugify==9.1.0", "text-unidecode==1.3"]
"""


class Pin(Record):
    """One file of the package index, named by what is in it."""

    package: str
    file: str
    sha256: str


SDIST = Pin(
    package="python-slugify",
    file="python_slugify-9.1.0.tar.gz",
    sha256="3f02e8a0639c61e37eca5a783aae09112796d15d331ee3d5372241b61ee05f1c",
)
WHEEL = Pin(
    package="text-unidecode",
    file="text_unidecode-1.3-py2.py3-none-any.whl",
    sha256="1311f10e8b895935241623731c2ba64f4c455287888b18189350b67134a822e8",
)


class ProjectError(Exception):
    """The project cannot be had. The message says why and what to do."""


class Project(Record):
    repository: Path
    """A git repository: the release as one commit, the demo's WORKFLOW.md as a second one."""
    packages: Path
    """Folder with the library's dependency, to be shown in the sandbox."""
    python: Path | None
    """The Python installation the sandbox needs besides the system's; None when the system's own will do."""

    @property
    def sandbox_mounts(self) -> str:
        """In the form of `PAWL_SANDBOX_MOUNTS`."""
        extra = [str(self.python)] if self.python else []
        return ",".join([f"{self.packages}:{PACKAGES_INSIDE}", *extra])

    @property
    def sandbox_path(self) -> str:
        """In the form of `PAWL_SANDBOX_PATH`."""
        return str(self.python / "bin") if self.python else ""


def prepare(home: Path) -> Project:
    """Make the project below `home`, fetching only what is not there yet. Raises ProjectError.

    Nothing of what is fetched is built or run on this machine: the release is unpacked, its tests run in the sandbox.
    """
    downloads = home / "downloads"
    downloads.mkdir(parents=True, exist_ok=True)
    fetch_missing(downloads)
    packages = home / "python-packages"
    if not packages.is_dir():
        _appear(packages, lambda folder: _unzip(downloads / WHEEL.file, folder))
    repository = home / "python-slugify"
    shutil.rmtree(repository, ignore_errors=True)
    _appear(repository, lambda folder: _commit(downloads / SDIST.file, folder))
    return Project(repository=repository, packages=packages, python=_python_for_sandbox())


def fetch_missing(downloads: Path) -> None:
    missing = [pin for pin in (SDIST, WHEEL) if not _holds(downloads / pin.file, pin)]
    if not missing:
        return
    addresses = _addresses()
    for pin in missing:
        data = _download(pin, addresses)
        if hashlib.sha256(data).hexdigest() != pin.sha256:
            raise ProjectError(f"{pin.file} from the package index is not the file the demo was written for: refused.")
        _write(downloads / pin.file, data)


def _holds(path: Path, pin: Pin) -> bool:
    return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == pin.sha256


def _addresses() -> dict[str, str]:
    """File name to address, as the package index that uv is configured for tells it.

    Asking for a lock needs only the wheels' metadata, so no source distribution is run, unlike `pip download`.
    """
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "pyproject.toml").write_text(_MANIFEST)
        environment = dict(os.environ)
        if index := environment.get("PIP_INDEX_URL"):
            environment.setdefault("UV_DEFAULT_INDEX", index)
        environment.pop("VIRTUAL_ENV", None)
        asked = subprocess.run(
            [_uv(), "lock", "--no-build", "--quiet", "--python", sys.executable],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=180,
        )
        if asked.returncode:
            raise ProjectError(
                f"The package index did not give python-slugify 9.1.0:\n{asked.stderr.strip()}\n"
                "Check the network and uv's index settings (UV_DEFAULT_INDEX), then start the demo again."
            )
        lock = tomllib.loads((Path(folder) / "uv.lock").read_text())
    return {address.rpartition("/")[2]: address for address in _urls(lock)}


def _urls(lock: dict[str, Any]) -> list[str]:
    packages: list[dict[str, Any]] = lock.get("package", [])
    files = [file for package in packages for file in (package.get("sdist"), *package.get("wheels", ())) if file]
    return [file["url"] for file in files if "url" in file]


def _uv() -> str:
    """uv tells those it runs where it is; else it is on PATH or beside this Python."""
    beside = str(Path(sys.executable).parent)
    found = os.environ.get("UV") or shutil.which("uv") or shutil.which("uv", path=beside)
    if not found:
        raise ProjectError(
            "uv is needed to fetch the demo's project and is not on PATH. Start the demo with `make demo`, "
            "which brings it, or install it with `pip install uv`."
        )
    return found


def _download(pin: Pin, addresses: dict[str, str]) -> bytes:
    address = addresses.get(pin.file)
    if address is None:
        raise ProjectError(f"The package index has no {pin.file}. Point UV_DEFAULT_INDEX to one that has.")
    try:
        answer = httpx.get(address, timeout=60, follow_redirects=True)
        answer.raise_for_status()
    except httpx.HTTPError as error:
        raise ProjectError(f"{pin.file} could not be fetched ({error}). Check the network and start again.") from error
    return answer.content


def _write(path: Path, data: bytes) -> None:
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    part.write_bytes(data)
    part.replace(path)


def _appear(folder: Path, fill: Callable[[Path], None]) -> None:
    """Make the folder beside its place and move it there whole: one that exists is complete."""
    part = folder.with_name(f"{folder.name}.{os.getpid()}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir()
    fill(part)
    part.replace(folder)


def _unzip(wheel: Path, folder: Path) -> None:
    """A pure Python wheel is installed by unpacking it."""
    shutil.unpack_archive(wheel, folder, "zip")


def _commit(sdist: Path, folder: Path) -> None:
    """The same two commits, with the same ids, on every machine."""
    with tarfile.open(sdist) as archive:
        for member in archive:
            if (stream := archive.extractfile(member)) is not None:
                path = folder.joinpath(*Path(member.name).parts[1:])
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(stream.read())
    _git(folder, "init", "--quiet", "--initial-branch=main")
    _git(folder, "add", "--all", "--force")
    _git(folder, "commit", "--quiet", "--message=python-slugify 9.1.0, as released")
    shutil.copy(_HERE / "WORKFLOW.md", folder / "WORKFLOW.md")
    (folder / ".gitignore").write_text("__pycache__/\n")
    _git(folder, "add", "--all")
    _git(folder, "commit", "--quiet", "--message=How Pawl works on this repository")


def _git(folder: Path, *words: str) -> None:
    identity = {
        f"GIT_{who}_{what}": value
        for who in ("AUTHOR", "COMMITTER")
        for what, value in (("NAME", "Pawl demo"), ("EMAIL", "demo@pawl.invalid"), ("DATE", _DATE))
    }
    environment = {"PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", **identity}
    subprocess.run(["git", *words], cwd=folder, env=environment, check=True, capture_output=True)


def _python_for_sandbox() -> Path | None:
    """The sandbox shows /usr. When no Python new enough for the library is there, ours is shown as well."""
    system = shutil.which("python3", path="/usr/local/bin:/usr/bin:/bin")
    wants = "import sys, unittest, html.entities; sys.exit(sys.version_info < (3, 10))"
    if system and subprocess.run([system, "-c", wants], capture_output=True).returncode == 0:
        return None
    return Path(sys.base_prefix)
