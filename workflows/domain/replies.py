"""What people are told beside the ticket's way: answers to what they said, reminders, and what it took so far."""

from workflows.domain.decision import Action, short
from workflows.domain.gates import Due, GateRules, spelled
from workflows.domain.order import TicketStatus
from workflows.domain.people import Person
from workflows.domain.words import counted, figures, named


def footer(status: TicketStatus) -> str:
    """The line under a remark: which session was the last, and what the ticket took so far. Empty before the first."""
    if not status.sessions:
        return ""
    spend = status.spend
    took = f"{counted(spend.turns, 'turn')}, {counted(spend.tokens, 'token')}, ${spend.usd:.2f}"
    return f"_Session `{status.sessions[-1].session}`; {took} so far_"


def addressed(person: Person, tracker: str) -> str:
    """How a person is spoken to on this tracker. Called by their login only where that is known to be theirs."""
    is_login = person.place == tracker and person.handle and "@" not in person.handle and " " not in person.handle
    return f"@{named(person.handle)}" if is_login else named(person.shown) or named(person.key)


def not_accepted(action: Action, why: str) -> str:
    """A refusal is a cause and a next step, already in words."""
    return f"{action} was not accepted. {why}"


def where_it_is(status: TicketStatus) -> str:
    """The answer to `status`, in three sentences."""
    waits = f" {' '.join(status.waiting_for.split())}." if status.waiting_for else ""
    subject = f" What waits has the hash `{short(status.subject)}`." if status.subject else ""
    paused = ", paused (`resume` goes on)" if status.paused else ""
    return f"{status.identifier} is in **{status.phase}**{paused}.{waits}{subject} {figures(status)}."


def overdue(due: Due, after: int, status: TicketStatus, rules: GateRules) -> str:
    """What is said when nobody has decided for so long; `after` in seconds."""
    asked = " ".join(status.waiting_for.split()) or str(status.phase)
    subject = f" What waits has the hash `{short(status.subject)}`." if status.subject else ""
    head = {
        Due.REMIND: "**Reminder.**",
        Due.SECOND: f"**Asked as well: {', '.join(rules.second)}.**",
        Due.ESCALATE: "**Escalated.**",
        Due.EXPIRE: "**Expired.**",
    }[due]
    return f"{head} {status.identifier} has waited for {spelled(after)}. {asked}.{subject}"


def expired(after: int, status: TicketStatus) -> str:
    """Why a ticket ends that nobody decided about."""
    return (
        f"Nobody decided in {spelled(after)} at {status.phase}. The work so far is kept and the card put back; "
        "start the ticket again when somebody has time for it."
    )
