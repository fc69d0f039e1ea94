"""Who somebody is: asked of the place that knows them, where what it sent did not say."""

from abc import abstractmethod
from datetime import timedelta

from temporalio import activity
from temporalio.common import RetryPolicy
from temporalio.workflow import ActivityConfig

from workflows.domain.chat import TaskAsked
from workflows.domain.intake import WordsSaid
from workflows.domain.model import Record
from workflows.domain.people import Person, Trust
from workflows.ports import Port


class Said(Record):
    """What somebody said, as it is passed on."""

    words: TaskAsked | WordsSaid

    def by(self, trust: Trust) -> "Said":
        """The same by somebody of whom this is known."""
        person = self.words.by.model_copy(update={"trust": trust})
        return Said(words=self.words.model_copy(update={"by": person}))


class Whisper(Record):
    """Words that only one person reads."""

    to: Person
    heard_in: str
    """`WordsSaid.heard_in`."""
    text: str
    """Plain."""


class Members(Port):
    """Who somebody is. How long it is tried is said by whoever asks."""

    options = ActivityConfig(
        start_to_close_timeout=timedelta(seconds=30),
        retry_policy=RetryPolicy(initial_interval=timedelta(milliseconds=250), maximum_interval=timedelta(seconds=60)),
    )

    @activity.defn
    @abstractmethod
    async def look_up(self, person: Person) -> Trust:
        """MEMBER or STRANGER, as their place says now, or said a few minutes ago.

        Raises BadCredentials where it may not be asked, BadRequest where it is not connected.
        """

    @activity.defn
    @abstractmethod
    async def pass_on(self, said: Said) -> None:
        """Do about it what is done about words. Done twice it has the effect of once."""

    @activity.defn
    @abstractmethod
    async def whisper(self, whisper: Whisper) -> bool:
        """Say it to them alone; False where they cannot be reached there. Tried again, it may be said twice."""
