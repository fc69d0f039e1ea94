"""An issue as a card: labels are its columns, and hidden marks in Pawl's comments say who holds it."""

import re
from typing import NamedTuple

from activities.github.records import Comment, Issue, is_ours
from workflows.domain.events import rests
from workflows.domain.labels import COLUMN, column_of
from workflows.domain.ticket import Phase, Ticket, TicketRef

_REF = re.compile(r"([A-Za-z0-9_-][A-Za-z0-9._-]*/[A-Za-z0-9._-]+)#([1-9][0-9]{0,17})")
_CLAIM = re.compile(r"<!-- pawl:claim/(claimed|at-work)/(.*) -->")
_FILED = re.compile(r"\A<!-- pawl:filed/.*\n")
"""The first line of an issue that Pawl filed."""


class At(NamedTuple):
    repository: str
    number: int


class Claim(NamedTuple):
    comment: int
    account: str
    at_work: bool
    """Whether the card has left Todo since: back there it is free."""


def at(ref: TicketRef) -> At | None:
    """Where the issue is; None for an id that cannot be one's."""
    found = _REF.fullmatch(ref.id)
    return At(found[1], int(found[2])) if found else None


def repository_of(issue: Issue) -> str:
    """`owner/name` as GitHub writes it, whatever letters somebody asked for it in: an issue has one id."""
    owner, name = issue.html_url.split("/")[-4:-2]
    return f"{owner}/{name}"


def ticket(tracker: str, repository: str, issue: Issue, trigger: str) -> Ticket:
    return Ticket(
        ref=TicketRef(tracker=tracker, id=f"{repository}#{issue.number}"),
        identifier=f"{repository.partition('/')[2]}#{issue.number}",
        title=issue.title,
        body=parted(issue.text)[1],
        status=status(issue, trigger),
        version=int(issue.updated_at.timestamp()),
        labels=tuple(name for name in issue.names if not name.startswith(COLUMN)),
        url=issue.html_url,
        team=repository,
        closed=issue.state == "closed",
    )


def is_filed(issue: Issue, ours: str) -> bool:
    """Whether Pawl has filed it: whoever copies an issue copies its mark as well. `ours`: Pawl's login."""
    return issue.user is not None and is_ours(issue.user.login, ours) and _FILED.match(issue.text) is not None


def parted(text: str) -> tuple[str, str]:
    """The line by which an issue that Pawl filed is found again, and the rest."""
    found = _FILED.match(text)
    return (found[0], text[found.end() :]) if found else ("", text)


def status(issue: Issue, trigger: str) -> str:
    return column_of(issue.names, closed=issue.state == "closed", reason=issue.state_reason or "", trigger=trigger)


def columns(issue: Issue) -> list[str]:
    """The labels that are columns."""
    return [name for name in issue.names if name.startswith(COLUMN)]


def claims(comments: list[Comment], ours: str) -> list[Claim]:
    """Oldest first: of two that were made at once, the first holds."""
    found: list[Claim] = []
    for comment in sorted(comments, key=lambda one: one.id):
        marked = _CLAIM.fullmatch(comment.text.partition("\n")[0])
        if marked and comment.user is not None and is_ours(comment.user.login, ours):
            found.append(Claim(comment.id, marked[2], marked[1] == "at-work"))
    return found


def claim_text(account: str, *, at_work: bool) -> str:
    state = "at-work" if at_work else "claimed"
    return f"<!-- pawl:claim/{state}/{account.replace('--', '- -')} -->\nPawl is working on this."


def is_free(phase: Phase | None) -> bool:
    """Whether nobody works on a card that stands there: Todo, a final phase, a column of people's own."""
    return rests(phase)
