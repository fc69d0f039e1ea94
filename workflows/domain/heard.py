"""What was heard of already: the newest ids, so that what comes again counts once."""


class Heard:
    """Remembers the newest `most` ids: far more than any sender repeats, and no more than a ticket can hold."""

    def __init__(self, most: int = 2_000) -> None:
        self._most = most
        self._ids: dict[str, None] = {}
        """Oldest first."""

    def __contains__(self, happening: str) -> bool:
        return happening in self._ids

    def first(self, happening: str) -> bool:
        """Whether this is heard of for the first time; from now on it was."""
        if happening in self._ids:
            return False
        self._ids[happening] = None
        if len(self._ids) > self._most:
            self._ids.pop(next(iter(self._ids)))
        return True
