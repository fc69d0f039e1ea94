"""The agents a ticket employs: their sessions, their money, and people in the middle of a session."""

import asyncio
import hashlib
from contextlib import suppress
from decimal import Decimal
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ChildWorkflowError, FailureError
from temporalio.workflow import ChildWorkflowHandle

from workflows import names
from workflows.desk import Ended
from workflows.domain.budget import TOKENS_OUT, Budget, Ceilings
from workflows.domain.decision import Action, Decision
from workflows.domain.order import SessionLine, TicketOrder
from workflows.domain.policy import Models, Policy
from workflows.domain.session import (
    Brief,
    Limits,
    Role,
    SessionEnd,
    SessionOrder,
    SessionOutcome,
    StopReason,
    WorkspaceOrder,
)
from workflows.domain.ticket import Phase
from workflows.domain.words import counted
from workflows.ports.model import Model, OpenAccount, TopUpAccount
from workflows.session import start_session
from workflows.trouble import message_of
from workflows.unattended import TicketUnattended

_USED_UP = {
    StopReason.MONEY: "The session's dollars are used up.",
    StopReason.TOKENS: f"{TOKENS_OUT}: those of this session.",
}


class TicketCrew(TicketUnattended):
    """Sessions run as children; whatever they need a person for is settled here, and they go on at the same turn."""

    def __init__(self, order: TicketOrder) -> None:
        super().__init__(order)
        self._budget = Budget()
        self._models = Models()
        self._tier = ""
        self._raised = False
        self._passed_on: list[Decision] = []
        """What the running session was told since it began."""
        self._parts: dict[Role, int] = {}
        self._state: str | None = None

    # Money

    def _take_budget(self, policy: Policy) -> None:
        """The policy's ceilings are the ticket's; a ceiling on the order replaces the policy's dollars."""
        self._budget, self._models, self._gates = policy.budget, policy.models, policy.gates
        self._ceilings = Ceilings(
            usd=self._order.usd or policy.budget.usd,
            usd_per_session=policy.budget.usd_per_session,
            tokens=policy.budget.tokens,
            tokens_per_session=policy.budget.tokens_per_session,
        )

    def _account_order(self, policy: Policy) -> OpenAccount:
        models = {self._order.model, self._order.reviewer_model, *policy.models.model_dump().values()} - {""}
        ceilings = self._ceilings or Ceilings()
        return OpenAccount(
            account=self._account, models=tuple(sorted(models)), usd=ceilings.usd, tokens=ceilings.tokens
        )

    # Sessions

    async def _work(
        self, role: Role, brief: Brief, workspace: WorkspaceOrder, after: SessionOutcome | None = None
    ) -> SessionOutcome:
        """Have an agent work until it submits or is stopped for good. Questions, empty purses and failed steps are
        taken to people in between; the session then goes on at the same turn."""
        order = self._session_order(role, brief, workspace, after)
        while True:
            self._raised = False
            await workflow.wait_condition(lambda: not self._status.paused)
            self._halted = False
            early, self._steering = tuple(said.note for said in self._steering), []
            order = order.model_copy(update={"opening": order.opening + early})
            try:
                outcome = await self._run_session(order)
            except ChildWorkflowError as error:
                lost = "".join(f"\n- {said.note[:200]}" for said in self._passed_on)
                again = f"\n\nWhat was said to it has to be said again, if it still matters:{lost}" if lost else ""
                await self._blocked(f"The session {order.session} did not end by itself: {message_of(error)}{again}")
                continue
            order = _going_on(order, outcome)
            if outcome.end is SessionEnd.ASKED:
                order = order.model_copy(update={"opening": (*order.opening, await self._answer_to(outcome.question))})
            elif outcome.end is SessionEnd.BLOCKED:
                await self._blocked(outcome.detail)
            elif outcome.end is SessionEnd.CANCELLED and not self._halted:
                await self._blocked(f"Somebody cancelled the session {order.session} in Temporal.")
            elif outcome.end is SessionEnd.CANCELLED:
                self.tell(f"The {role} was stopped in the middle of a turn, and goes on with it after a resume")
            elif outcome.stop and (used_up := _USED_UP.get(outcome.stop)):
                if not self._raised:
                    await self._topped_up(outcome.detail or used_up)
                order = order.model_copy(update={"limits": self._limits()})
            else:
                self._steering = [Decision(note=note) for note in outcome.unheard] + self._steering
                return outcome

    def _session_order(
        self, role: Role, brief: Brief, workspace: WorkspaceOrder, after: SessionOutcome | None
    ) -> SessionOrder:
        part = self._parts[role] = self._parts.get(role, 0) + 1
        return SessionOrder(
            session=names.session_key(self._account, role, part),
            account=self._account,
            role=role,
            part=part,
            model=self._model_of(role),
            brief=brief,
            workspace=workspace,
            limits=self._limits(),
            tier=self._tier,
            after=after.last_turn if after else None,
        )

    def _model_of(self, role: Role) -> str:
        reviewer = self._order.reviewer_model if role is Role.REVIEWER else ""
        return getattr(self._models, role.value) or reviewer or self._order.model

    def _limits(self) -> Limits:
        budget, ceilings = self._budget, self._ceilings or Ceilings()
        return Limits(
            turns=budget.turns_per_session,
            minutes=budget.minutes_per_session,
            tokens=ceilings.tokens_per_session,
            usd=ceilings.usd_per_session,
        )

    async def _run_session(self, order: SessionOrder) -> SessionOutcome:
        """Run the child to its end, passing on what people say to it meanwhile."""
        self._start_line(order)
        self._passed_on = []
        child = await start_session(order, self._go_on)
        try:
            self._go_on()
            outcome = await self._attended(child)
        except (asyncio.CancelledError, Ended):
            child.cancel()
            with suppress(FailureError, asyncio.CancelledError):
                self._keep(order, await child)  # the agent has stopped before anything is undone
            raise
        self._keep(order, outcome)
        return outcome

    async def _attended(self, child: ChildWorkflowHandle[Any, SessionOutcome]) -> SessionOutcome:
        """Wait for the session's end; meanwhile pass on what people say to it, and put in force what they give."""
        paused, raising = False, asyncio.create_task(self._raise_ceilings())
        try:
            while True:
                await workflow.wait_condition(
                    lambda paused=paused, raising=raising: (
                        child.done()
                        or bool(self._steering)
                        or self._status.paused != paused
                        or self._halted
                        or (bool(self._top_ups) and raising.done())
                    )
                )
                if self._halted:
                    child.cancel()
                if child.done() or self._halted:
                    await raising
                    return await child
                paused = await self._pass_on(child, paused)
                if raising.done():
                    await raising
                    raising = asyncio.create_task(self._raise_ceilings())
                self._go_on()
        finally:
            raising.cancel()

    async def _pass_on(self, child: ChildWorkflowHandle[Any, SessionOutcome], paused: bool) -> bool:
        """Send a running session what it has not been told yet; return whether it is paused now."""
        now = self._status.paused
        steering, self._steering = self._steering, []
        try:
            if now != paused:
                await child.signal(Action.PAUSE.value if now else Action.RESUME.value)
            while steering:
                await child.signal(Action.STEER.value, steering[0])
                self._passed_on.append(steering.pop(0))
        except FailureError:  # it ended in the same moment: the next session hears it
            self._steering = steering + self._steering
        return now

    def _start_line(self, order: SessionOrder) -> None:
        if all(line.session != order.session for line in self._status.sessions):
            line = SessionLine(session=order.session, role=order.role, part=order.part)
            self._show(sessions=(*self._status.sessions, line))
        self.tell(f"{order.role.capitalize()} {order.part} is at work, from turn {order.first_turn}")

    def _keep(self, order: SessionOrder, outcome: SessionOutcome) -> None:
        """Take over what a session did, however it ended: its files and its line in the story."""
        if order.role.writes:
            self._state = outcome.state
        how = f"{outcome.end}{f': {outcome.stop}' if outcome.stop else ''}"
        lines = tuple(
            line.model_copy(update={"ended": how, "spend": line.spend.plus(outcome.spend)})
            if line.session == order.session
            else line
            for line in self._status.sessions
        )
        self._show(sessions=lines, spend=self._status.spend.plus(outcome.spend))
        for heard in outcome.heard:
            self.tell(f"The {order.role} has read at {heard}")
        self.tell(f"{order.role.capitalize()} {order.part} {how} after {counted(outcome.spend.turns, 'turn')}")

    # People in the middle of a session

    async def _answer_to(self, question: str) -> str:
        before = self._status.phase
        subject = hashlib.sha256(f"{self._next_comment()} {question}".encode()).hexdigest()[:12]
        await self._arrive(Phase.QUESTION, f"**The agent asks:** {question}", subject=subject, reason=question)
        _, decision = await self._verdict_of_a_person()
        await self._arrive(before)
        return f"The answer to your question is: {decision.note}"

    async def _topped_up(self, reason: str) -> None:
        """Wait until people give more; the ceilings that were raised are in force when this returns."""
        before = self._status.phase
        if not self._top_ups:
            await self._arrive(Phase.BUDGET_GATE, f"**The budget is used up.** {reason}", reason=reason)
            await self._until_people(lambda: bool(self._top_ups))
        await self._raise_ceilings()
        await self._arrive(before)

    async def _raise_ceilings(self) -> None:
        """Put in force what people have given since the last time."""
        given, self._top_ups = self._top_ups, []
        if not given:
            return
        usd = sum((said.usd or Decimal(0) for said in given), Decimal(0))
        raised = (self._ceilings or Ceilings()).raised(usd, sum(said.tokens or 0 for said in given))
        top_up = TopUpAccount(account=self._account, usd_ceiling=raised.usd, tokens_ceiling=raised.tokens)
        await self._step(Model.top_up_account, top_up, Model.step("Raise the ceilings"))
        self._ceilings, self._raised = raised, True


def _going_on(order: SessionOrder, outcome: SessionOutcome) -> SessionOrder:
    """The same session at its next turn."""
    return order.model_copy(
        update={
            "first_turn": outcome.next_turn,
            "after": outcome.last_turn,
            "track": outcome.track,
            "workspace": order.workspace.model_copy(update={"state": outcome.state}),
            "opening": outcome.unheard,
        }
    )
