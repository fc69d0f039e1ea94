"""GitHub's door: issues and what is said on them, and that something happened to a pull request."""

from collections.abc import Collection, Mapping
from typing import ClassVar

from infra.ingress.door import (
    Delivery,
    Door,
    Unsigned,
    delivery_id,
    hex_digests,
    is_one_of,
    json_only,
    real_secrets,
)
from infra.ingress.github_payload import (
    CheckDelivery,
    CommentDelivery,
    Issue,
    IssueDelivery,
    Pull,
    PullDelivery,
    SentBy,
    User,
)
from infra.ingress.mention import Mention
from infra.ingress.payload import moment, parsed
from workflows.domain.intake import CardSeen, Happening, PullRequestNews, WordsSaid
from workflows.domain.labels import COLUMN, column_of
from workflows.domain.people import Person, Trust
from workflows.domain.ticket import Ticket, TicketRef

MAY_WRITE = ("OWNER", "MEMBER", "COLLABORATOR")
"""The author associations of people whose words count."""
GONE = ("deleted", "transferred")
"""After these an issue is no longer here."""
PULL_EVENTS = ("pull_request", "pull_request_review", "pull_request_review_comment", "pull_request_review_thread")
CHECK_EVENTS = ("check_run", "check_suite", "workflow_run")


class GitHubDoor(Door):
    """`login` is Pawl's own account there, which is also how people mention it: `pawl[bot]` hears `@pawl`. `trigger` is
    the label that asks for work; empty: none does."""

    most_bytes = 5 * 1024 * 1024
    taken = 202
    seconds: ClassVar[float] = 4.0  # GitHub waits for 10

    def __init__(self, name: str, secrets: Collection[str], *, login: str, trigger: str = "pawl") -> None:
        self.name = name
        self._secrets = real_secrets(secrets)
        self._login = login.casefold()
        self._trigger = trigger
        self._mention = Mention(login.removesuffix("[bot]"))

    def check(self, headers: Mapping[str, str], body: bytes, now: float) -> None:
        """GitHub signs no time: an old delivery sent once more does no harm, for nothing is done twice."""
        right = [f"sha256={digest}" for digest in hex_digests(self._secrets, body)]
        if not is_one_of(headers.get("x-hub-signature-256", ""), right):
            raise Unsigned("X-Hub-Signature-256 is missing or wrong.")

    def read(self, headers: Mapping[str, str], body: bytes) -> Delivery:
        json_only(headers)
        delivery, event = delivery_id(headers, "x-github-delivery"), delivery_id(headers, "x-github-event")
        sent = parsed(SentBy, body)
        is_echo = self._is_ours(sent.sender) and event not in CHECK_EVENTS  # CI on what Pawl pushed counts as its own
        happenings = () if is_echo else self._happenings(event, sent.action, delivery, body)
        return Delivery(delivery, f"{event} {sent.action}".strip(), happenings)

    def _happenings(self, event: str, action: str, delivery: str, body: bytes) -> tuple[Happening, ...]:
        if event == "issues" and action not in GONE:
            return (self._card(parsed(IssueDelivery, body)),)
        if event == "issue_comment":
            return self._comment(parsed(CommentDelivery, body), delivery)
        if event in PULL_EVENTS:
            told = parsed(PullDelivery, body)
            if (said := told.comment or told.review) and self._is_a_strangers(said.user, said.author_association):
                return ()
            return (self._news(told.repository.full_name, told.pull_request.number, delivery),)
        if event in CHECK_EVENTS and action == "completed":
            return self._checks(parsed(CheckDelivery, body), delivery)
        return ()

    def _card(self, told: IssueDelivery) -> CardSeen:
        issue = told.issue
        ticket, by = self._ticket(told.repository.full_name, issue), self._mover(told)
        moved = told.action in ("closed", "reopened") or (
            told.action in ("labeled", "unlabeled") and told.label is not None and self._is_column(told.label.name)
        )
        asked = told.action == "opened" and self._mention.is_in(issue.body or "")
        return CardSeen(
            id=f"{ticket.status if moved else 'card'}@{issue.updated_at}",
            card=ticket,
            at=moment(issue.updated_at),
            by=by,
            moved=moved,
            assigned=asked or any(self._is_ours(one) for one in issue.assignees),
        )

    def _comment(self, told: CommentDelivery, delivery: str) -> tuple[Happening, ...]:
        """On a pull request the ticket reads the whole thread itself."""
        issue, comment, repository = told.issue, told.comment, told.repository.full_name
        if issue.pull_request is not None:
            if self._is_a_strangers(comment.user, comment.author_association):
                return ()
            return (self._news(repository, issue.number, delivery),)
        if told.action != "created":
            return ()
        card = self._ticket(repository, issue)
        return (
            WordsSaid(
                id=f"comment:{comment.id}",
                card=card,
                ref=card.ref,
                text=self._mention.without(comment.body),
                at=moment(comment.created_at),
                by=self._person(comment.user, comment.author_association),
                addressed=self._mention.is_in(comment.body),
            ),
        )

    def _checks(self, told: CheckDelivery, delivery: str) -> tuple[Happening, ...]:
        """The pull requests of this repository that a finished check is of; those of its forks are listed as well."""
        run = told.check_run or told.check_suite or told.workflow_run
        pulls: tuple[Pull, ...] = run.pull_requests if run else ()
        numbers = dict.fromkeys(pull.number for pull in pulls if pull.is_in(told.repository.id))
        return tuple(self._news(told.repository.full_name, number, delivery) for number in numbers)

    def _news(self, repository: str, number: int, delivery: str) -> PullRequestNews:
        return PullRequestNews(id=delivery, repository=repository, number=number)

    def _ticket(self, repository: str, issue: Issue) -> Ticket:
        labels = tuple(label.name for label in issue.labels)
        closed = issue.state == "closed"
        return Ticket(
            ref=TicketRef(tracker=self.name, id=f"{repository}#{issue.number}"),
            identifier=f"{repository.rpartition('/')[2]}#{issue.number}",
            title=issue.title,
            body=issue.body or "",
            status=column_of(labels, closed=closed, reason=issue.state_reason or "", trigger=self._trigger),
            version=int(moment(issue.updated_at).timestamp()),
            labels=tuple(label for label in labels if not label.startswith(COLUMN)),
            url=issue.html_url,
            team=repository,
            closed=closed,
        )

    def _mover(self, told: IssueDelivery) -> Person:
        """Whoever is not the author may change an issue only with rights to the repository."""
        is_author = told.issue.user is not None and told.issue.user.id == told.sender.id
        return self._person(told.sender, told.issue.author_association if is_author else MAY_WRITE[-1])

    def _person(self, user: User | None, association: str) -> Person:
        known = user or User(id=0, login="ghost")  # an account that is deleted
        trust = Trust.MEMBER if association in MAY_WRITE and known.type == "User" else Trust.STRANGER
        return Person(
            place=self.name,
            id=str(known.id),
            name=known.login,
            handle=known.login,
            trust=Trust.OURS if self._is_ours(known) else trust,
        )

    def _is_a_strangers(self, user: User | None, association: str) -> bool:
        """On a pull request that asks for nothing, and a flood of it would fill the ticket's history."""
        return self._person(user, association).trust is Trust.STRANGER

    def _is_ours(self, user: User | None) -> bool:
        return user is not None and user.login.casefold() == self._login

    def _is_column(self, label: str) -> bool:
        return label.startswith(COLUMN) or label.casefold() == self._trigger.casefold()
