"""The files by which the processes and commands of one home find each other."""

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Generator
from pathlib import Path
from typing import IO, TypeVar
from urllib.parse import quote

from infra.exits import Refused
from infra.files import PRIVATE, private_folder, replace_file
from infra.settings import Settings
from workflows.domain.model import Record

R = TypeVar("R", bound=Record)

LOCK = "stack.lock"
_TRIES, _MOMENT_SECONDS = 5, 0.02


class ServerFile(Record):
    """`server.json`: the dev server of this home, as it last started."""

    address: str
    ui: str
    pid: int


class StackFile(Record):
    """`stack.json`: what runs in this home now; it is removed when the stack stops."""

    pid: int
    """The supervisor."""
    temporal: str
    ui: str
    """Empty when the Temporal server is not ours."""
    gateway: str
    board: str
    """The folder of the board that the worker works on."""
    pids: dict[str, int]
    ingress: str = ""
    """Where webhooks are taken; empty when none are."""


def server_file(settings: Settings) -> ServerFile | None:
    return _read(settings.home / "server.json", ServerFile)


def stack_file(settings: Settings) -> StackFile | None:
    """What runs here now; None also when its supervisor was killed, which ends everything it started."""
    stack = _read(settings.home / "stack.json", StackFile)
    return stack if stack is not None and _is_held(settings.home / LOCK) else None


def write(settings: Settings, record: ServerFile | StackFile) -> None:
    name = "server.json" if isinstance(record, ServerFile) else "stack.json"
    replace_file(settings.home / name, record.model_dump_json(indent=1).encode(), PRIVATE)


def forget(settings: Settings) -> None:
    for name in ("stack.json", "server.json"):
        (settings.home / name).unlink(missing_ok=True)


def located(settings: Settings) -> Settings:
    """The settings with the gateway's address of the running stack, unless the operator set one."""
    stack = stack_file(settings)
    if stack is None or "gateway_url" in settings.model_fields_set:
        return settings
    return settings.model_copy(update={"gateway_url": stack.gateway})


def ui_link(ui: str, workflow_id: str, run_id: str) -> str:
    """The page of a workflow in the Temporal UI at `ui`."""
    return f"{ui}/namespaces/default/workflows/{quote(workflow_id, safe='')}/{run_id}/history"


def ui_of(settings: Settings) -> str:
    """Where people open the Temporal UI; empty when it is not ours to know."""
    stack = stack_file(settings)
    return settings.ui_url or (stack.ui if stack else "")


def schedule_link(settings: Settings, name: str) -> str:
    """The page of a schedule in the Temporal UI; empty when the UI is not ours to know."""
    ui = ui_of(settings)
    return f"{ui}/namespaces/default/schedules/{quote(name, safe='')}" if ui else ""


def made(settings: Settings) -> Path:
    """The home folder, created for its owner only."""
    return private_folder(settings.home)


@contextlib.contextmanager
def only_one(settings: Settings) -> Generator[None]:
    """Hold this home's lock, which the kernel frees however the holder ends. Raises Refused while another holds it."""
    with (made(settings) / LOCK).open("a+") as file:
        if not _locked(file):
            file.seek(0)
            holder = file.read().strip() or "unknown"
            raise Refused(
                f"Pawl is up already in {settings.home} (process {holder}).",
                "Use that one, stop it, or choose another folder with PAWL_HOME.",
            )
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def _locked(file: IO[str]) -> bool:
    """Whether the lock could be had. A look whether somebody has it takes it as well, for less than a moment."""
    for _ in range(_TRIES):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            time.sleep(_MOMENT_SECONDS)
        else:
            return True
    return False


def _is_held(lock: Path) -> bool:
    try:
        with lock.open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False


def _read(path: Path, kind: type[R]) -> R | None:
    try:
        return kind.model_validate(json.loads(path.read_text()))
    except (OSError, ValueError):
        return None
