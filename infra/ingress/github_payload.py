"""What of GitHub's webhook payloads Pawl reads."""

from typing import Annotated, Any

from pydantic import Field

from infra.ingress.payload import Number, Payload


class User(Payload):
    id: int
    login: str
    type: str = "User"
    """Bot for applications, Organization."""


class SentBy(Payload):
    action: str = ""
    sender: User | None = None


class Repository(Payload):
    id: int
    full_name: Annotated[str, Field(min_length=3, max_length=150)]


class Label(Payload):
    name: Annotated[str, Field(max_length=100)]


class Issue(Payload):
    number: Number
    title: str
    body: str | None = None
    state: Annotated[str, Field(max_length=20)]
    state_reason: str | None = None
    labels: tuple[Label, ...] = ()
    assignees: tuple[User, ...] = ()
    user: User | None = None
    author_association: str = ""
    html_url: str = ""
    updated_at: Annotated[str, Field(max_length=40)]
    pull_request: Any = None
    """Set where the issue is a pull request's."""


class IssueDelivery(Payload):
    action: str
    issue: Issue
    repository: Repository
    sender: User
    label: Label | None = None
    """The one that was added or taken away."""


class Comment(Payload):
    id: Number
    body: str
    created_at: str
    user: User | None = None
    author_association: str = ""


class CommentDelivery(Payload):
    action: str
    issue: Issue
    comment: Comment
    repository: Repository


class Base(Payload):
    class Repository(Payload):
        id: int

    repo: Repository


class Pull(Payload):
    number: Number
    base: Base | None = None

    def is_in(self, repository: int) -> bool:
        return self.base is None or self.base.repo.id == repository


class Said(Payload):
    user: User | None = None
    author_association: str = ""


class PullDelivery(Payload):
    pull_request: Pull
    repository: Repository
    review: Said | None = None
    comment: Said | None = None


class Check(Payload):
    pull_requests: tuple[Pull, ...] = ()


class CheckDelivery(Payload):
    repository: Repository
    check_run: Check | None = None
    check_suite: Check | None = None
    workflow_run: Check | None = None
