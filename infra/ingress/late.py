"""A door that is shut, for good or until somebody opens it. Who knocks is told why, and may come again."""

from collections.abc import Mapping

from infra.ingress.door import Delivery, Door, Turned


class LateDoor(Door):
    """Answers 503 with `why`, which names the connection; once `behind` is set, it is that door."""

    def __init__(self, name: str, why: str, most_bytes: int = 5 * 1024 * 1024) -> None:
        self.name, self.why, self.most_bytes = name, why, most_bytes
        self.behind: Door | None = None

    def check(self, headers: Mapping[str, str], body: bytes, now: float) -> None:
        """Raises Turned while it is shut, too."""
        self._opened().check(headers, body, now)

    def read(self, headers: Mapping[str, str], body: bytes) -> Delivery:
        return self._opened().read(headers, body)

    def _opened(self) -> Door:
        if self.behind is None:
            raise Turned(self.why, 503)
        return self.behind
