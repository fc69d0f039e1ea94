"""The host side of local sandboxes: a folder per sandbox, a folder per job in it, each made and removed in one step.

`<root>/<key>/about.json` what it is · `work/` its /work · `usage` bytes measured in work · `lease` touched by whoever
asks for the sandbox · `jobs/<job>/` see supervisor
"""

import fcntl
import hashlib
import os
import re
import secrets
import subprocess
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from pydantic import ValidationError

from workflows.domain.model import Record
from workflows.domain.policy import SandboxLimits
from workflows.ports.sandbox import BadSpec, Gone, SandboxRef, SandboxSpec, Transient

_FIRST_SPARE_UID = 1_900_000_000
SPARE_UIDS = 100_000_000
"""Above what systemd and container tools hand out, below 2^31. One uid per sandbox: none can touch another's. The
proxies beside them have the next so many."""


LEASE = "lease"


class About(Record):
    instance: str
    labels: dict[str, str]
    limits: SandboxLimits
    egress: tuple[str, ...] = ()
    lifetime_seconds: int
    idle_seconds: int
    created: datetime
    uid: int | None
    """The spare uid that owns its files; None: our own."""


def spare_uid() -> int | None:
    """A user id for one sandbox alone; None for whoever is not root and has only his own."""
    return _FIRST_SPARE_UID + secrets.randbelow(SPARE_UIDS) if os.geteuid() == 0 else None


def make(root: Path, spec: SandboxSpec, uid: int | None, fill: Callable[[Path], None]) -> About:
    """The sandbox of the key, made when there is none. Of two makers at once one wins and both get its sandbox.

    `fill` gets the folder of the new sandbox, with an empty `work`; what it puts there is to belong to `uid`.
    """
    if spec.key.startswith("."):
        raise BadSpec(f"The sandbox key {spec.key!r} must not start with a dot.")
    with suppress(Gone):
        return _renewed(root / spec.key)
    about = About(
        instance=secrets.token_hex(16),
        labels=spec.labels,
        limits=spec.limits,
        egress=spec.egress,
        lifetime_seconds=spec.lifetime_seconds,
        idle_seconds=spec.idle_seconds,
        created=datetime.now(UTC),
        uid=uid,
    )
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    with draft(root) as folder:
        for inner in ("jobs", "work"):
            (folder / inner).mkdir(mode=0o700)
        (folder / LEASE).touch()
        fill(folder)
        (folder / "about.json").write_text(about.model_dump_json())
        try:
            folder.rename(root / spec.key)
        except OSError:  # the key has a sandbox by now: a folder that is not empty is never replaced
            return _renewed(root / spec.key)
    return about


def give_home(folder: Path, uid: int | None) -> None:
    """Fill the work of a sandbox that starts from nothing."""
    (folder / "work/home").mkdir(mode=0o700)
    if uid is not None:
        os.chown(folder / "work", uid, uid)
        os.chown(folder / "work/home", uid, uid)


@contextmanager
def draft(parent: Path) -> Generator[Path]:
    """A new folder to fill and then rename to where it belongs; removed when that did not happen."""
    folder = parent / f".new-{secrets.token_hex(8)}"
    folder.mkdir(mode=0o700)
    held = lock(folder, fcntl.LOCK_EX)
    try:
        yield folder
    finally:
        os.close(held)
        if folder.exists():
            remove(folder)


def lock(folder: Path, how: int) -> int:
    """Lock a folder, as flock(2) does; the descriptor to close. Raises FileNotFoundError, BlockingIOError."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, how)
    except OSError:
        os.close(fd)
        raise
    return fd


def about_of(folder: Path) -> About:
    """Raises Gone when there is no such sandbox."""
    try:
        return About.model_validate_json((folder / "about.json").read_bytes())
    except (OSError, ValidationError) as error:
        raise Gone(f"The sandbox {folder.name} does not exist any more.") from error


def living(root: Path) -> list[str]:
    """The keys of all sandboxes."""
    return sorted(folder.name for folder in root.glob("[!.]*") if folder.is_dir())


def renew(folder: Path) -> None:
    """Say that the sandbox is wanted; one that is being removed stays so."""
    with suppress(FileNotFoundError):
        os.utime(folder / LEASE)


def _renewed(folder: Path) -> About:
    about = about_of(folder)
    renew(folder)
    return about


def drafts(parent: Path) -> list[Path]:
    """Folders that are being made, or were when their maker died."""
    return list(parent.glob(".new-*"))


def taken_away(root: Path) -> list[Path]:
    """The remains of sandboxes that were taken away and not yet removed."""
    return list(root.glob(".gone-*"))


def instance_of(remains: Path) -> str:
    """The instance these remains were; empty when that cannot be told any more."""
    try:
        return about_of(remains).instance
    except Gone:
        return ""


@contextmanager
def holding(folder: Path, ref: SandboxRef) -> Generator[About]:
    """Keep the sandbox from being removed meanwhile. Raises Gone when it has been, or is another by now."""
    try:
        held = lock(folder, fcntl.LOCK_SH)
    except OSError as error:
        raise Gone(f"The sandbox {ref.key} does not exist any more.") from error
    try:
        about = about_of(folder)
        if about.instance != ref.instance:
            raise Gone(f"The sandbox {ref.key} was replaced by a new one.")
        renew(folder)
        yield about
    finally:
        os.close(held)


def take_away(parent: Path, name: str) -> Path | None:
    """Make a sandbox or an image vanish from its name in one step; where its remains are, with nobody using them."""
    remains = rename_away(parent, name)
    if remains is None:
        return None
    try:
        os.close(lock(remains, fcntl.LOCK_EX))
    except FileNotFoundError:  # a sweep has found and removed them already
        return None
    return remains


def rename_away(parent: Path, name: str) -> Path | None:
    """The same for whoever holds it already."""
    if name.startswith(".") or "/" in name or not name:
        return None
    remains = parent / f".gone-{secrets.token_hex(8)}"
    try:
        return (parent / name).rename(remains)
    except FileNotFoundError:
        return None


def remove(remains: Path) -> None:
    """Remove an untrusted tree. `rm` copes with any depth; folders an ordinary user has locked are opened first."""
    for command in (["rm"], ["chmod", "-R", "u+rwX"], ["rm"]):
        options = ["-rf", "--one-file-system"] if command == ["rm"] else []
        subprocess.run([*command, *options, "--", str(remains)], stderr=subprocess.DEVNULL, check=False)
        if not remains.exists():
            return
    raise Transient(f"The sandbox folder {remains} could not be removed.")


def job_name(job: str) -> str:
    """A readable folder name for any job id; different ids never share one."""
    readable = re.sub(r"[^A-Za-z0-9_-]+", "-", job)[:60]
    return f"{readable}-{hashlib.sha256(job.encode()).hexdigest()[:12]}"
