"""What a vendor of containers or microVMs must offer. RemoteSandbox makes the methods of the port of it."""

from abc import ABC, abstractmethod
from collections.abc import Mapping

from workflows.domain.model import Record
from workflows.ports.sandbox import Capabilities, SandboxInfo, SandboxSpec


class Said(Record):
    """What one of our own short commands answered."""

    code: int
    out: str
    """Standard output: ASCII, at most a few megabytes."""
    err: str = ""
    """Standard error where the vendor keeps it apart."""


def shell(script: str, *words: str) -> tuple[str, ...]:
    """A script of ours for `run`. Its programs are root's own: a command can put others into the folders of the image's
    PATH that it may write to, and they would run as root here."""
    return ("/bin/sh", "-c", f"PATH=/usr/sbin:/usr/bin:/sbin:/bin\n{script}", "sh", *words)


def python(script: str, *words: str) -> tuple[str, ...]:
    """A script of ours for `run`, before it is known which python3 of an image is safe: one of the system's folders."""
    return shell('PATH=/usr/local/bin:$PATH; exec python3 -I -S -c "$@"', script, *words)


class Vendor(ABC):
    """A vendor's calls, one method each: an adapter translates and nothing more.

    `instance` is the vendor's own name of one sandbox, never used again. Every method raises the port's errors: Gone
    when there is no such sandbox (any more), Denied for a key the vendor refuses, Capacity when it is full, Transient
    for what may work in a moment. Vendors' own retries are off.
    """

    name: str

    @property
    @abstractmethod
    def capabilities(self) -> Capabilities: ...

    @abstractmethod
    async def make(self, spec: SandboxSpec) -> str:
        """The living sandbox of `spec.key`, made where there is none; of two makers at once one wins and both
        get its sandbox. It runs until it is removed, is older than `lifetime_seconds` or idle for `idle_seconds`; its
        limits, labels and network are those of the spec. RemoteSandbox has checked the spec against `capabilities`.
        A snapshot that was removed is Gone, an image name that is none BadSpec; a name is never taken for a
        snapshot."""

    @abstractmethod
    async def run(self, instance: str, argv: tuple[str, ...], timeout_seconds: float) -> Said:
        """Run a short command as the sandbox's most powerful user and wait for its end. Words and output are ASCII,
        the words 16 KiB at most. Safe to cancel: the command may go on, and ends by itself. A program that does not
        exist is code 126 or 127; one that takes longer than `timeout_seconds` is Transient."""

    @abstractmethod
    async def put(self, instance: str, path: str, data: bytes) -> None:
        """Write a file in one of our own folders, which exists. Binary, up to 100 MB."""

    @abstractmethod
    async def get(self, instance: str, path: str, max_bytes: int) -> bytes:
        """Read a file of one of our own folders, of at most so many bytes. Raises FileNotFoundError."""

    @abstractmethod
    async def snapshot(self, instance: str) -> str:
        """Keep the file system: a reference for `spec.snapshot`. Raises PolicyUnsupported where there is none."""

    @abstractmethod
    async def forget(self, reference: str) -> None:
        """Remove a snapshot, which no living sandbox was made of; what does not exist is fine."""

    @abstractmethod
    async def remove(self, key: str) -> None:
        """Kill everything in the key's sandbox and remove it; what does not exist is fine."""

    @abstractmethod
    async def list(self, labels: Mapping[str, str]) -> list[SandboxInfo]:
        """The living sandboxes that carry all these labels, only those of this installation of Pawl."""
