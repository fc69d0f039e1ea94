"""Session: one agent's turns and its three hard stops."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ActivityError, FailureError, WorkflowAlreadyStartedError, is_cancelled_exception
from temporalio.workflow import ChildWorkflowHandle, ParentClosePolicy

from workflows import names
from workflows.domain.budget import Spend
from workflows.domain.decision import MOST_WORDS, Action, Decision, understood
from workflows.domain.session import (
    CloseSession,
    SessionEnd,
    SessionOrder,
    SessionOutcome,
    StopReason,
    TakeTurn,
    Track,
    TurnEnd,
    TurnReport,
)
from workflows.domain.stops import stop_reason
from workflows.domain.words import counted
from workflows.ports.agent import Agent
from workflows.trouble import message_of, to_its_end


@workflow.defn(name="Session")
class Session:
    """One agent at work. It never waits for a person: a question or an empty purse ends it, and the ticket starts it
    again at the next turn. With at most 500 turns its history stays far below the server's limits."""

    @workflow.init
    def __init__(self, order: SessionOrder) -> None:
        self._order = order
        self._track = order.track
        self._spend = Spend()
        self._after: str | None = order.after
        self._seq = order.first_turn
        self._state: str | None = order.workspace.state
        self._steering = [Decision(note=note) for note in order.opening]
        self._steering_sent: list[Decision] = []
        self._seen_steering: set[str] = set()
        self._heard: tuple[str, ...] = ()
        self._paused = False
        self._is_open = True

    @workflow.run
    async def run(self, order: SessionOrder) -> SessionOutcome:
        outcome = await self._worked()
        if self._is_open:
            await self._closed()
        return outcome.model_copy(update={"unheard": self._unheard()})

    async def _worked(self) -> SessionOutcome:
        try:
            return await self._turns()
        except asyncio.CancelledError:
            return self._outcome(SessionEnd.CANCELLED)
        except ActivityError as error:
            if is_cancelled_exception(error):
                return self._outcome(SessionEnd.CANCELLED)
            return self._outcome(SessionEnd.BLOCKED, detail=message_of(error))

    async def _turns(self) -> SessionOutcome:
        order = self._order
        while True:
            await workflow.wait_condition(lambda: not self._paused)
            if workflow.cancellation_reason() is not None:  # a turn that ends well all the same swallows the exception
                return self._outcome(SessionEnd.CANCELLED)
            if reason := stop_reason(order.role, order.limits, self._track):
                return self._outcome(SessionEnd.STOPPED, stop=reason)
            report = await self._turn()
            if outcome := self._ended_by(report):
                return outcome

    async def _turn(self) -> TurnReport:
        """One model answer and its tool calls; steering that came since the last one goes with it."""
        steering, self._steering = self._steering, []
        started = workflow.now()
        workflow.set_current_details(self._details(started))
        self._steering_sent = steering
        report = await workflow.execute_activity_method(
            Agent.take_turn,
            TakeTurn(
                session=self._order.session,
                seq=self._seq,
                after=self._after,
                order=self._order if self._seq == self._order.first_turn else None,
                steering=tuple(said.note for said in steering),
            ),
            **Agent.step(f"{self._order.role.capitalize()}, turn {self._seq}"),
        )
        seconds = (workflow.now() - started).total_seconds()
        self._is_open = report.end is TurnEnd.WORKING
        if report.end is TurnEnd.MONEY_OUT:
            return report  # nothing was sent: the agent has not heard the steering
        self._steering_sent = []
        self._heard += tuple(f"turn {self._seq}: {said.note[:120]}" for said in steering)
        self._track, self._spend = self._track.after(report, seconds), self._spend.plus(report.spend)
        self._after, self._seq = report.turn, self._seq + 1
        if report.changed:
            self._state = report.state
        return report

    def _ended_by(self, report: TurnReport) -> SessionOutcome | None:
        match report.end:
            case TurnEnd.WORKING:
                return None
            case TurnEnd.SUBMITTED:
                return self._outcome(SessionEnd.SUBMITTED, report)
            case TurnEnd.ASKED:
                return self._outcome(SessionEnd.ASKED, report)
            case TurnEnd.REFUSED:
                return self._outcome(SessionEnd.STOPPED, report, StopReason.REFUSED)
            case TurnEnd.MONEY_OUT:
                return self._outcome(SessionEnd.STOPPED, report, StopReason.MONEY)

    def _outcome(
        self,
        end: SessionEnd,
        report: TurnReport | None = None,
        stop: StopReason | None = None,
        detail: str = "",
    ) -> SessionOutcome:
        return SessionOutcome(
            end=end,
            stop=stop,
            detail=report.detail if report else detail,
            submission=report.submission if report else None,
            question=report.question if report else "",
            last_turn=self._after,
            next_turn=self._seq,
            state=self._state,
            spend=self._spend,
            track=Track() if end is SessionEnd.SUBMITTED else self._track,
            heard=self._heard,
        )

    def _unheard(self) -> tuple[str, ...]:
        return tuple(said.note for said in (*self._steering_sent, *self._steering))

    async def _closed(self) -> None:
        """Revoke the run where the agent would have gone on; a cancelled session does it as well."""
        close = CloseSession(session=self._order.session)
        closing = workflow.execute_activity_method(Agent.close_session, close, **Agent.step("Close the session"))
        try:
            await to_its_end(asyncio.ensure_future(closing))
        except ActivityError as error:  # what the session achieved must not be lost with it
            workflow.logger.warning("The run of %s was not revoked: %s", self._order.session, message_of(error))

    def _details(self, started: datetime) -> str:
        role, part = self._order.role, self._order.part
        lines = [
            f"**{role.capitalize()} {part}** on {self._order.brief.identifier}: {self._order.brief.title}",
            f"Turn {self._seq} of at most {self._order.limits.turns} since {started:%H:%M:%S} UTC, "
            f"{counted(self._track.spend.tokens, 'token')} so far.",
            *([f"Its commands run under: {self._order.tier}."] if self._order.tier else []),
            f"Read the whole conversation with `pawl events {self._order.session}`.",
        ]
        return "\n\n".join(lines)

    @workflow.signal(description='Tell the agent something at its next turn: "text" or {"note": "text", "id": "..."}')
    def steer(self, decision: Any = None) -> None:
        said = understood(Action.STEER, decision)
        if isinstance(said, str):
            workflow.logger.warning("Steering for %s was not taken: %s", self._order.session, said)
            return
        repeated = bool(said.id) and said.id in self._seen_steering
        if said.note.strip() and not repeated:
            self._seen_steering.add(said.id)
            self._steering.append(said.model_copy(update={"note": said.note[:MOST_WORDS]}))

    @workflow.signal(description="Sent by the ticket; to pause, signal the ticket. No payload needed.")
    def pause(self, decision: Any = None) -> None:
        self._paused = True

    @workflow.signal(description="Sent by the ticket; to resume, signal the ticket. No payload needed.")
    def resume(self, decision: Any = None) -> None:
        self._paused = False

    @workflow.query(description="Turns, tokens and dollars of this session so far.")
    def track(self) -> Track:
        return self._track


async def start_session(
    order: SessionOrder, go_on: Callable[[], None] = lambda: None
) -> ChildWorkflowHandle[Any, SessionOutcome]:
    """Start the session. Where its starter was reset under one of this name, that one is ended first; `go_on` is called
    after each wait, and raises where there is no need for a session any more."""
    name, session = f"{order.role.capitalize()} {order.part}", names.session_workflow_id(order.session)
    while True:
        try:
            return await workflow.start_child_workflow(
                Session.run,
                order,
                id=session,
                parent_close_policy=ParentClosePolicy.REQUEST_CANCEL,
                task_timeout=names.DECISION,
                static_summary=f"{name} on {order.brief.identifier}: {order.brief.title}"[:200],
            )
        except WorkflowAlreadyStartedError:
            with suppress(FailureError):  # it has ended in the meantime
                await workflow.get_external_workflow_handle(session).cancel()
            await workflow.sleep(timedelta(seconds=1))
            go_on()
