"""The demo's project: a released library from the package index, as a git repository with its real test suite."""

import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from infra.demo.fetch import Pin, fetch_missing
from workflows.domain.model import Record

PACKAGES_INSIDE = "/opt/python-packages"
"""Where the sandbox shows what the library and its tests import; WORKFLOW.md names it too."""
KEPT = ("downloads", "python-packages")
"""What in the demo's home outlives a run."""

LIBRARY = Pin(
    package="python-slugify",
    version="9.1.0",
    file="python_slugify-9.1.0.tar.gz",
    sha256="3f02e8a0639c61e37eca5a783aae09112796d15d331ee3d5372241b61ee05f1c",
)
PACKAGES = (
    Pin(
        package="text-unidecode",
        version="1.3",
        file="text_unidecode-1.3-py2.py3-none-any.whl",
        sha256="1311f10e8b895935241623731c2ba64f4c455287888b18189350b67134a822e8",
    ),
    Pin(
        package="pytest",
        version="9.2.0",
        file="pytest-9.2.0-py3-none-any.whl",
        sha256="07acdcf88ec174f907dc01af70bf52d49b014bbab03faeeade31c96b18c2e588",
    ),
    Pin(
        package="iniconfig",
        version="2.3.1",
        file="iniconfig-2.3.1-py3-none-any.whl",
        sha256="9121e2c1fdb355232495be3194c8dfe87ccc2d5dee45947b78e68f499790d7a7",
    ),
    Pin(
        package="packaging",
        version="26.3",
        file="packaging-26.3-py3-none-any.whl",
        sha256="d7193f7c8e4e93f444fde0262bf90af30e16fa0ad0ad44cb553c87339b23cd1c",
    ),
    Pin(
        package="pluggy",
        version="1.7.0",
        file="pluggy-1.7.0-py3-none-any.whl",
        sha256="7dd7b0d8832ba3cb632c306926ded123429211b83641b35dc5c41ad2d34f9bec",
    ),
    Pin(
        package="pygments",
        version="2.21.0",
        file="pygments-2.21.0-py3-none-any.whl",
        sha256="2363c69b61c4a97c838da3b130dcd6468f4848992b21a82f2a63ec34377137d9",
    ),
)
"""What the library and its test suite import, all of it plain Python."""

_HERE = Path(__file__).parent


class Author(NamedTuple):
    """Who commits, and when."""

    name: str = "Pawl demo"
    email: str = "demo@pawl.invalid"
    at: str = "2026-11-21T00:00:00Z"


_DEMO = Author()


class Project(Record):
    repository: Path
    """A git repository: the release as one commit, the demo's WORKFLOW.md as a second one."""
    packages: Path
    """Folder with what the library and its tests import, to be shown in the sandbox."""
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


def prepare(home: Path, say: Callable[[str], None] = lambda _: None, author: Author = _DEMO) -> Project:
    """Make the project below `home`, fetching only what is not there yet. Raises OutOfReach.

    Nothing of what is fetched is built or run on this machine: the release is unpacked, its tests run in the sandbox.
    """
    downloads, packages, repository = home / "downloads", home / "python-packages", home / "python-slugify"
    downloads.mkdir(parents=True, exist_ok=True)
    fetch_missing((LIBRARY, *PACKAGES), downloads, say)
    if not packages.is_dir():
        _appear(packages, lambda folder: _unpack([downloads / pin.file for pin in PACKAGES], folder))
    shutil.rmtree(repository, ignore_errors=True)
    _appear(repository, lambda folder: _commit(downloads / LIBRARY.file, folder, author))
    return Project(repository=repository, packages=packages, python=_python_for_sandbox())


def _appear(folder: Path, fill: Callable[[Path], None]) -> None:
    """Make the folder beside its place and move it there whole: one that exists is complete."""
    part = folder.with_name(f"{folder.name}.{os.getpid()}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir()
    fill(part)
    part.replace(folder)


def _unpack(wheels: Iterable[Path], folder: Path) -> None:
    """A wheel of plain Python is installed by unpacking it. The sandbox reads it as another user."""
    for wheel in wheels:
        shutil.unpack_archive(wheel, folder, "zip")
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)


def _commit(release: Path, folder: Path, author: Author) -> None:
    """The same two commits, with the same ids, on every machine."""
    with tarfile.open(release) as archive:
        for member in archive:
            if (stream := archive.extractfile(member)) is not None:
                path = folder.joinpath(*Path(member.name).parts[1:])
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(stream.read())
                path.chmod(0o644)
    git(folder, "init", "--quiet", "--initial-branch=main")
    git(folder, "add", "--all", "--force")
    git(folder, "commit", "--quiet", f"--message={LIBRARY.package} {LIBRARY.version}, as released", author=author)
    shutil.copy(_HERE / "WORKFLOW.md", folder / "WORKFLOW.md")
    (folder / ".gitignore").write_text("__pycache__/\n.pytest_cache/\n")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message=How Pawl works on this repository", author=author)


def git(folder: Path, *words: str, author: Author = _DEMO) -> None:
    """Git without anybody's settings."""
    identity = {
        f"GIT_{who}_{what}": value
        for who in ("AUTHOR", "COMMITTER")
        for what, value in (("NAME", author.name), ("EMAIL", author.email), ("DATE", author.at))
    }
    environment = {"PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", **identity}
    subprocess.run(["git", *words], cwd=folder, env=environment, check=True, capture_output=True)


def _python_for_sandbox() -> Path | None:
    """The sandbox shows /usr. When no Python new enough for the tests is there, ours is shown as well."""
    system = shutil.which("python3", path="/usr/local/bin:/usr/bin:/bin")
    wants = "import sys, unittest, html.entities; sys.exit(sys.version_info < (3, 11))"
    if system and subprocess.run([system, "-c", wants], capture_output=True).returncode == 0:
        return None
    return Path(sys.base_prefix)
