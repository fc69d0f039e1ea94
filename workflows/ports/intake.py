"""What nobody has told: looking at a tracker for what a webhook did not bring."""

from abc import abstractmethod
from datetime import datetime, timedelta

from pydantic import Field
from temporalio import activity
from temporalio.workflow import ActivityConfig

from workflows.domain.chat import Waiting
from workflows.domain.model import Record
from workflows.domain.sweep import Disagreement, Parked, Place
from workflows.ports import PATIENT, Port


class Reconcile(Record):
    tracker: str
    """The connection's name."""
    since: datetime | None = None
    """Where the last look ended; None: nobody has looked yet."""
    nudge: bool = False
    """Whether tickets at the merge gate are to look at their pull requests, too. By themselves they look ever more
    rarely, so that waiting costs little: this is for a person who does not want to wait."""


class Reconciled(Record):
    until: datetime
    """Everything before has been seen."""
    complete: bool = True
    """False: there was more than one look may take; look again at once."""
    started: tuple[str, ...] = ()
    """Tickets that were started, by identifier; the last 100 of them."""
    told: int = 0
    """Moves and words passed on, those that tickets had heard before included."""
    nudged: int = 0
    """Tickets that were told to look at their pull requests."""
    redelivered: int = 0
    """Deliveries that failed and that the sender was asked to send again."""

    def plus(self, later: "Reconciled") -> "Reconciled":
        """Two looks as one."""
        return later.model_copy(
            update={
                "started": (*self.started, *later.started)[-100:],
                "told": self.told + later.told,
                "nudged": self.nudged + later.nudged,
                "redelivered": self.redelivered + later.redelivered,
            }
        )


class ListParked(Record):
    """What has waited for people for long."""

    before: datetime
    """Since when, and since when it was not reminded."""
    most: int = Field(default=50, ge=1, le=500)


class ListPlaces(Record):
    since: datetime
    """Tickets that ended before are not counted."""


class CompareCards(Record):
    since: datetime
    """Tickets that ended before are not looked at."""
    most: int = Field(default=50, ge=1, le=500)


class Compared(Record):
    found: tuple[Disagreement, ...] = ()
    troubles: tuple[str, ...] = ()
    """Trackers that could not be looked at or not be believed, a sentence each."""


class Intake(Port):
    """What nobody has told."""

    options = ActivityConfig(start_to_close_timeout=timedelta(minutes=5), retry_policy=PATIENT)

    @activity.defn
    @abstractmethod
    async def reconcile(self, request: Reconcile) -> Reconciled:
        """Look at the tracker and at what is under way, and do about it what the webhooks would have done. Doing it
        twice, or after the webhook came after all, changes nothing."""

    @activity.defn
    @abstractmethod
    async def list_waiting(self) -> list[Waiting]:
        """The tickets that wait for a person, at most 100."""

    @activity.defn
    @abstractmethod
    async def list_parked(self, request: ListParked) -> list[Parked]:
        """The tickets that wait for a person and were not reminded for long, the longest first; those that are paused
        are left out."""

    @activity.defn
    @abstractmethod
    async def list_places(self, request: ListPlaces) -> list[Place]:
        """The repositories that a route, a schedule or a ticket names, each once."""

    @activity.defn
    @abstractmethod
    async def compare_cards(self, request: CompareCards) -> Compared:
        """Cards and tickets that disagree, in every tracker that a route or a ticket names. Changes nothing."""

    @activity.defn
    @abstractmethod
    async def put_right(self, found: Disagreement) -> bool:
        """Move the card, or tell the ticket, if it is still as it was found; whether anything was done. Done twice it
        has the effect of once."""
