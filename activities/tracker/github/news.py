"""What has happened to issues since a moment: cards as they stand, and what was said on them."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from activities.github import GitHub, Refused, full_name
from activities.github.identity import must_be
from activities.github.records import Comment, Issue, is_ours
from activities.tracker.github.cards import At, at, repository_of, ticket
from infra.ingress.mention import Mention
from workflows.domain.intake import CardSeen, WordsSaid
from workflows.domain.people import Trust
from workflows.ports.tracker import FindNews, News

_MOST_LISTED = 500
_SAME_MOMENT = timedelta(seconds=2)
_MOST_ISSUES = 40
"""A look has half a minute, and asks for the comments of each."""


@dataclass(frozen=True)
class Terms:
    github: GitHub
    ours: str
    connection: str
    trigger: str
    repositories: tuple[str, ...]


class _Look(NamedTuple):
    """At one repository."""

    issues: list[Issue]
    until: datetime
    """Everything before has been seen."""


async def found(terms: Terms, search: FindNews) -> News:
    cards: list[CardSeen] = []
    words: list[WordsSaid] = []
    looks: list[_Look] = []
    seen: set[At] = set()
    under_way = _under_way(search)
    for repository in _repositories(terms, search):
        await must_be(terms.github, repository, terms.ours)
        look = await _changed(terms, repository, search.since)
        looks.append(look)
        for issue in look.issues:
            place = At(repository_of(issue), issue.number)
            seen.add(place)
            said = await _comments(terms, place.repository, issue, search.since)
            seen_card = card(terms, place.repository, issue, search.since, under_way=place in under_way)
            rests = place not in under_way and _was_only_said(issue, said)
            cards.append(_as_it_was(seen_card, issue) if rests else seen_card)
            words += _words(terms, place.repository, issue, said, search.since)
    for place in sorted(under_way - seen):
        if issue := await _read(terms, place):
            cards.append(card(terms, place.repository, issue, search.since, under_way=True))
    return News(cards=tuple(cards), words=tuple(words), until=_until(looks, search.since))


def _until(looks: list[_Look], since: datetime) -> datetime:
    """Not beyond what was left for the next look anywhere. Looks overlap by more than clocks differ."""
    return max(since, min((look.until for look in looks), default=datetime.now(UTC)))


def card(terms: Terms, repository: str, issue: Issue, since: datetime, *, under_way: bool) -> CardSeen:
    """GitHub's list does not tell what changed, so the column must be compared, nor by whom: what only a member may do
    must be seen to be a member's. An issue of a stranger is told as theirs until a member has given it to Pawl: a
    template of the repository can put any label on what strangers open."""
    author = issue.person(terms.connection, terms.ours)
    mentioned = issue.created_at >= since and mention_of(terms.ours).is_in(issue.text)
    assigned = any(is_ours(one.login, terms.ours) for one in issue.assignees)
    is_strangers = author.trust is Trust.STRANGER and not (assigned or under_way)
    seen = ticket(terms.connection, repository, issue, terms.trigger)
    return CardSeen(
        id=f"{seen.status}@{written(issue.updated_at)}",
        card=seen,
        at=issue.updated_at,
        by=author if is_strangers else None,
        moved=True,
        assigned=assigned or (mentioned and author.trust is Trust.MEMBER),
    )


def words(terms: Terms, repository: str, issue: Issue, comment: Comment) -> WordsSaid:
    return WordsSaid(
        id=f"comment:{comment.id}",
        card=ticket(terms.connection, repository, issue, terms.trigger),
        ref=ticket(terms.connection, repository, issue, terms.trigger).ref,
        text=mention_of(terms.ours).without(comment.text),
        at=comment.created_at,
        by=comment.person(terms.connection, terms.ours),
        addressed=mention_of(terms.ours).is_in(comment.text),
    )


def mention_of(ours: str) -> Mention:
    """How people address Pawl: `@pawl` for `pawl[bot]`."""
    return Mention(ours.removesuffix("[bot]"))


def written(moment: datetime) -> str:
    """As GitHub writes it."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _repositories(terms: Terms, search: FindNews) -> list[str]:
    """Those that routes name, as a team or as where the work goes, and those of tickets under way."""
    named: list[str] = []
    for route in search.routes:
        if route.tracker == search.tracker:
            of_work = full_name(route.repository, terms.github.web_url)
            named += [route.team] if route.team else [of_work, *terms.repositories]
    names = [*named, *(one.repository for one in _under_way(search))]
    return list({name.casefold(): name for name in names if name}.values())


def _under_way(search: FindNews) -> set[At]:
    return {place for ref in search.under_way if ref.tracker == search.tracker and (place := at(ref))}


async def _changed(terms: Terms, repository: str, since: datetime) -> _Look:
    """Oldest change first. GitHub lists pull requests as issues, too. What is whole is so until it was asked for."""
    begun = datetime.now(UTC)
    asked = {"since": written(since), "state": "all", "sort": "updated", "direction": "asc"}
    listed = await terms.github.every(repository, "/issues", Issue, most=_MOST_LISTED, **asked)
    issues: list[Issue] = []
    until = since
    for one in listed:
        if len(issues) >= _MOST_ISSUES and one.updated_at > until > since:
            return _Look(issues, until)
        until = max(until, one.updated_at)
        if one.pull_request is None:
            issues.append(one)
    return _Look(issues, max(until, begun) if len(listed) < _MOST_LISTED else until)


def _was_only_said(issue: Issue, said: list[Comment]) -> bool:
    """Whether the last thing that happened to the issue is that somebody commented: GitHub tells no more of it."""
    return any(abs(issue.updated_at - one.created_at) <= _SAME_MOMENT for one in said)


def _as_it_was(seen: CardSeen, issue: Issue) -> CardSeen:
    """A comment asks for no work: a ticket that has ended is not started again because its label is still there, and
    one that was never started is."""
    return seen.model_copy(update={"at": issue.created_at})


async def _comments(terms: Terms, repository: str, issue: Issue, since: datetime) -> list[Comment]:
    if not issue.comments:
        return []
    path = f"/issues/{issue.number}/comments"
    return await terms.github.every(repository, path, Comment, since=written(since))


def _words(terms: Terms, repository: str, issue: Issue, said: list[Comment], since: datetime) -> list[WordsSaid]:
    told = [words(terms, repository, issue, one) for one in said if one.created_at >= since]
    return [one for one in told if one.by.trust is not Trust.OURS]


async def _read(terms: Terms, place: At) -> Issue | None:
    try:
        return await terms.github.get(place.repository, f"/issues/{place.number}", Issue)
    except Refused as refused:
        if refused.status not in (404, 410):
            raise
        return None
