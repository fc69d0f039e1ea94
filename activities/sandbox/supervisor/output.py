"""The command's output, pumped into files up to a cap and dropped beyond it, so that nobody blocks or fills a disk."""

from __future__ import annotations  # Python 3.8: this also runs inside of remote sandboxes

import os
import select

_CHUNK = 1 << 16


class Output:
    """One stream of the command."""

    def __init__(self, fd: int, path: str, cap: int) -> None:
        self.fd = fd
        self.truncated = False
        self._left = cap
        os.set_blocking(fd, False)  # the command may read its own output: what poll saw may be gone when we come
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def pump(self) -> bool:
        """Move what is there; False at the end of the stream."""
        try:
            data = os.read(self.fd, _CHUNK)
        except BlockingIOError:
            return True
        self.keep(data)
        return bool(data)

    def drain(self) -> None:
        """Move all that is there, without waiting for more from whoever still holds the other end."""
        while select.select([self.fd], [], [], 0)[0] and self.pump():
            pass

    def keep(self, data: bytes) -> None:
        """Write down as much of it as there is room for."""
        kept = data[: self._left]
        self._left -= len(kept)
        self.truncated = self.truncated or len(kept) < len(data)
        while kept:
            kept = kept[os.write(self._file, kept) :]
