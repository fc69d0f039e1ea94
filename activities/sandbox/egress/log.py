"""What the proxy writes down: a line of JSON when it decides, one with the bytes when a connection ends, and some in
between. The same refusal is written down once, with how often it came."""

import json
import os
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

_FIRST_LOOK = 1 << 20
"""Bytes after which an open connection has its first line; the next is when there are twice as many."""


class Full(Exception):
    """There is no room for another decision."""


class Log:
    """Lines in the order of what happened. `fd` is open for appending, and each line is one write."""

    def __init__(self, fd: int, room: int) -> None:
        """`room`: bytes after which nothing more is decided. What cannot be written down does not leave."""
        self._fd, self._room = fd, room
        self._count = 0
        self._open: dict[int, Traffic] = {}
        self._refused: dict[str, _Refusal] = {}

    def refused(self, **what: Any) -> None:
        """A decision against; the same once more is only counted, and the count written now and then. Raises Full."""
        key = json.dumps(what)
        if key not in self._refused:
            self._refused[key] = _Refusal(self._decided(**what, allowed=False))
            return
        refusal = self._refused[key]
        refusal.times += 1
        if refusal.times >= 10 * refusal.told:
            self._tell_times(refusal)

    def allowed(self, **what: Any) -> "Traffic":
        """A decision for, and what then passes. Raises Full."""
        number = self._decided(**what, allowed=True)
        self._open[number] = Traffic(self, number)
        return self._open[number]

    def _decided(self, **what: Any) -> int:
        if self._room <= 0:
            raise Full("This sandbox has used up its room for writing down what it asks for, and gets nothing more.")
        self._count += 1
        self._write({"n": self._count, "at": datetime.now(UTC).isoformat(timespec="milliseconds"), **what})
        return self._count

    def passed(self, number: int, *, still_open: bool, **what: Any) -> None:
        """For Traffic."""
        self._write({"n": number, **what, **({"open": True} if still_open else {})})
        if not still_open:
            del self._open[number]

    def close(self) -> None:
        """Every connection ends now."""
        for traffic in list(self._open.values()):
            traffic.ended()
        for refusal in self._refused.values():
            if refusal.times > refusal.told:
                self._tell_times(refusal)

    def _tell_times(self, refusal: "_Refusal") -> None:
        refusal.told = refusal.times
        self._write({"n": refusal.number, "times": refusal.times})

    def _write(self, line: dict[str, Any]) -> None:
        data = json.dumps(line).encode() + b"\n"
        self._room -= len(data)
        os.write(self._fd, data)


@dataclass
class _Refusal:
    number: int
    times: int = 1
    told: int = 1


class Traffic:
    """The bytes of one connection, counted as they pass: `sent` left the sandbox, `received` came in."""

    def __init__(self, log: Log, number: int) -> None:
        self._log, self._number = log, number
        self._begun = time.monotonic()
        self._sent = self._received = 0
        self._next_look = _FIRST_LOOK

    def went_out(self, count: int) -> None:
        self._sent += count
        self._look()

    def came_in(self, count: int) -> None:
        self._received += count
        self._look()

    def ended(self) -> None:
        self._tell(still_open=False)

    def _look(self) -> None:
        """Whatever becomes of us, at least half of what passed is written down."""
        total = self._sent + self._received
        if total >= self._next_look:
            self._next_look = 2 * total
            self._tell(still_open=True)

    def _tell(self, *, still_open: bool) -> None:
        seconds = round(time.monotonic() - self._begun, 3)
        told = {"sent": self._sent, "received": self._received, "seconds": seconds}
        self._log.passed(self._number, still_open=still_open, **told)
