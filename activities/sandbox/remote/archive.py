"""The program that is put into every remote sandbox, as one file: Python runs a zip archive with a `__main__.py`."""

import hashlib
import io
import zipfile
from functools import cache
from pathlib import Path

from workflows.domain.model import Record

SOURCES = Path(__file__).parents[3]
_INSIDE = Path(__file__).parent / "inside"
MODULES = (
    "activities/sandbox/tree.py",
    "activities/sandbox/supervisor/output.py",
    "activities/sandbox/supervisor/sockets.py",
    "activities/sandbox/supervisor/watch.py",
    *(f"activities/sandbox/remote/inside/{path.name}" for path in sorted(_INSIDE.glob("*.py"))),
)
_MAIN = "from activities.sandbox.remote.inside.main import main\n\nmain()\n"
_LONG_AGO = (1980, 1, 1, 0, 0, 0)


class Archive(Record):
    name: str
    """By its content: another version is another file, and who runs the old one is not disturbed."""
    data: bytes


@cache
def built() -> Archive:
    """The same bytes on every machine with the same sources."""
    packages = {f"{parent}/__init__.py": "" for module in MODULES for parent in Path(module).parents if parent.name}
    files = packages | {module: (SOURCES / module).read_text() for module in MODULES} | {"__main__.py": _MAIN}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(files):
            archive.writestr(zipfile.ZipInfo(path, _LONG_AGO), files[path])
    data = buffer.getvalue()
    return Archive(name=f"pawl-{hashlib.sha256(data).hexdigest()[:16]}.pyz", data=data)
