"""What people say to a ticket from outside Temporal: by words where Pawl reads, and by moving the card."""

import hashlib
from datetime import UTC, datetime
from typing import Any, NamedTuple, TypeVar

from pydantic import ValidationError
from temporalio import workflow

from workflows.desk import Said, TicketDesk
from workflows.domain.decision import Action, Decision
from workflows.domain.events import meaning_of_move, meaning_of_words
from workflows.domain.gates import Due, in_words
from workflows.domain.intake import CardMove, Words
from workflows.domain.model import Record
from workflows.domain.order import TicketOrder
from workflows.domain.people import Person, Trust
from workflows.domain.replies import addressed, not_accepted, overdue, where_it_is
from workflows.domain.words import named, steering_answer
from workflows.ports.notify import Note

MOST_ANSWERS = 50
"""Answers that may wait to be posted. Nobody reads more, and a flood of words must not become one of comments."""

AnyRecord = TypeVar("AnyRecord", bound=Record)


class Answer(NamedTuple):
    """What one person is answered."""

    key: str
    text: str
    puts_back: bool = False
    """Whether the card goes back to where the ticket is: it was moved, and that was refused."""
    elsewhere: bool = False
    """Whether they spoke in another place than the tracker."""
    reminds: bool = False
    """Whether it is no answer, but a reminder of what waits."""


# The SDK takes the first parameter for an argument of the message unless it is `self` without an annotation.
# pyright: reportUnknownMemberType=false


class OutsideDesk(TicketDesk):
    """Signals of Pawl's own ways in. What they carry is checked once more here, and each happening counts once."""

    def __init__(self, order: TicketOrder, account: str) -> None:
        super().__init__(order.identifier, order.title, account, order.repository)
        self._order = order
        self._answers: list[Answer] = []
        self._unposted: list[tuple[Note, str]] = []
        """Notes that wait for their turn, each with what its step is called; the first one is under way."""
        self._moved_at: datetime | None = None
        self._nudges: int = 0
        """How often the pull request was said to have changed."""

    @workflow.signal(name="pull-request-moved", description="Look at the pull request again. No payload.")
    def pull_request_moved(self, _: Said = None) -> None:
        self._nudges += 1

    @workflow.signal(name="card-moved", description="A person moved the card on the board; the status it has now.")
    def card_moved(self, move: Said = None) -> None:
        """Obey the person who moved the card. What Pawl itself wrote comes back as an echo and changes nothing."""
        if isinstance(move, str) or not move:
            self._obey_card(move or "", self._somebody("the board"))
            return
        moved = _read(CardMove, move)
        if isinstance(moved, str):
            self.tell(f"A move of the card was not understood: {moved}")
            return
        person = moved.person or self._somebody(moved.by or "somebody")
        at = _zoned(moved.at)
        is_old = self._moved_at is not None and at < self._moved_at
        if person.trust is Trust.OURS or is_old or not self._hears_of(moved.id):
            return
        self._moved_at = at
        if person.trust is not Trust.MEMBER:
            self.tell(f"{named(person.shown)} is no member here: their moving the card asks for nothing")
        elif why := self._obey_card(moved.status, person, at):
            self._answer_them(moved.id, person, why, puts_back=True)

    @workflow.signal(name="said", description="What a person wrote where Pawl reads. Sent by Pawl's own ways in.")
    def said(self, words: Said = None) -> None:
        """Obey or answer a member of the place. Strangers' words are no instructions, whoever passed them on."""
        heard = _read(Words, words)
        if isinstance(heard, str):
            self.tell(f"What was said outside was not understood: {heard}")
        elif heard.by.trust is Trust.OURS or not self._hears_of(heard.id):
            return
        elif heard.by.trust is not Trust.MEMBER:
            self.tell(f"{named(heard.by.shown)} is no member here: what they say is no instruction")
        elif answer := self._obey_words(heard):
            self._answer_them(heard.id, heard.by, answer)

    @workflow.signal(name="remind", description="Say once more what waits for people. No payload.")
    def remind(self, key: Said = None) -> None:
        """Harmless where nothing waits. What is asked for under one key is said once."""
        status, waited = self._status, workflow.now() - self._entered_at
        waits = status.phase.waits_for_a_person and not status.paused and self._verdict is None
        if not waits or self._leaving or self._ending or len(self._answers) >= MOST_ANSWERS:
            return
        key = str(key or f"by hand {workflow.now().isoformat()}")
        if not self._heard.first(f"remind:{key}"):
            return
        text = overdue(Due.REMIND, in_words(waited), status, self._gates.at(status.phase))
        self._show(reminded=workflow.now())
        self.tell(text.replace("*", ""))
        name = hashlib.sha256(f"{key} {status.subject}".encode()).hexdigest()[:16]
        self._answers.append(Answer(f"remind-{name}", text, reminds=True))

    def _obey_words(self, words: Words) -> str:
        """What the person is answered; empty when what they said was done without more ado."""
        self._halted = self._halted or words.stop
        stops = (Action.PAUSE, Decision(note="the place's own stop"))
        meaning = stops if words.stop else meaning_of_words(self._status.phase, words.text)
        if meaning is None:
            return where_it_is(self._status)
        if isinstance(meaning, str):
            return meaning
        action, decision = meaning
        decision = _from(words.by, decision)
        if why := self.hear(action, decision, words.by, _zoned(words.at) if words.at else None):
            return not_accepted(action, why)
        if words.stop:
            return "Stopped: the agent halts at once. `resume` goes on at the same turn, `abort` ends the ticket."
        waits = self._status.paused or self._status.phase.waits_for_a_person
        return steering_answer(self._status.phase, self._status.paused) if action is Action.STEER and waits else ""

    def _obey_card(self, status: str, person: Person, at: datetime | None = None) -> str:
        """Why the move was refused, in words for the person; empty when it was obeyed or asks for nothing."""
        if not status or status == self._shown_phase:
            return ""
        action = meaning_of_move(self._status.phase, status)
        if action is None:
            self.tell(f"The card was moved to {named(status)}, which asks for nothing here")
            return ""
        decision = _from(person, Decision(note=f"the card was moved to {status[:100]}"))
        if why := self.hear(action, decision, person, at):
            return not_accepted(action, why)
        if action is Action.ABORT and self._ending is not None:
            self._dragged_to = status
        return ""

    def _hears_of(self, happening: str) -> bool:
        """Whether this happening is heard of for the first time, by whichever way it comes."""
        by_update = any(f"{action}:{happening}" in self._heard for action in Action)
        return not by_update and self._heard.first(happening)

    def _somebody(self, name: str) -> Person:
        """Whoever moved a card on a board that does not say who: may move it, and is nobody whom a policy names."""
        return Person(place=self._order.ref.tracker, id="", name=name, trust=Trust.MEMBER)

    def _answer_them(self, about: str, person: Person, text: str, *, puts_back: bool = False) -> None:
        if len(self._answers) + len(self._unposted) >= MOST_ANSWERS:
            self.tell("Too much was said at once: an answer was left out")
            return
        key = f"answer-{hashlib.sha256(about.encode()).hexdigest()[:16]}"
        text = f"{addressed(person, self._order.ref.tracker)}: {text}"
        self._answers.append(Answer(key, text, puts_back, person.place != self._order.ref.tracker))


def _from(person: Person, decision: Decision) -> Decision:
    """The decision as this person's. Whoever cannot be told by an id stays without one."""
    who = person.key[:300] if person.id else ""
    said = {"by": named(person.shown), "who": who, "via": person.place[:100], "email": person.email}
    return decision.model_copy(update=said)


def _zoned(at: datetime) -> datetime:
    """Comparable, whatever a sender left out."""
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _read(record: type[AnyRecord], given: Any) -> AnyRecord | str:
    """What a signal carries, or why it cannot be read: a handler that raised would hold up the ticket for good."""
    try:
        return record.model_validate(given)
    except ValidationError as error:
        return "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()[:3])
