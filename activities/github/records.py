"""What Pawl reads of GitHub's answers; everything else in them is passed over."""

from datetime import datetime

from workflows.domain.model import Record
from workflows.domain.people import Person, Trust

_MEMBERS = {"OWNER", "MEMBER", "COLLABORATOR"}
"""Who may write to the repository, or belongs to who owns it."""


class Account(Record):
    login: str
    id: int
    type: str = "User"
    name: str | None = None


class Named(Record):
    name: str = ""


class About(Record):
    """A repository."""

    full_name: str


class Tip(Record):
    ref: str
    sha: str


class Pull(Record):
    number: int
    node_id: str
    html_url: str
    state: str
    draft: bool = False
    merged_at: datetime | None = None
    """Set once it is merged: the one field that lists and single reads share."""
    merge_commit_sha: str | None = None
    merged_by: Account | None = None
    mergeable: bool | None = None
    """None: GitHub does not know yet."""
    head: Tip
    base: Tip

    @property
    def merged(self) -> bool:
        return self.merged_at is not None


class Commenter(Record):
    """Whatever has an author."""

    user: Account | None = None
    author_association: str = "NONE"

    def person(self, place: str, ours: str) -> Person:
        """Who wrote it. `ours`: Pawl's own login."""
        return person(self.user, self.author_association, place, ours)


class Comment(Commenter):
    id: int
    body: str | None = None
    html_url: str = ""
    created_at: datetime

    @property
    def text(self) -> str:
        return (self.body or "").replace("\r\n", "\n")

    def has(self, mark: str, ours: str) -> bool:
        """Whether it is the one of ours with this mark."""
        return self.user is not None and is_ours(self.user.login, ours) and self.text.partition("\n")[0] == mark


class Review(Commenter):
    id: int
    body: str | None = None
    state: str
    submitted_at: datetime | None = None

    @property
    def text(self) -> str:
        return (self.body or "").replace("\r\n", "\n")


class Issue(Commenter):
    id: int
    number: int
    title: str
    body: str | None = None
    state: str
    state_reason: str | None = None
    html_url: str
    labels: tuple[Named | str, ...] = ()
    assignees: tuple[Account, ...] = ()
    closed_by: Account | None = None
    comments: int = 0
    created_at: datetime
    updated_at: datetime
    pull_request: dict[str, object] | None = None
    """Set when the issue is a pull request."""

    @property
    def text(self) -> str:
        return (self.body or "").replace("\r\n", "\n")

    @property
    def names(self) -> tuple[str, ...]:
        """Its labels."""
        return tuple(label if isinstance(label, str) else label.name for label in self.labels)


def person(account: Account | None, association: str, place: str, ours: str) -> Person:
    if account is None:
        return Person(place=place, id="ghost", name="a deleted account")
    trust = Trust.STRANGER
    if is_ours(account.login, ours):
        trust = Trust.OURS
    elif account.type != "Bot" and association in _MEMBERS:
        trust = Trust.MEMBER
    return Person(place=place, id=str(account.id), name=account.name or "", handle=account.login, trust=trust)


def is_ours(login: str, ours: str) -> bool:
    """An app is `pawl[bot]`; a person may well be called `pawl`."""
    return login.casefold() == ours.casefold()
