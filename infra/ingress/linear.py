"""Linear's door: issues, comments and agent sessions, as Linear's webhooks tell of them."""

from collections.abc import Collection, Mapping
from datetime import timedelta
from typing import Any, ClassVar

from infra.ingress.door import Delivery, Door, Stale, Unsigned, delivery_id, hex_digests, is_one_of, json_only
from infra.ingress.door import real_secrets as real
from infra.ingress.linear_payload import (
    ActivityPayload,
    Actor,
    CommentDelivery,
    CommentPayload,
    Envelope,
    IssueDelivery,
    IssuePayload,
    NamedIssue,
    SessionDelivery,
    Stamp,
    User,
    id_of_prompt,
)
from infra.ingress.mention import Mention
from infra.ingress.payload import milliseconds, moment, parsed
from workflows.domain.intake import Asking, CardSeen, Happening, WordsSaid
from workflows.domain.people import Person, Trust
from workflows.domain.ticket import Ticket, TicketRef

MOST_AHEAD = timedelta(seconds=60)
"""How far Linear's clock may be ahead of ours."""
MOST_AGE = timedelta(hours=8)
"""Longer than Linear tries: after 1 minute, 1 hour and 6 hours, each time with the time of the first try."""
ENDED = ("completed", "canceled")
"""The types of states in which nothing is to be done any more."""


class LinearDoor(Door):
    """`ours` are the ids of Pawl's own user and of its OAuth client, `handle` is what people write after @."""

    most_bytes = 5 * 1024 * 1024
    taken = 200  # any other status is a failure to Linear
    seconds: ClassVar[float] = 4.0  # Linear waits for 5

    def __init__(
        self,
        name: str,
        secrets: Collection[str],
        *,
        ours: Collection[str] = (),
        handle: str = "pawl",
        most_age: timedelta = MOST_AGE,
    ) -> None:
        self.name = name
        self._secrets = real(secrets)
        self._ours = frozenset(ours)
        self._mention = Mention(handle)
        self._most_age = most_age

    def check(self, headers: Mapping[str, str], body: bytes, now: float) -> None:
        if not is_one_of(headers.get("linear-signature", ""), hex_digests(self._secrets, body)):
            raise Unsigned("Linear-Signature is missing or wrong.")
        age = now - parsed(Stamp, body).webhook_timestamp / 1000
        if age > self._most_age.total_seconds():
            raise Stale("webhookTimestamp is too old.")
        if -age > MOST_AHEAD.total_seconds():
            raise Stale("webhookTimestamp is in the future: compare the clocks.")

    def read(self, headers: Mapping[str, str], body: bytes) -> Delivery:
        json_only(headers)
        delivery = delivery_id(headers, "linear-delivery")
        envelope = parsed(Envelope, body)
        return Delivery(delivery, f"{envelope.type} {envelope.action}", self._happenings(envelope, body))

    def _happenings(self, envelope: Envelope, body: bytes) -> tuple[Happening, ...]:
        match envelope.type, envelope.action:
            case "Issue", "create" | "update":
                return (self._card(parsed(IssueDelivery, body)),)
            case "Comment", "create":
                return self._comment(parsed(CommentDelivery, body))
            case "AgentSessionEvent", "created":
                return self._session(parsed(SessionDelivery, body))
            case "AgentSessionEvent", "prompted":
                return self._prompt(parsed(SessionDelivery, body))
            case _:
                return ()

    def _card(self, delivery: IssueDelivery) -> CardSeen:
        issue = delivery.data
        moved = "stateId" in (delivery.updated_from or {})
        what = issue.state.name if moved else "card"
        return CardSeen(
            id=f"{what}@{issue.updated_at}",
            card=self._ticket(issue),
            at=moment(issue.updated_at),
            by=self._actor(delivery.actor) if delivery.actor else None,
            moved=moved,
            assigned=bool(self._ours & {issue.delegate_id, issue.assignee_id}),
            asking=self._asking(issue, delivery.updated_from or {}),
        )

    def _asking(self, issue: IssuePayload, before: Mapping[str, Any]) -> Asking:
        """`before` holds what the change has changed, as it was: what else the card shows stood there already."""
        at, held = moment(issue.updated_at), before.get("labelIds")
        holders = {"delegateId": issue.delegate_id, "assigneeId": issue.assignee_id}
        given = any(name in before and holder in self._ours for name, holder in holders.items())
        return Asking(
            filed=moment(issue.created_at or issue.updated_at),
            column=at if "stateId" in before else None,
            labels={one.name: at for one in issue.labels if isinstance(held, list) and one.id not in held},
            given=at if given else None,
        )

    def _comment(self, delivery: CommentDelivery) -> tuple[Happening, ...]:
        comment = delivery.data
        issue = comment.issue.id if comment.issue else comment.issue_id
        is_answer = comment.parent is not None and comment.parent.user_id in self._ours
        if not issue:  # of a project, a document or an initiative
            return ()
        return (
            WordsSaid(
                id=f"comment:{comment.id}",
                ref=self._ref(issue),
                text=self._mention.without(comment.body),
                at=moment(comment.created_at),
                by=self._author(comment, delivery.actor),
                addressed=is_answer or self._mention.is_in(comment.body),
            ),
        )

    def _session(self, delivery: SessionDelivery) -> tuple[Happening, ...]:
        """A session begins where somebody delegates the issue or mentions Pawl. The thread's first comment is what was
        said only where its author began the session with it; other words come by their own delivery, those of the
        comment in another thread that it was spawned from too."""
        session = delivery.agent_session
        if session.issue is None:
            return ()
        card, at = self._named(session.issue), moment(session.created_at)
        by = self._user(session.creator) if session.creator else None
        comment = session.comment
        spawned = session.source_comment_id not in (None, comment.id if comment else None)
        if comment and by and comment.user_id == by.id and not (delivery.previous_comments or spawned):
            text = self._mention.without(comment.body)
            words = WordsSaid(
                id=f"comment:{comment.id}", card=card, ref=card.ref, text=text, at=at, by=by, addressed=True
            )
            return (words,)
        return (CardSeen(id=f"session:{session.id}", card=card, at=at, by=by, assigned=True),)

    def _prompt(self, delivery: SessionDelivery) -> tuple[Happening, ...]:
        activity, session = delivery.agent_activity, delivery.agent_session
        issue = session.issue.id if session.issue else session.issue_id
        if activity is None or not issue:
            return ()
        return (
            WordsSaid(
                id=id_of_prompt(activity.id, activity.source_comment_id, stop=activity.signal == "stop"),
                ref=self._ref(issue),
                text=self._mention.without(activity.text),
                at=moment(activity.created_at or delivery.created_at),
                by=self._prompter(activity),
                addressed=True,
                stop=activity.signal == "stop",
            ),
        )

    def _ref(self, issue: str) -> TicketRef:
        return TicketRef(tracker=self.name, id=issue)

    def _named(self, issue: NamedIssue) -> Ticket:
        """A ticket whose column the delivery does not tell."""
        return Ticket(
            ref=self._ref(issue.id),
            identifier=issue.identifier,
            title=issue.title,
            body=issue.description or "",
            status="",
            url=issue.url,
            team=issue.team.key if issue.team else "",
        )

    def _ticket(self, issue: IssuePayload) -> Ticket:
        return self._named(issue).model_copy(
            update={
                "status": issue.state.name,
                "version": milliseconds(moment(issue.updated_at)),
                "labels": tuple(label.name for label in issue.labels),
                "closed": issue.state.type in ENDED or bool(issue.archived_at or issue.trashed),
            }
        )

    def _actor(self, actor: Actor) -> Person:
        """Integrations and other applications act for nobody we know."""
        trust = Trust.MEMBER if actor.type.lower() == "user" else Trust.STRANGER
        return self._person(actor, trust)

    def _user(self, user: User) -> Person:
        return self._person(user, Trust.MEMBER)

    def _prompter(self, activity: ActivityPayload) -> Person:
        if activity.user is None and not activity.user_id:
            return self._person(User(id="unknown"), Trust.STRANGER)
        return self._user(activity.user or User(id=activity.user_id or ""))

    def _author(self, comment: CommentPayload, actor: Actor | None) -> Person:
        if comment.external_user is not None:
            return self._person(comment.external_user, Trust.STRANGER)
        if actor is not None and actor.type.lower() != "user":  # an application writes as a user, too, who is no member
            return self._actor(actor)
        if comment.user is not None and not comment.bot_actor:
            return self._user(comment.user)
        if actor is not None and not comment.bot_actor:
            return self._actor(actor)
        return self._person(comment.user or actor or User(id="unknown"), Trust.STRANGER)

    def _person(self, user: User, trust: Trust) -> Person:
        known = Trust.OURS if user.id in self._ours else trust
        return Person(place=self.name, id=user.id, name=user.name, handle=user.email, trust=known)
