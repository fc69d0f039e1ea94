"""OpenProject as Pawl reads it, by a webhook and by a look alike."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, field_validator
from pydantic.alias_generators import to_camel

from workflows.domain.events import phase_of
from workflows.domain.intake import WordsSaid
from workflows.domain.model import Record
from workflows.domain.people import Person, Trust
from workflows.domain.ticket import Phase, Ticket, TicketRef

_MOST_READ = 20_000
"""Characters of a comment. Twice what is passed on, so that a cut is seen as one."""
_QUOTED = re.compile(r"^[ \t]*>.*$", re.MULTILINE)
_TIME = TypeAdapter(AwareDatetime)


class Wire(BaseModel):
    """A part of OpenProject's JSON, as far as it is used here."""

    model_config = ConfigDict(frozen=True, extra="ignore", alias_generator=to_camel, populate_by_name=True)


class Link(Wire):
    href: str | None = None
    title: str | None = None

    @property
    def id(self) -> int:
        """The last part of the address; 0 where the link leads nowhere."""
        last = (self.href or "").rpartition("/")[2]
        return int(last) if last.isascii() and last.isdigit() and len(last) < 16 else 0


class Text(Wire):
    raw: str | None = None


class Status(Wire):
    id: int
    name: str
    is_closed: bool = False


class Project(Wire):
    id: int
    identifier: str


class User(Wire):
    id: int
    name: str = ""


class CardLinks(Wire):
    status: Link
    project: Link
    author: Link = Link()
    assignee: Link = Link()
    labels: tuple[Link, ...] = ()


class CardParts(Wire):
    status: Status | None = None
    project: Project | None = None


class WorkPackage(Wire):
    model_config = ConfigDict(extra="allow")

    id: int
    lock_version: int
    subject: str
    description: Text | None = None
    updated_at: str
    """As OpenProject writes it: a part of what names a happening."""
    links: CardLinks = Field(alias="_links")
    parts: CardParts = Field(default=CardParts(), alias="_embedded")

    @field_validator("updated_at")
    @classmethod
    def _is_a_time(cls, value: str) -> str:
        _TIME.validate_python(value)
        return value

    @property
    def at(self) -> datetime:
        return _TIME.validate_python(self.updated_at)


class CommentLinks(Wire):
    user: Link
    work_package: Link = Link()


class CommentParts(Wire):
    work_package: WorkPackage | None = None


MERGED = timedelta(minutes=5)
"""For so long OpenProject may add what a person does next to the activity there is, unless told otherwise."""


class Activity(Wire):
    """One entry of a work package's journal: changes, words, or both."""

    id: int
    comment: Text | None = None
    details: tuple[Text, ...] = ()
    created_at: AwareDatetime
    updated_at: AwareDatetime | None = None
    links: CommentLinks = Field(alias="_links")
    parts: CommentParts = Field(default=CommentParts(), alias="_embedded")

    @property
    def at(self) -> datetime:
        """When it was last written to: a comment may be younger than the activity it stands in."""
        return self.updated_at or self.created_at + MERGED

    @property
    def said(self) -> str:
        return (self.comment.raw if self.comment else None) or ""


class Note(Record):
    """What Pawl keeps of a work package in a custom field of it: it changes together with the status, or not at all."""

    on: int = 0
    """The work package it was written on: a copy of that one copies its fields, and is held by nobody."""
    by: str = ""
    """The account that claimed it."""
    at: int = 0
    """The status it had when Pawl last wrote: where it has another one now, a person moved it."""
    lock: int = 0
    """The lock version that this very write leads to: no two writes leave the same text, so each counts as a change."""
    filed: str = ""
    """The digest of the key it was filed under, where Pawl filed it."""
    labels: tuple[str, ...] = ()
    """Those Pawl has given it: most versions of OpenProject have no labels, and none lets them be made."""

    @property
    def text(self) -> str:
        """As it stands in the field."""
        return self.model_dump_json(exclude_defaults=True)


@dataclass(frozen=True)
class Place:
    """One OpenProject, as an installation of Pawl knows it."""

    name: str
    """The connection's."""
    url: str
    """Where people open it, without a slash at the end."""
    note_field: str
    """The custom field that is Pawl's: `customField7`."""
    statuses: Mapping[str, str] = field(default_factory=dict[str, str])
    """What a phase is called there, where it has another name: `{"Todo": "New"}`."""

    def status_of(self, to: str) -> str:
        """The status a phase, or what a card had before, is called there."""
        return self.statuses.get(phase_of(to) or to, to)

    def column(self, status: str) -> str:
        """A status in Pawl's words: the phase it stands for, where it stands for one."""
        meant = [phase for phase, name in self.statuses.items() if name.casefold() == status.casefold()]
        return meant[0] if len(meant) == 1 else phase_of(status) or status

    def note(self, card: WorkPackage) -> Note:
        """Whatever else stands in the field is a person's, and is none."""
        try:
            note = Note.model_validate_json(str((card.model_extra or {}).get(self.note_field) or "{}"))
        except ValidationError:
            return Note()
        return note if note.on in (0, card.id) else Note()

    def moved(self, card: WorkPackage) -> bool:
        """Whether a claimed card stands elsewhere than where Pawl put it, by the note on it. People can write there, so
        this frees a card at most; who asked and decided is read from the journal."""
        note = self.note(card)
        return bool(note.by) and note.at != card.links.status.id

    def holder(self, card: WorkPackage) -> str:
        """The account that holds the card. A person frees it by moving it to where no work goes on."""
        phase = phase_of(self.column(card.links.status.title or ""))
        rests = phase is Phase.TODO or (phase is not None and phase.is_final)
        return "" if rests and self.moved(card) else self.note(card).by

    def ref(self, number: int) -> TicketRef:
        return TicketRef(tracker=self.name, id=str(number))

    def ticket(self, card: WorkPackage, team: str = "", closed: Collection[int] = ()) -> Ticket:
        """`team` and the `closed` statuses are taken where the card itself does not tell."""
        parts, status = card.parts, card.links.status
        return Ticket(
            ref=self.ref(card.id),
            identifier=f"#{card.id}",
            title=card.subject,
            body=(card.description.raw if card.description else None) or "",
            status=self.column(status.title or ""),
            version=version(card),
            labels=self.labels(card),
            url=f"{self.url}/work_packages/{card.id}",
            team=parts.project.identifier if parts.project else team,
            closed=parts.status.is_closed if parts.status else status.id in closed,
        )

    def labels(self, card: WorkPackage) -> tuple[str, ...]:
        """What people see as such, and what Pawl has noted."""
        shown = [label.title for label in card.links.labels if label.title]
        return tuple({name.casefold(): name for name in (*self.note(card).labels, *shown)}.values())

    def heard(self, said: Activity, ref: TicketRef, card: Ticket | None, us: "Us", trust: Trust) -> WordsSaid:
        text, addressed = us.without_mention(said.said)
        by = Person(place=self.name, id=str(said.links.user.id), name=said.links.user.title or "", trust=trust)
        return WordsSaid(
            id=f"comment:{said.id}",
            card=card,
            ref=ref,
            text=text,
            at=said.at,
            by=by,
            addressed=addressed,
        )


@dataclass(frozen=True)
class Us:
    """Pawl's own user there."""

    id: int
    handle: str = "pawl"
    """What people write after an @ where they do not pick the user from the list."""
    name: str = ""
    """As the journal calls it."""

    def without_mention(self, text: str) -> tuple[str, bool]:
        """The text without what addresses us, and whether anything did: a mention in what somebody quotes does not."""
        inside = "[^<>]{0,300}"  # bounded, so that no text takes long
        picked = (
            rf'<mention\b(?={inside}\bdata-id="{self.id}")(?={inside}\bdata-type="user"){inside}>{inside}</mention>'
        )
        ours = re.compile(rf"{picked}|(?<![\w@/.`\x22>-])@{re.escape(self.handle)}(?![\w-])", re.IGNORECASE)
        if not ours.search(_QUOTED.sub("", text[:_MOST_READ])):
            return text, False
        return ours.sub("", text[:_MOST_READ]).strip().lstrip(",:").strip(), True


def version(card: WorkPackage) -> int:
    """Grows with every change: `lockVersion` with those of fields, `updatedAt` with those and with comments."""
    return round(card.at.timestamp() * 1000) + card.lock_version
