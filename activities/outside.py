"""What the outside services of this installation give to the worker."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime

from activities.git import TrustedClones
from activities.members import People
from workflows.ports.forge import Forge
from workflows.ports.notify import Notify
from workflows.ports.tracker import Tracker


@dataclass
class Outside:
    """What the connections give: trackers by their name, forges by the host of repositories."""

    clones: TrustedClones
    """Let in wherever a connection has a key."""
    trackers: dict[str, Tracker] = field(default_factory=dict[str, Tracker])
    forges: dict[str, Forge] = field(default_factory=dict[str, Forge])
    places: list[Notify] = field(default_factory=list[Notify])
    people: dict[str, People] = field(default_factory=dict[str, People])
    """By connection, where what is sent does not say who spoke."""
    redeliver: dict[str, Callable[[datetime], Awaitable[int]]] = field(
        default_factory=dict[str, Callable[[datetime], Awaitable[int]]]
    )
