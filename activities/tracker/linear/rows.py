"""Linear's answers as Pawl reads them."""

from datetime import datetime
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

T = TypeVar("T")
OPEN = ("pending", "active", "awaitingInput", "stale")
"""States of an agent session in which it can be spoken in; one that is stale wakes up by that."""


class Row(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", alias_generator=to_camel, populate_by_name=True)


class Nodes(Row, Generic[T]):
    nodes: tuple[T, ...] = ()


class Named(Row):
    """Whatever is only told apart."""

    id: str


class User(Row):
    id: str
    name: str = ""
    display_name: str = ""
    email: str = ""
    app: bool = False
    active: bool = True
    url: str = ""


class Outsider(Row):
    id: str | None = None
    name: str | None = None


class State(Row):
    id: str
    name: str
    type: str
    position: float = 0


class Label(Row):
    id: str
    name: str
    team: Named | None = None


class Team(Row):
    id: str
    key: str
    name: str = ""
    states: Nodes[State] = Nodes[State]()


class Kind(Row):
    type: str


class Blocker(Row):
    identifier: str
    completed_at: datetime | None = None
    canceled_at: datetime | None = None
    state: Kind

    @property
    def ended(self) -> bool:
        return self.state.type in ("completed", "canceled")


class Relation(Row):
    type: str
    issue: Blocker


class Attached(Row):
    id: str
    title: str
    url: str
    metadata: dict[str, Any] = {}
    created_at: datetime
    creator: Named | None = None


class SessionOf(Row):
    app_user: Named


class Reply(Row):
    """What a comment replies to."""

    user: Named | None = None
    agent_session: SessionOf | None = None

    def is_by(self, user: str) -> bool:
        return self.user is not None and self.user.id == user

    def is_of_session_of(self, user: str) -> bool:
        return self.agent_session is not None and self.agent_session.app_user.id == user


class Session(Row):
    id: str
    status: str
    created_at: datetime
    app_user: Named
    plan: Any = None
    external_links: tuple[dict[str, Any], ...] = ()
    creator: User | None = None
    comment: Reply | None = None
    source_comment: Named | None = None

    @property
    def is_open(self) -> bool:
        return self.status in OPEN

    @property
    def has_words(self) -> bool:
        """Whether whoever began it said something in the thread's first comment."""
        by = self.creator
        return self.source_comment is None and by is not None and self.comment is not None and self.comment.is_by(by.id)


class Said(Row):
    id: str
    body: str
    created_at: datetime
    user: Named | None = None


class StateName(Row):
    name: str


class Change(Row):
    """A line of an issue's history. Linear may add to a recent line what the same person does next."""

    updated_at: datetime
    actor: User | None = None
    to_state: StateName | None = None
    added_label_ids: tuple[str, ...] | None = None
    to_assignee_id: str | None = None
    to_delegate: Named | None = None

    def gives_to(self, user: str) -> bool:
        """Whether it assigned or delegated the issue to the user."""
        return user in (self.to_assignee_id, self.to_delegate.id if self.to_delegate else None)


class Issue(Row):
    id: str
    identifier: str
    title: str
    description: str | None = None
    url: str
    created_at: datetime
    updated_at: datetime
    archived_at: datetime | None = None
    state: State
    team: Team
    labels: Nodes[Label]
    assignee: Named | None = None
    delegate: Named | None = None
    inverse_relations: Nodes[Relation]
    creator: User | None = None
    attachments: Nodes[Attached] = Nodes[Attached]()
    agent_sessions: Nodes[Session] = Nodes[Session]()
    comments: Nodes[Said] = Nodes[Said]()
    history: Nodes[Change] = Nodes[Change]()

    @property
    def blockers(self) -> tuple[Blocker, ...]:
        """Issues that block this one, the ended ones too."""
        return tuple(row.issue for row in self.inverse_relations.nodes if row.type == "blocks")

    @property
    def blocked_by(self) -> tuple[str, ...]:
        return tuple(sorted(blocker.identifier for blocker in self.blockers if not blocker.ended))

    def is_given_to(self, user: str) -> bool:
        return user in {who.id for who in (self.delegate, self.assignee) if who}

    def is_delegated_to(self, user: str) -> bool:
        return self.delegate is not None and self.delegate.id == user

    def session_of(self, user: str) -> Session | None:
        """The latest agent session of the user, an open one before any other."""
        ours = [session for session in self.agent_sessions.nodes if session.app_user.id == user]
        return max(ours, key=lambda session: (session.is_open, session.created_at), default=None)


class CommentSeen(Row):
    id: str
    body: str
    created_at: datetime
    user: User | None = None
    external_user: Outsider | None = None
    bot_actor: Outsider | None = None
    parent: Reply | None = None
    issue: Issue | None = None


class Prompt(Row):
    id: str
    created_at: datetime
    signal: str | None = None
    source_comment: Named | None = None
    user: User
    content: dict[str, Any] = {}
    agent_session: "PromptedSession"


class PromptedSession(Row):
    app_user: Named
    issue: Issue | None = None


class Hook(Row):
    id: str
    url: str | None = None
    enabled: bool = True
    resource_types: tuple[str, ...] = ()
