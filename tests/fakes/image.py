"""A small image for containers, made of this machine's programs: no registry is asked for one."""

import io
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

from activities.sandbox import mounts

_PROGRAMS = (
    "cat chmod chown cut date dd du env false fallocate find grep head id kill ln ls mkdir mkfifo mv nohup printf pwd "
    "readlink rm sed seq setpriv setsid sh sleep sort stat su tail tee touch tr true unshare wc"
)
_LEFT_OUT = {"test", "site-packages", "idlelib", "ensurepip", "tkinter", "lib2to3", "turtledemo"}
_PYTHON = Path(sys.base_prefix)
_VERSION = f"python{sys.version_info.major}.{sys.version_info.minor}"


def pack(to: Path) -> None:
    """Write the image's root file system as a tar archive."""
    programs = [Path(found) for name in _PROGRAMS.split() if (found := shutil.which(name, path="/usr/bin:/bin"))]
    python = _PYTHON / "bin" / _VERSION
    modules = sorted((_PYTHON / "lib" / _VERSION / "lib-dynload").glob("*.so"))
    with tarfile.open(to, "w") as archive:
        for path in programs:
            archive.add(path.resolve(), f"usr/bin/{path.name}")
        archive.add(python, f"opt/python/bin/{_VERSION}")
        archive.add(_PYTHON / "lib" / _VERSION, f"opt/python/lib/{_VERSION}", filter=_needed)
        for path in _libraries([*programs, python, *modules]):
            # those of a Python with a folder of its own as well: it may be one that only root may enter
            is_apart = path.is_relative_to(_PYTHON) and Path("/usr") != _PYTHON
            archive.add(path.resolve(), f"usr/lib/{path.name}" if is_apart else str(path))
        _link(archive, "opt/python/bin/python3", _VERSION)
        _link(archive, "usr/bin/python3", f"/opt/python/bin/{_VERSION}")
        for name in mounts.LINKS:
            if Path("/", name).is_symlink():
                _link(archive, name, str(Path("/", name).readlink()))
        for path, text in mounts.system_files():
            _add(archive, path, text.encode())
        for folder in ("tmp", "var/tmp"):
            _add(archive, folder, None, 0o1777)


def _libraries(programs: list[Path]) -> set[Path]:
    said = subprocess.run(["ldd", *programs], capture_output=True, text=True, check=True).stdout
    found = {Path(path) for path in re.findall(r"(/\S+) \(0x", said)}
    return {Path("/usr", *path.parts[1:]) if Path("/", path.parts[1]).is_symlink() else path for path in found}


def _needed(info: tarfile.TarInfo) -> tarfile.TarInfo | None:
    parts = Path(info.name).parts
    return None if _LEFT_OUT & set(parts) or any(part.startswith("config-") for part in parts) else info


def _link(archive: tarfile.TarFile, path: str, target: str) -> None:
    info = tarfile.TarInfo(path)
    info.type, info.linkname = tarfile.SYMTYPE, target
    archive.addfile(info)


def _add(archive: tarfile.TarFile, path: str, data: bytes | None, mode: int = 0o644) -> None:
    info = tarfile.TarInfo(path.lstrip("/"))
    info.mode = mode
    if data is None:
        info.type = tarfile.DIRTYPE
    else:
        info.size = len(data)
    archive.addfile(info, io.BytesIO(data or b""))
