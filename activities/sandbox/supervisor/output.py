"""The command's output, pumped into files up to a cap and dropped beyond it, so that nobody blocks or fills a disk."""

from __future__ import annotations  # Python 3.8: this also runs inside of remote sandboxes

import os

_CHUNK = 1 << 16


class Output:
    """One stream of the command."""

    def __init__(self, fd: int, path: str, cap: int) -> None:
        self.fd = fd
        self.truncated = False
        self._left = cap
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def pump(self) -> bool:
        """Move what is there; False at the end of the stream."""
        data = os.read(self.fd, _CHUNK)
        self.keep(data)
        return bool(data)

    def keep(self, data: bytes) -> None:
        """Write down as much of it as there is room for."""
        kept = data[: self._left]
        self._left -= len(kept)
        self.truncated = self.truncated or len(kept) < len(data)
        while kept:
            kept = kept[os.write(self._file, kept) :]
