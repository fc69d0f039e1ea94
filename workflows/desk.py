"""The desk a ticket lies on: what people may say to it, what they see of it, and how it waits for them."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, cast

from temporalio import workflow
from temporalio.exceptions import ApplicationError

from workflows import names
from workflows.domain.budget import Ceilings
from workflows.domain.decision import (
    RECORDED,
    Action,
    Decision,
    DecisionRecord,
    Desk,
    refusal,
    short,
    understood,
)
from workflows.domain.gates import Gates, barred, overtaken, rules_for
from workflows.domain.heard import Heard
from workflows.domain.order import TicketStatus
from workflows.domain.people import Person
from workflows.domain.replies import not_accepted
from workflows.domain.ticket import Phase
from workflows.domain.words import ACTIONS, counted, details, steering_answer, waiting_for

Said = Any
"""What the UI can send is any JSON: a narrower type would have the SDK drop what does not fit, without a word."""
STORY_LINES = 200
MOST_DECISIONS = 200


class Ended(Exception):
    """The ticket's way is over, for a named reason."""

    def __init__(self, phase: Phase, reason: str, *, puts_back: bool = False) -> None:
        super().__init__(reason)
        self.phase = phase
        self.reason = reason
        self.puts_back = puts_back or phase is Phase.CANCELLED
        """Whether the card goes back to where it was before."""


def _amounts(decision: Decision) -> list[str]:
    dollars = [f"${decision.usd}"] if decision.usd else []
    return [*dollars, counted(decision.tokens, "token")] if decision.tokens else dollars


def _in_temporal(action: Action, said: Said) -> Decision | str:
    """What was sent in Temporal itself. Whom a service vouches for, nobody can say of themselves."""
    decision = understood(action, said)
    return decision if isinstance(decision, str) else decision.model_copy(update={"who": "", "via": "", "email": ""})


# The SDK takes the first parameter for an argument of the message unless it is `self` without an annotation.
# pyright: reportMissingParameterType=false, reportUnknownParameterType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false, reportUnknownMemberType=false


def _signal(action: Action) -> Callable[..., None]:
    """A signal for the Temporal UI. It cannot answer, so what is refused is told in the story."""

    @workflow.signal(name=action.value, description=ACTIONS[action])
    def handler(self, decision: Said = None) -> None:
        cast("TicketDesk", self).hear(action, _in_temporal(action, decision))

    return handler


def _update(action: Action) -> Callable[..., Any]:
    """The same action for whoever can read an answer: refused in words, before anything is written."""

    @workflow.update(name=action.value, description=ACTIONS[action])
    def handler(self, decision: Said = None) -> str:
        said, info = _in_temporal(action, decision), workflow.current_update_info()
        if isinstance(said, str):  # the validator refuses it; a replay may come here without asking it
            return said
        repeatable = said if said.id or info is None else said.model_copy(update={"id": info.id})
        return cast("TicketDesk", self).act(action, repeatable)

    @handler.validator
    def validate(self, decision: Said = None) -> None:  # pyright: ignore[reportUnusedFunction]
        if words := cast("TicketDesk", self).refused(action, _in_temporal(action, decision)):
            raise ApplicationError(words, type="Refused")

    return handler


class TicketDesk:
    """Signals, updates and queries of a ticket, and the state they share with its flow."""

    def __init__(self, identifier: str, title: str, account: str, repository: str) -> None:
        self._status = TicketStatus(
            identifier=identifier, title=title, account=account, phase=Phase.TODO, repository=repository
        )
        self._verdict: tuple[Action, Decision] | None = None
        self._ending: Ended | None = None
        self._leaving = False
        self._steering: list[Decision] = []
        self._top_ups: list[Decision] = []
        self._resumed = 0
        self._halted = False
        """Somebody pressed their place's stop: the session under way ends in the middle of its turn."""
        self._shown_phase = Phase.TODO.value
        self._heard = Heard()
        self._lines_told = 0
        """How many lines the story has had."""
        self._gates = Gates()
        self._entered_at = workflow.now()
        self._ceilings: Ceilings | None = None
        self._dragged_to = ""
        """Where a person put the card to end the ticket: there it stays."""

    approve, approve_update = _signal(Action.APPROVE), _update(Action.APPROVE)
    request_changes, request_changes_update = _signal(Action.REQUEST_CHANGES), _update(Action.REQUEST_CHANGES)
    reject, reject_update = _signal(Action.REJECT), _update(Action.REJECT)
    answer, answer_update = _signal(Action.ANSWER), _update(Action.ANSWER)
    steer, steer_update = _signal(Action.STEER), _update(Action.STEER)
    pause, pause_update = _signal(Action.PAUSE), _update(Action.PAUSE)
    resume, resume_update = _signal(Action.RESUME), _update(Action.RESUME)
    top_up, top_up_update = _signal(Action.TOP_UP), _update(Action.TOP_UP)
    take_over, take_over_update = _signal(Action.TAKE_OVER), _update(Action.TAKE_OVER)
    abort, abort_update = _signal(Action.ABORT), _update(Action.ABORT)

    @workflow.query(name="status", description="Where the ticket is, what it waits for, and its story so far.")
    def status(self) -> TicketStatus:
        return self._status

    @workflow.query(name="refusal", description="Why an action would be refused now; empty when it would be taken.")
    def refusal(self, action: Action, decision: Decision) -> str:
        return self.refused(action, decision) or ""

    def refused(self, action: Action, decision: Decision | str, person: Person | None = None) -> str | None:
        """Why this cannot be taken; a text instead of a decision is why it could not even be read. No person: whoever
        works in Temporal itself."""
        if isinstance(decision, str):
            return decision
        desk = Desk(
            phase=self._status.phase,
            subject=self._status.subject,
            paused=self._status.paused,
            decided=self._verdict[0] if self._verdict else None,
            ending=self._leaving or self._ending is not None,
            counts_dollars=self._ceilings is None or self._ceilings.in_dollars,
            counts_tokens=self._ceilings is None or self._ceilings.in_tokens,
        )
        rules = rules_for(action, self._status.phase, self._gates)
        return refusal(action, decision, desk) or barred(action, person, rules)

    def hear(
        self,
        action: Action,
        decision: Decision | str,
        person: Person | None = None,
        at: datetime | None = None,
    ) -> str | None:
        """Take an action, or tell in the story why not, which then is returned. `at`: when a person did it outside."""
        why = self.refused(action, decision, person)
        if isinstance(decision, Decision):
            why = why or overtaken(action, decision, at, self._entered_at)
        if isinstance(decision, Decision) and not why:
            self.act(action, decision)
        else:
            self.tell(not_accepted(action, why or ""))
        return why

    def act(self, action: Action, decision: Decision) -> str:
        """Take an action that the rules allow; the answer is for whoever sent it."""
        said = f"{action}:{decision.id}"
        if decision.id and (decision.id in self._heard or not self._heard.first(said)):
            return "This was said before; it counts once."
        if action in RECORDED:
            self._record(action, decision)
        answer = self._take(action, decision)
        by = f" by {decision.by}" if decision.by else ""
        by += f" from {decision.via}" if decision.via else ""
        note = f": {decision.note[:200]}" if decision.note else ""
        self.tell(f"{action}{by}{note}")
        return answer

    def _record(self, action: Action, decision: Decision) -> None:
        record = DecisionRecord(
            action=action,
            phase=self._status.phase,
            subject=self._status.subject,
            who=decision.who,
            name=decision.by,
            via=decision.via,
            at=workflow.now(),
            note=decision.note[:500],
        )
        self._show(decisions=(*self._status.decisions, record)[-MOST_DECISIONS:])

    def _take(self, action: Action, decision: Decision) -> str:
        match action:
            case Action.APPROVE | Action.REQUEST_CHANGES | Action.REJECT | Action.ANSWER:
                self._verdict = (action, decision)
                return f"Done: {action} taken for {short(self._status.subject) or self._status.identifier}."
            case Action.STEER:
                self._steering.append(decision)
                return steering_answer(self._status.phase, self._status.paused)
            case Action.PAUSE:
                self._show(paused=True)
                return "Paused: nothing new starts until you resume."
            case Action.RESUME:
                self._resumed += 1
                self._show(paused=False)
                return "Going on."
            case Action.TOP_UP:
                self._top_ups.append(decision)
                return f"The ceiling rises by {' and '.join(_amounts(decision))}."
            case Action.TAKE_OVER:
                self._ending = Ended(
                    Phase.TAKEN_OVER, f"{decision.by or 'A person'} took over. {decision.note}".strip()
                )
                return "It is yours: the agent stops, branch and pull request stay."
            case Action.ABORT:
                self._ending = Ended(
                    Phase.CANCELLED, f"Aborted by {decision.by or 'a person'}. {decision.note}".strip()
                )
                return "Stopping and undoing."

    def _go_on(self) -> None:
        """Stop here if people have ended the ticket. To be asked after everything that was awaited: a cancellation
        that meets a step in the moment of its completion is lost in it. Raises Ended."""
        if self._ending is not None and not self._leaving:
            raise self._ending

    def tell(self, sentence: str) -> None:
        """Add a sentence to the story people read."""
        self._lines_told += 1
        line = f"{workflow.now():%H:%M:%S} {sentence}"
        self._show(story=(*self._status.story, line)[-STORY_LINES:])

    def _show(self, **changed: Any) -> None:
        self._status = self._status.model_copy(update=changed)
        workflow.set_current_details(details(self._status))

    def _enter(self, phase: Phase, subject: str = "", reason: str = "") -> None:
        """Be in a phase, for everybody who looks: status, details and search attributes. From here on a decision
        counts for this phase, also one that comes while the board is still being told."""
        self._verdict, self._entered_at = None, workflow.now()
        shown = waiting_for(phase, reason)
        self._show(phase=phase, since=self._entered_at, subject=subject, waiting_for=shown, reminded=None)
        workflow.upsert_search_attributes(  # pyright: ignore[reportUnknownMemberType]  # the SDK leaves it generic
            [
                names.PHASE.value_set(phase.value),
                names.NEEDS_PERSON.value_set(phase.waits_for_a_person),
                names.COST.value_set(float(self._status.spend.usd)),
            ]
        )
