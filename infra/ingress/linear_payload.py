"""What of Linear's webhook payloads Pawl reads; the schema's types of the same names end in WebhookPayload."""

from typing import Annotated, Any

from pydantic import Field

from infra.ingress.payload import CamelPayload, Id


class Stamp(CamelPayload):
    webhook_timestamp: Annotated[float, Field(strict=True, allow_inf_nan=False)]
    """Milliseconds since 1970."""


class Envelope(CamelPayload):
    action: str = ""
    type: str = ""


class User(CamelPayload):
    id: Id
    name: str = ""
    email: str = ""


class Actor(User):
    type: str = ""
    """`user`, or what else changes issues: an integration, an application, an external user."""


class State(CamelPayload):
    name: Annotated[str, Field(max_length=100)]
    type: str
    """triage, backlog, unstarted, started, completed or canceled."""


class Label(CamelPayload):
    id: str = ""
    name: str


class Team(CamelPayload):
    key: str


class NamedIssue(CamelPayload):
    id: Id
    identifier: str
    title: str
    description: str | None = None
    url: str = ""
    team: Team | None = None


class IssuePayload(NamedIssue):
    state: State
    labels: tuple[Label, ...] = ()
    created_at: str = ""
    updated_at: Annotated[str, Field(max_length=40)]
    archived_at: str | None = None
    trashed: bool | None = None
    delegate_id: str | None = None
    assignee_id: str | None = None


class CommentChild(CamelPayload):
    id: Id
    body: str = ""
    user_id: str | None = None


class IssueChild(CamelPayload):
    id: Id


class CommentPayload(CommentChild):
    created_at: str
    issue_id: Id | None = None
    issue: IssueChild | None = None
    parent: CommentChild | None = None
    """What it answers."""
    user: User | None = None
    external_user: User | None = None
    bot_actor: Any = None
    """Set where an application wrote it."""


class ActivityPayload(CamelPayload):
    id: Id
    content: dict[str, Any] = Field(default_factory=dict)
    body: str | None = None
    signal: str | None = None
    user: User | None = None
    user_id: str | None = None
    created_at: str = ""
    source_comment_id: Annotated[str | None, Field(max_length=100)] = None
    """The comment that says the same, where a person wrote one."""

    @property
    def text(self) -> str:
        """What was said: the schema has it in the content, the guide beside it."""
        said = self.content.get("body")
        return said if isinstance(said, str) else self.body or ""


class SessionPayload(CamelPayload):
    id: Id
    created_at: str
    issue_id: Id | None = None
    issue: NamedIssue | None = None
    creator: User | None = None
    comment: CommentChild | None = None
    source_comment_id: str | None = None
    """The comment it was spawned from, where that is of another thread."""


class IssueDelivery(CamelPayload):
    data: IssuePayload
    actor: Actor | None = None
    updated_from: dict[str, Any] | None = None


class CommentDelivery(CamelPayload):
    data: CommentPayload
    actor: Actor | None = None


class SessionDelivery(CamelPayload):
    created_at: str
    agent_session: SessionPayload
    agent_activity: ActivityPayload | None = None
    previous_comments: tuple[CommentChild, ...] | None = None


def id_of_prompt(activity: str, comment: str | None, *, stop: bool) -> str:
    """Names what was said in an agent session, by a delivery and by a look alike. Whoever writes there writes a comment
    as well, which is told by a way of its own: its id counts, so that the words are heard once. An order to stop is
    more than its words, and nothing that was heard before may swallow it."""
    return f"comment:{comment}" if comment and not stop else f"activity:{activity}"
