"""Host access to files an untrusted tree holds, with the port's errors. The rules are in `tree`."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from activities.sandbox import tree
from activities.sandbox.tree import WORK
from workflows.ports.sandbox import BadSpec, Denied

__all__ = ["WORK", "read_file", "write_file"]


def read_file(work: Path, path: str, max_bytes: int) -> bytes:
    """Raises FileNotFoundError, Denied (a link, no regular file), BadSpec (too large)."""
    with _errors_of_the_port():
        return tree.read_file(str(work), path, max_bytes)


def write_file(work: Path, path: str, data: bytes, mode: int, owner: int | None) -> None:
    """Replace the file in one step, making folders on the way. `owner` is the uid it and they are given."""
    with _errors_of_the_port():
        tree.write_file(str(work), path, data, mode, owner)


@contextmanager
def _errors_of_the_port() -> Generator[None]:
    try:
        yield
    except tree.Forbidden as error:
        raise Denied(str(error)) from error
    except tree.TooLarge as error:
        raise BadSpec(str(error)) from error
