"""The worker's side of a job's folder: start its supervisor, see how it is, stop it. See supervisor.main for files."""

import errno
import os
import secrets
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from activities.sandbox.refusals import explain
from activities.sandbox.supervisor.spec import JobSpec
from workflows.ports.sandbox import BadSpec, ExitReason, JobState, JobView, Transient

_BOOT = "import sys; sys.path.append(sys.argv[1]); from supervisor.main import main; main(sys.argv[2])"
_HERE = Path(__file__).parent
_PYTHON = os.path.realpath(sys.executable)
"""The interpreter itself, not a virtual environment's link to it: half the start-up time."""
_NAME = "name"
_KILL_SECONDS = 25.0
_SIGKILL = 9


def start(folder: Path, job: str, spec: JobSpec) -> None:
    """Start the job unless it was started before, by whomever. The first specification written is the one that runs."""
    if (folder / "started").exists():
        return
    folder.mkdir(mode=0o700, exist_ok=True)
    (folder / _NAME).write_text(job)
    _write_once(folder / "spec", spec.dumps())
    with (folder / "log").open("ab") as log:
        launcher = subprocess.run(
            [_PYTHON, "-I", "-S", "-c", _BOOT, str(_HERE), str(folder)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=log,
            env={},
            cwd="/",
            start_new_session=True,
            check=False,
        )
    if launcher.returncode != 0:
        raise Transient(f"The sandbox's supervisor did not start: {(folder / 'log').read_text()[-1000:]}")


def view(folder: Path, out_at: int, err_at: int) -> JobView:
    """State first, output second: whoever reads `exited` has all output."""
    ended = _ended(folder)
    out, err = _from(folder / "out", out_at), _from(folder / "err", err_at)
    state = JobView(
        state=JobState.EXITED if ended else JobState.RUNNING,
        out=out,
        err=err,
        out_next=out_at + len(out),
        err_next=err_at + len(err),
    )
    if ended is None:
        return state
    reason, code, truncated = ended
    return state.model_copy(update={"reason": reason, "code": code, "truncated": truncated, "egress": egress(folder)})


def folders_of(remains: Path) -> list[Path]:
    """Those of all jobs there were; none when somebody else has removed the remains meanwhile."""
    try:
        return sorted((remains / "jobs").iterdir())
    except FileNotFoundError:
        return []


def egress(folder: Path) -> str:
    """What the job was let reach so far."""
    return _from(folder / "egress", 0).decode(errors="replace")


def name(folder: Path) -> str:
    """The job's id; its folder's name where an older Pawl has started it."""
    return _from(folder / _NAME, 0).decode() or folder.name


def has_ended(folder: Path) -> bool:
    return (folder / "exit").exists() or not _has_supervisor(folder)


def kill(folder: Path) -> None:
    """Have the supervisor end the whole tree, and wait until it is gone itself. If it does not, its death does."""
    control = _control(folder)
    if control is None:
        return
    with suppress(BrokenPipeError):  # it ended between the look and the word
        os.write(control, b"k")
    os.close(control)
    deadline = time.monotonic() + _KILL_SECONDS
    while _has_supervisor(folder):
        if time.monotonic() > deadline:
            os.kill(int((folder / "pid").read_text()), _SIGKILL)
            return
        time.sleep(0.005)


def _ended(folder: Path) -> tuple[ExitReason, int | None, bool] | None:
    """None while it runs. Raises BadSpec (no such job) and Refused (the sandbox could not be started)."""
    if not (folder / "started").exists():
        raise BadSpec(f"There is no job {folder.name}.")
    alive = _has_supervisor(folder)
    try:
        reason, code, truncated = (folder / "exit").read_text().split()
    except FileNotFoundError:
        return None if alive else (ExitReason.GONE, None, False)
    if reason == "refused":
        raise explain((folder / "err").read_text(errors="replace"))
    return ExitReason(reason), None if code == "-" else int(code), truncated == "1"


def _has_supervisor(folder: Path) -> bool:
    control = _control(folder)
    if control is None:
        return False
    os.close(control)
    return True


def _control(folder: Path) -> int | None:
    """The writing end of the supervisor's fifo; None when nobody reads it."""
    try:
        return os.open(folder / "control", os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno == errno.ENXIO:
            return None
        raise


def _write_once(path: Path, data: bytes) -> None:
    draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    draft.write_bytes(data)
    try:
        path.hardlink_to(draft)
    except FileExistsError:
        return
    finally:
        draft.unlink()


def _from(path: Path, offset: int) -> bytes:
    try:
        with path.open("rb") as file:
            file.seek(offset)
            return file.read()
    except FileNotFoundError:
        return b""
