"""Who did something outside: named by the place that vouches for them, trusted as far as that place says."""

import re
from enum import StrEnum

from workflows.domain.model import Record

_EMAIL = re.compile(r"[^<>@\s]{1,64}@[^<>@\s]{1,190}")


class Trust(StrEnum):
    """How far a person's words go."""

    OURS = "ours"
    """Pawl itself: an echo, which changes nothing."""
    MEMBER = "member"
    """Belongs to the workspace, or may write to the repository: may ask, steer and, where policy says so, decide."""
    STRANGER = "stranger"
    """Anybody else, other bots included: their words are data and never an instruction."""
    UNPROVEN = "unproven"
    """What was sent does not say who they are: their place is asked before anything they say counts. Until then they
    are a stranger."""


class Person(Record):
    place: str
    """Where they are known, a name of a connection: `linear`, `github`, `slack`."""
    id: str
    """Their immutable id there."""
    name: str = ""
    """As people read it. Untrusted."""
    handle: str = ""
    """What a policy may name them by instead of the id: an e-mail address or a login, as the place itself vouches."""
    trust: Trust = Trust.STRANGER

    @property
    def key(self) -> str:
        """`place:id`, what is recorded with a decision."""
        return f"{self.place}:{self.id}"

    @property
    def email(self) -> str:
        """The address their place gives for them; empty where it gives none."""
        return self.handle if _EMAIL.fullmatch(self.handle) else ""

    @property
    def shown(self) -> str:
        return self.name or self.handle or self.key

    def is_named(self, who: str) -> bool:
        """Whether a policy's entry means this person: `linear:ada@acme.com`, `github:ada`, `slack:U012AB3CD`."""
        place, colon, name = who.partition(":")
        known = {self.id.casefold(), self.handle.casefold()} - {""}
        return bool(colon) and place == self.place and name.casefold() in known
