"""An agent at work: sessions of turns."""

from abc import abstractmethod
from datetime import timedelta

from temporalio import activity
from temporalio.workflow import ActivityCancellationType, ActivityConfig

from workflows.domain.session import CloseSession, TakeTurn, TurnReport
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
    async def take_turn(self, turn: TakeTurn) -> TurnReport:
        """One model answer and the tool calls it asked for, each journaled before the next begins.

        A turn with an order first opens the session: its prompt is rendered into the journal and its run registered at
        the gateway. A turn after which the agent does not go on (any end but WORKING) closes it, as `close_session`
        does. A retry finds in the journal and at the gateway what was done, and does the rest.
        Raises TapeMismatch, RunRevoked, BadRequest; with an order also UnknownModel, UnknownPrice (a dollar ceiling is
        in force and the model has no price) and BadCredentials.
        """

    @activity.defn
    @abstractmethod
    async def close_session(self, request: CloseSession) -> None:
        """Stop a session that would go on: its run is revoked, and its next call refused. The workspace stays; it is
        the ticket's."""
