"""Whether anybody still wants to know: the lease file of a sandbox is touched whenever it is asked for something."""

import os
import time


class Lease:
    """Counts only the time this machine is awake, and no clock that is set: a worker that slept as well is not late."""

    def __init__(self, path: str, seconds: float) -> None:
        self._path, self._seconds = path, seconds
        self._touched = self._last_touch()
        self._since = time.monotonic()

    def is_over(self) -> bool:
        touched = self._last_touch()
        if touched != self._touched:
            self._touched, self._since = touched, time.monotonic()
        return time.monotonic() - self._since > self._seconds

    def _last_touch(self) -> int:
        try:
            return os.stat(self._path).st_mtime_ns  # noqa: PTH116
        except FileNotFoundError:  # the sandbox is being removed
            return 0
