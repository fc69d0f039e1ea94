"""What people are told beside the ticket's way: answers to what they said, reminders, and what it took so far."""

import re

from workflows.domain.budget import Spend
from workflows.domain.decision import Action, short
from workflows.domain.gates import Due, GateRules, spelled
from workflows.domain.order import SessionLine, TicketStatus
from workflows.domain.people import Person
from workflows.domain.words import cost, counted, figures, named, session_name


def footer(status: TicketStatus, known: tuple[SessionLine, ...] = ()) -> str:
    """The lines under a remark: each session that did something since it was `known`, under a name by which `pawl
    events` finds it, and what the ticket took so far where that is more. Empty where nothing is new; the last word has
    the bill itself."""
    worked = [line for line in status.sessions if line.spend.turns and line not in known]
    lines = [
        f"{line.role} {line.part} · {_took(line.spend)} · `{session_name(status.identifier, line.session)}`"
        for line in worked
    ]
    if worked and not status.phase.is_final and status.spend != worked[-1].spend:
        lines.append(f"so far {_took(status.spend)}")
    return "  \n".join(f"_{line}_" for line in lines)  # two spaces: Markdown's end of a line


def _took(spend: Spend) -> str:
    return f"{counted(spend.turns, 'turn')} · {counted(spend.tokens, 'token')} · {cost(spend)}"


def repeats(line: str, remark: str) -> bool:
    """Whether a line of the story says what the remark begins with, whatever marks it up."""
    said = _bare(line)
    return bool(said) and f"{_bare(remark)} ".startswith(f"{said} ")


def _bare(text: str) -> str:
    return " ".join(re.findall(r"\w+", text))


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
