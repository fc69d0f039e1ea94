"""What reaches Pawl from outside, in one form for every vendor, and what is done about it.

Pure: the same for a webhook, for a look at the tracker, and for a test.
"""

from datetime import datetime

from pydantic import Field, SerializeAsAny

from workflows.domain.events import phase_of
from workflows.domain.model import Record
from workflows.domain.order import TicketOrder
from workflows.domain.people import Person, Trust
from workflows.domain.routes import Route, route_of
from workflows.domain.ticket import Phase, Ticket, TicketRef

MOST_SAID = 10_000
"""Characters of what a person says that are passed on; the rest is cut with a notice."""


class Asking(Record):
    """Since when a card asks for work. What is not named here has stood on it for longer than anybody knows."""

    filed: datetime
    """When the card was made: whatever stood on it then has asked since."""
    column: datetime | None = None
    """When it came into the column it stands in."""
    labels: dict[str, datetime] = Field(default_factory=dict[str, datetime])
    """When labels it has were set, by their names."""
    given: datetime | None = None
    """When it was assigned or delegated to Pawl, which it still is."""
    freed: datetime | None = None
    """When the last of what blocked it ended."""

    def since(self, card: Ticket, route: Route) -> datetime:
        """The last time something happened by which the card asks for work here. An edit of its text is none."""
        set_at = [at for name, at in self.labels.items() if name.casefold() == route.label.casefold()]
        came = self.column if card.status.casefold() == route.column.casefold() else None
        return max(at for at in (self.filed, came, self.given, self.freed, *set_at) if at)


class CardSeen(Record):
    """A card as a delivery or a look shows it."""

    id: str = Field(min_length=1, max_length=200)
    """Names what happened: the same happening, however often and by whichever way it is heard of, has the same."""
    card: Ticket
    at: datetime
    """When the card changed, by the tracker's clock."""
    by: Person | None = None
    """Who changed it; None when nobody knows."""
    moved: bool = False
    """Whether it is its column that changed, or that must be compared."""
    assigned: bool = False
    """Whether the card is assigned or delegated to Pawl."""
    asking: Asking | None = None
    """None where the tracker does not tell: then every change asks anew, as long as the card asks at all."""


class WordsSaid(Record):
    """A person wrote something where Pawl reads."""

    id: str = Field(min_length=1, max_length=200)
    card: Ticket | None = None
    """The ticket it was said on, where the delivery shows enough of it to start work; else only its `ref`."""
    ref: TicketRef
    text: str
    """Without the mention. Untrusted."""
    at: datetime
    by: Person
    addressed: bool = False
    """Whether it was said to Pawl: a mention, a reply in its own thread, a button."""
    stop: bool = False
    """The place's own order to stop at once."""
    heard_in: str = ""
    """Where they can be answered so that nobody else reads it, as the place names it; empty: nowhere."""


class PullRequestNews(Record):
    """Something happened to a pull request; the ticket then looks for itself."""

    id: str = Field(min_length=1, max_length=200)
    repository: str
    """`owner/name`."""
    number: int


Happening = CardSeen | WordsSaid | PullRequestNews


class CardMove(Record):
    """What the ticket is told of its card: the argument of the signal `card-moved`."""

    id: str
    status: str
    at: datetime
    by: str = ""
    """As people read it."""
    person: Person | None = None
    """Who moved it, where the tracker says so."""


class Words(Record):
    """What the ticket is told of a person's words: the argument of the signal `said`."""

    id: str
    text: str
    by: Person
    stop: bool = False
    at: datetime | None = None
    """When they were said, by the place's clock."""


class Start(Record):
    """Start the ticket, unless it is under way."""

    order: TicketOrder
    at: datetime
    """When it was asked for: what was asked before the last run ended, that run has answered."""


class TellMove(Record):
    ref: TicketRef
    move: CardMove


class TellWords(Record):
    ref: TicketRef
    words: Words
    at: datetime
    """When they were said: an order to stop that is older than the run was not meant for it."""


class Nudge(Record):
    """Have the ticket of a pull request look at it."""

    repository: str
    number: int


class Leave(Record):
    """Do nothing; the reason is for the log."""

    reason: str
    notable: bool = False
    """Whether somebody who runs Pawl will ask why nothing happened."""


class AskWho(Record):
    """Have the place say who said it, and decide then: workflows/hearing.py."""

    said: SerializeAsAny[WordsSaid]


Move = Start | TellMove | TellWords | Nudge | AskWho | Leave


class Terms(Record):
    """What decisions need to know of this installation."""

    routes: tuple[Route, ...] = ()
    model: str = ""
    reviewer_model: str = ""
    ui: str = ""
    """Where people open the Temporal UI; empty: cards do not link there."""


def decide(happening: Happening, terms: Terms) -> tuple[Move, ...]:
    """What is done about it, in this order."""
    match happening:
        case CardSeen():
            return _about_card(happening, terms)
        case WordsSaid():
            return _about_words(happening, terms)
        case PullRequestNews():
            return (Nudge(repository=happening.repository, number=happening.number),)


def _about_card(seen: CardSeen, terms: Terms) -> tuple[Move, ...]:
    card, by = seen.card, seen.by
    if by is not None and by.trust is Trust.OURS:
        return (Leave(reason="Pawl changed the card itself"),)
    if by is not None and by.trust is not Trust.MEMBER:
        return (_left_to_members(seen, by, terms),)
    moves: list[Move] = []
    if seen.moved:
        move = CardMove(id=seen.id, status=card.status, at=seen.at, by=by.shown if by else "", person=by)
        moves.append(TellMove(ref=card.ref, move=move))
    if start := _start(card, seen.at, terms, asked=seen.assigned, asking=seen.asking):
        moves.append(start)
    return tuple(moves) or (Leave(reason="the card asks for nothing"),)


def _left_to_members(seen: CardSeen, by: Person, terms: Terms) -> Leave:
    if not _start(seen.card, seen.at, terms, asked=seen.assigned):
        return Leave(reason="what a stranger does to a card is no instruction")
    reason = (
        f"{seen.card.identifier} asks for work, and {by.shown}, who asked, is no member there: a member must ask for it"
    )
    return Leave(reason=reason, notable=True)


def _about_words(said: WordsSaid, terms: Terms) -> tuple[Move, ...]:
    if said.by.trust is Trust.OURS:
        return (Leave(reason="Pawl said it itself"),)
    if said.by.trust is Trust.STRANGER:
        return (Leave(reason="a stranger's words are no instruction"),)
    if not (said.addressed or said.stop):
        return (Leave(reason="it was not said to Pawl"),)
    if said.by.trust is Trust.UNPROVEN:
        return (AskWho(said=said),)
    text = said.text if len(said.text) <= MOST_SAID else f"{said.text[: MOST_SAID - 20]} [cut: too long]"
    words = Words(id=said.id, text=text, by=said.by, stop=said.stop, at=said.at)
    tell = TellWords(ref=said.ref, words=words, at=said.at)
    start = _start(said.card, said.at, terms, asked=True) if said.card and not said.stop else None
    moves = (*((start,) if start else ()), *((tell,) if text.strip() or said.stop else ()))
    return moves or (Leave(reason="nothing was said beside the mention"),)


def _start(card: Ticket, at: datetime, terms: Terms, *, asked: bool, asking: Asking | None = None) -> Start | None:
    """A card that asks for work is started where a route serves it. What has ended is not, unless it stands in the
    route's own column again."""
    route = route_of(card, terms.routes)
    if route is None or not (asked or route.asks_for(card)):
        return None
    phase = phase_of(card.status)
    in_column = bool(route.column) and card.status.casefold() == route.column.casefold()
    if card.closed or (phase is not None and phase is not Phase.TODO and not in_column):
        return None
    order = route.order(card, terms.model, terms.reviewer_model)
    return Start(order=order, at=asking.since(card, route) if asking else at)
