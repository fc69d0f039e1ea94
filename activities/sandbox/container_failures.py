"""What podman and docker complain about, as the port's errors."""

import re

from workflows.ports.sandbox import BadSpec, Capacity, Denied, Gone, Transient

_FAILURES: tuple[tuple[str, type[Exception]], ...] = (
    (r"no such container|no container with|is not running|container state improper|can only create exec", Gone),
    (r"cannot connect to the docker daemon|cannot connect to podman", Transient),
    (r"permission denied while trying to connect", Denied),
    (r"no space left|cannot allocate memory|resource temporarily unavailable|too many open files", Capacity),
    (r"image not known|no such image|unable to find image|pull access denied|manifest unknown|name unknown"
     r"|requested access to the resource is denied|unauthorized|must be lowercase|did not resolve to an alias"
     r"|initializing source|invalid reference format|python3.*not found", BadSpec),
)  # fmt: skip


class NotStarted(Transient):
    """The container has no room for a command of ours; our program in it is about to see to that."""


class NameInUse(Transient):
    """Another maker was faster, or the container of that name is just being removed."""


def failure_of(complaint: str) -> Exception:
    """The port's error for what the program says."""
    text = complaint.strip()[-500:]
    if re.search(r"name .*(is already in use|already exists)", text):
        return NameInUse(text)
    if "exec failed: unable to start container process" in text and "not found" not in text:
        return NotStarted(text)
    kind = next((kind for words, kind in _FAILURES if re.search(words, text, re.IGNORECASE)), Transient)
    return kind(text)
