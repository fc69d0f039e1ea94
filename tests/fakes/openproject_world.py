"""What the double of OpenProject holds: work packages with their journals, the hands of people, and the shapes of it.

The shapes are written down here from OpenProject's published documentation; nothing of it is copied.
"""

import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from workflows.domain.ticket import Phase

FIELD = "customField7"
STATUSES = ("New", "Agent Todo", "Someday", *Phase)
CLOSED = ("Done", "Declined", "Cancelled")
PAWL, ADA, GRACE, MALLORY = 4, 5, 6, 7
"""Users: Pawl's own, two members of both projects, and one who has no role in any."""
NAMES = {PAWL: "Pawl", ADA: "Ada Lovelace", GRACE: "Grace Hopper", MALLORY: "Mallory"}
PROJECTS = {1: "web", 2: "docs"}


@dataclass
class Entry:
    """One activity. Changes by one person in a row are one activity, as long as it has one comment at most."""

    id: int
    user: int
    created: str
    at: str
    text: str = ""
    details: list[str] = field(default_factory=list[str])


@dataclass
class Card:
    id: int
    subject: str
    body: str
    author: int
    at: str = ""
    status: int = 1
    project: int = 1
    parent: int = 0
    assignee: int = 0
    labels: tuple[int, ...] = ()
    note: str | None = None
    lock: int = 0
    journal: list[Entry] = field(default_factory=list[Entry])
    files: list[int] = field(default_factory=list[int])


class World:
    def __init__(self) -> None:
        self.cards: dict[int, Card] = {}
        self.labels: list[str] = []
        self.relations: list[tuple[str, int, int]] = []
        """Kind, from, to."""
        self.files: dict[int, tuple[str, str, bytes]] = {}
        self.statuses: list[str] = [*STATUSES]
        self.tells_changes = True
        """Whether the journal names what was changed."""
        self.has_field = True
        """Whether Pawl's custom field is enabled."""
        self.meanwhile: Callable[[], object] | None = None
        """What a person does just before the next change of a card arrives."""
        self._clock = datetime.now(UTC) - timedelta(seconds=1)
        self._ids = 100

    # the hands of people

    def file(
        self, subject: str, body: str = "", labels: tuple[str, ...] = (), status: str = "Todo", by: int = ADA
    ) -> int:
        card = Card(self.next_id(), subject, body, by, status=self.statuses.index(status) + 1)
        self.labels += [label for label in labels if label not in self.labels]
        card.labels = tuple(self.labels.index(label) + 1 for label in labels)
        self.cards[card.id] = card
        self.write(card, by, detail=f"Subject set to {subject}")
        return card.id

    def move(self, number: int, status: str, by: int = ADA) -> None:
        self.set_status(self.cards[number], self.statuses.index(status) + 1, by)

    def say(self, number: int, text: str, by: int = ADA) -> int:
        return self.write(self.cards[number], by, text=text).id

    def assign(self, number: int, to: int, by: int = ADA) -> None:
        card = self.cards[number]
        card.assignee, card.lock = to, card.lock + 1
        self.write(card, by, detail=f"Assignee set to {NAMES[to]}")

    def edit(self, number: int, body: str, by: int = ADA) -> None:
        card = self.cards[number]
        card.body, card.lock = body, card.lock + 1
        self.write(card, by, detail="Description set (Details)")

    def label(self, number: int, name: str, by: int = ADA) -> None:
        card = self.cards[number]
        self.labels += [] if name in self.labels else [name]
        card.labels, card.lock = (self.labels.index(name) + 1,), card.lock + 1
        self.write(card, by, detail=f"Labels set to {name}")

    def journal_is_old(self, number: int) -> None:
        """All of it happened an hour ago."""
        before = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
        for entry in self.cards[number].journal:
            entry.created = entry.at = before

    def forge(self, number: int, by: int = ADA, **changes: object) -> None:
        """Write into Pawl's own field, so that it fits what the card is then."""
        card = self.cards[number]
        card.lock += 1
        card.note = json.dumps({**json.loads(card.note or "{}"), "lock": card.lock, **changes})
        self.write(card, by, detail="Pawl changed (Details)")

    def attach(self, number: int, name: str, media_type: str, data: bytes) -> None:
        file = self.next_id()
        self.files[file] = (name, media_type, data)
        self.cards[number].files.append(file)

    def said(self, number: int) -> list[str]:
        """What people see of the comments, oldest first."""
        texts = [entry.text for entry in self.cards[number].journal]
        return [
            shown for text in texts if (shown := "\n".join(line for line in text.splitlines() if not _hidden(line)))
        ]

    def hook(self, action: str, number: int, secret: str, entry: int = 0) -> tuple[dict[str, str], bytes]:
        """A webhook as OpenProject sends it: headers and body."""
        card = self.cards[number]
        said = next((one for one in card.journal if one.id == entry), None)
        part = (
            {"activity": self.show_entry(card, said, whole=True)}
            if said
            else {"work_package": self.show(card, whole=True)}
        )
        body = json.dumps({"action": action, **part}).encode()
        return {"x-op-signature": f"sha1={hmac.new(secret.encode(), body, 'sha1').hexdigest()}"}, body

    # changes

    def next_id(self) -> int:
        self._ids += 1
        return self._ids

    def set_status(self, card: Card, status: int, by: int) -> None:
        details = f"Status changed from {self.statuses[card.status - 1]} to {self.statuses[status - 1]}"
        details = details if self.tells_changes else "Something changed"
        card.lock, changed, card.status = card.lock + 1, card.status != status, status
        self.write(card, by, detail=details if changed else "Pawl set")

    def write(self, card: Card, by: int, text: str = "", detail: str = "") -> Entry:
        """Into the journal: a comment touches the card's time and not its lock version."""
        card.at = self._now()
        last = card.journal[-1] if card.journal else None
        if last is None or last.user != by or (last.text and text):
            last = Entry(self.next_id(), by, card.at, card.at)
            card.journal.append(last)
        last.at, last.text = card.at, text or last.text
        last.details += [detail] if detail else []
        return last

    def _now(self) -> str:
        self._clock = max(self._clock + timedelta(milliseconds=1), datetime.now(UTC) - timedelta(seconds=1))
        return self._clock.strftime("%Y-%m-%dT%H:%M:%S.") + f"{self._clock.microsecond // 1000:03}Z"

    # shapes

    def show(self, card: Card, *, whole: bool = False) -> dict[str, Any]:
        """In a collection a card is shown without what it links to."""
        links = {
            "self": link("work_packages", card.id, card.subject),
            "status": link("statuses", card.status, self.statuses[card.status - 1]),
            "project": link("projects", card.project, PROJECTS[card.project]),
            "author": link("users", card.author, NAMES[card.author]),
            "assignee": link("users", card.assignee, NAMES.get(card.assignee, "")),
            "parent": link("work_packages", card.parent),
            "labels": [link("labels", label, self.labels[label - 1]) for label in card.labels],
        }
        shown: dict[str, Any] = {
            "_type": "WorkPackage",
            "id": card.id,
            "lockVersion": card.lock,
            "subject": card.subject,
            "description": {"format": "markdown", "raw": card.body, "html": "<p>rendered</p>"},
            "updatedAt": card.at,
            "_links": links,
        }
        if self.has_field:
            shown[FIELD] = card.note
        if whole:
            shown["_embedded"] = {"status": self.show_status(card.status), "project": show_project(card.project)}
        return shown

    def show_entry(self, card: Card, entry: Entry, *, whole: bool = False) -> dict[str, Any]:
        shown = {
            "_type": "Activity::Comment" if entry.text else "Activity",
            "id": entry.id,
            "comment": {"format": "markdown", "raw": entry.text, "html": "<p>rendered</p>"},
            "details": [{"format": "custom", "raw": text, "html": text} for text in entry.details],
            "createdAt": entry.created,
            "updatedAt": entry.at,
            "_links": {
                "user": link("users", entry.user, NAMES[entry.user]),
                "workPackage": link("work_packages", card.id, card.subject),
            },
        }
        return {**shown, "_embedded": {"workPackage": self.show(card, whole=True)}} if whole else shown

    def show_status(self, number: int) -> dict[str, Any]:
        name = self.statuses[number - 1]
        return {"_type": "Status", "id": number, "name": name, "isClosed": name in CLOSED}


def show_project(number: int) -> dict[str, Any]:
    return {"_type": "Project", "id": number, "identifier": PROJECTS[number], "name": PROJECTS[number].title()}


def link(kind: str, number: int, title: str = "") -> dict[str, Any]:
    return {"href": f"/api/v3/{kind}/{number}" if number else None, "title": title}


def collection(elements: list[dict[str, Any]], total: int | None = None) -> dict[str, Any]:
    count = len(elements)
    return {
        "_type": "Collection",
        "count": count,
        "total": count if total is None else total,
        "_embedded": {"elements": elements},
    }


def _hidden(line: str) -> bool:
    return line.startswith("<!--") and line.endswith("-->")
