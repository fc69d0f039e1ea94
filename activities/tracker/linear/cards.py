"""An issue as a ticket, and phases as columns: a team's own column of the name where it has one, else a column of the
kind and a label of ours."""

from datetime import datetime
from hashlib import sha256
from typing import NamedTuple
from uuid import UUID

from activities.errors import stop
from activities.tracker.linear.rows import Issue, State, User
from workflows.domain.events import phase_of
from workflows.domain.failures import Failure
from workflows.domain.people import Person, Trust
from workflows.domain.ticket import Attachment, Phase, Ticket, TicketRef

LABEL = "pawl: "
"""Begins the labels that tell phases apart which share a column."""
_KINDS = {
    Phase.TODO: "unstarted",
    Phase.DONE: "completed",
    Phase.DECLINED: "canceled",
    Phase.GAVE_UP: "canceled",
    Phase.CANCELLED: "canceled",
}


class Place(NamedTuple):
    state: State
    label: str
    """The label that goes with it; empty where the column says it all."""


def label_of(phase: Phase) -> str:
    return LABEL + phase.lower()


def place_of(to: str, states: tuple[State, ...]) -> Place:
    """Where the team shows it. Raises BadRequest where it has no column that would do."""
    for state in states:
        if state.name.casefold() == to.casefold():
            return Place(state, "")
    phase = phase_of(to)
    if phase is None:
        raise stop(Failure.BAD_REQUEST, f"The team has no column {to}.", "Make it in Linear, then resume.")
    if named := next((state for state in states if phase_of(state.name) is phase), None):
        return Place(named, "")
    kind = _KINDS.get(phase, "started")
    fitting = [state for state in states if state.type == kind]
    if not fitting:
        raise stop(
            Failure.BAD_REQUEST, f"The team has no column of the kind {kind}.", "Make one in Linear, then resume."
        )
    return Place(min(fitting, key=lambda state: state.position), label_of(phase))


def status_of(issue: Issue) -> str:
    """What the card says: our label where it fits the column, else the column."""
    states = issue.team.states.nodes
    for label in issue.labels.nodes:
        phase = phase_of(label.name[len(LABEL) :]) if label.name.startswith(LABEL) else None
        if phase and (place := place_of(phase, states)).label == label.name and place.state.id == issue.state.id:
            return phase.value
    return Phase.CANCELLED.value if issue.state.name == "Canceled" else issue.state.name  # Linear's spelling of ours


def version_of(issue: Issue) -> int:
    """Linear counts no versions: when it was changed last, in milliseconds."""
    return int(issue.updated_at.timestamp() * 1000)


def ticket_of(issue: Issue, tracker: str, status: str = "", attachments: tuple[Attachment, ...] = ()) -> Ticket:
    return Ticket(
        ref=TicketRef(tracker=tracker, id=issue.id),
        identifier=issue.identifier,
        title=issue.title,
        body=issue.description or "",
        status=status or status_of(issue),
        version=version_of(issue),
        labels=tuple(sorted(label.name for label in issue.labels.nodes if not label.name.startswith(LABEL))),
        url=issue.url,
        team=issue.team.key,
        closed=issue.archived_at is not None or issue.state.type in ("completed", "canceled", "duplicate"),
        attachments=attachments,
    )


def person_of(user: User, us: User, place: str) -> Person:
    """Apps other than ours are strangers, and so is whoever has left."""
    trust = Trust.OURS if user.id == us.id else Trust.STRANGER if user.app or not user.active else Trust.MEMBER
    return Person(place=place, id=user.id, name=user.name or user.display_name, handle=user.email, trust=trust)


def uuid_of(*parts: str) -> str:
    """The same parts give the same UUID, in the fourth version as Linear asks for."""
    digest = sha256("\x1f".join(parts).encode()).digest()
    return str(UUID(bytes=digest[:16], version=4))


def written(moment: datetime) -> str:
    """As Linear writes a moment."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
