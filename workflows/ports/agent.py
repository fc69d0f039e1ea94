"""An agent at work: sessions of turns."""

from abc import abstractmethod
from datetime import timedelta

from temporalio import activity
from temporalio.workflow import ActivityCancellationType, ActivityConfig

from workflows.domain.session import CloseSession, OpenedSession, OpenSession, TakeTurn, TurnReport
from workflows.ports import PATIENT, Port


class Agent(Port):
    """An agent at work, one turn per activity."""

    options = ActivityConfig(
        start_to_close_timeout=timedelta(hours=2),
        retry_policy=PATIENT,
        cancellation_type=ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    )

    @activity.defn
    @abstractmethod
    async def open_session(self, request: OpenSession) -> OpenedSession:
        """Register the run at the gateway and render its prompt into the journal.

        Raises UnknownModel, UnknownPrice (a dollar ceiling is in force and the model has no price), BadCredentials.
        """

    @activity.defn
    @abstractmethod
    async def take_turn(self, turn: TakeTurn) -> TurnReport:
        """One model answer and the tool calls it asked for, each journaled before the next begins.

        A retry finds in the journal and at the gateway what was done, and does the rest.
        Raises TapeMismatch, RunRevoked, BadRequest.
        """

    @activity.defn
    @abstractmethod
    async def close_session(self, request: CloseSession) -> None:
        """Revoke the run: its next call is refused. The workspace stays; it is the ticket's."""
