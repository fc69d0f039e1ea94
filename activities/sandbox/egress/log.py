"""What the proxy writes down: a line of JSON when it decides, and one with the bytes when a connection ends."""

import json
import os
import time
from datetime import UTC, datetime
from typing import Any

MOST = 10_000
"""Decisions of one job. Who wants more gets nothing more: what cannot be written down does not leave."""


class Full(Exception):
    """This job has used up its decisions."""


class Log:
    """Lines in the order of what happened. `fd` is open for appending, and each line is one write."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._count = 0

    def decided(self, **what: Any) -> int:
        """The number of this decision. Raises Full."""
        self._count += 1
        if self._count > MOST:
            raise Full(f"This command has asked for {MOST:,} connections, and no more are made for it.")
        self._write({"n": self._count, "at": datetime.now(UTC).isoformat(timespec="milliseconds"), **what})
        return self._count

    def ended(self, number: int, *, sent: int, received: int, begun: float) -> None:
        """`begun` is of time.monotonic; `sent` left the sandbox, `received` came in."""
        seconds = round(time.monotonic() - begun, 3)
        self._write({"n": number, "sent": sent, "received": received, "seconds": seconds})

    def _write(self, line: dict[str, Any]) -> None:
        os.write(self._fd, json.dumps(line).encode() + b"\n")
