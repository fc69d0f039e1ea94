"""What has happened in a workspace since the last look: cards, words, prompts. Read by moments of change, in pages, and
where that is too much at once for a shorter time."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from activities.errors import again
from activities.tracker.linear import documents
from activities.tracker.linear.cards import person_of, ticket_of, written
from activities.tracker.linear.client import LinearClient, TooMany
from activities.tracker.linear.mentions import mentions, without_mention
from activities.tracker.linear.rows import Change, CommentSeen, Issue, Prompt, Session, User
from infra.ingress.linear_payload import id_of_prompt
from workflows.domain.intake import Asking, CardSeen, WordsSaid
from workflows.domain.people import Person, Trust
from workflows.domain.routes import Route
from workflows.ports.tracker import FindNews, News

_SHORTEST = timedelta(seconds=1)
_OVERLAP = timedelta(seconds=30)
"""What the next look sees again, with the same ids: clocks differ, and what was written last may be shown late."""
_MOST_UNDER_WAY = 50
"""Of one question."""


@dataclass(frozen=True)
class Look:
    client: LinearClient
    name: str
    us: User

    async def news(self, search: FindNews) -> News:
        now = datetime.now(UTC)
        seen, end = max(search.since, now - _OVERLAP), None
        while True:
            try:
                return await self._between(search, end, min(seen, end or seen))
            except TooMany:
                end = search.since + ((end or now) - search.since) / 2
                if end - search.since < _SHORTEST:
                    raise again("More has changed in Linear within a second than Pawl reads at once.") from None

    async def _between(self, search: FindNews, end: datetime | None, until: datetime) -> News:
        span = {"gt": written(search.since), **({"lte": written(end)} if end else {})}
        routes = [route for route in search.routes if route.tracker == self.name]
        under_way = [ref.id for ref in search.under_way if ref.tracker == self.name]
        issues = await self._issues(asking(routes, span)) | await self._under_way(under_way)
        cards = [self._card(issue, search.since, issue.id in under_way) for issue in issues.values()]
        cards += [self._begun(issue, one) for issue in issues.values() for one in self._sessions(issue, search.since)]
        words = [*await self._comments(routes, under_way, span), *await self._prompts(span)]
        return News(
            cards=tuple(sorted((card for card in cards if card), key=lambda card: card.at)),
            words=tuple(sorted(words, key=lambda said: said.at)),
            until=until,
        )

    async def _issues(self, wanted: dict[str, Any]) -> dict[str, Issue]:
        rows = [Issue.model_validate(row) async for row in self.client.pages(documents.ISSUES, "issues", filter=wanted)]
        return {row.id: row for row in rows}

    async def _under_way(self, ids: list[str]) -> dict[str, Issue]:
        found: dict[str, Issue] = {}
        for start in range(0, len(ids), _MOST_UNDER_WAY):
            found |= await self._issues({"id": {"in": ids[start : start + _MOST_UNDER_WAY]}})
        return found

    def _card(self, issue: Issue, since: datetime, under_way: bool) -> CardSeen | None:
        """None for a card that waits for another: it asks for work when that has ended."""
        if issue.blocked_by and not under_way:
            return None
        lines = [line for line in issue.history.nodes if line.updated_at > since]
        move = max((line for line in lines if line.to_state), key=_when, default=None)
        asked = max((line for line in lines if asks(line, issue, self.us)), key=_when, default=None)
        change = move or asked or max(lines, key=_when, default=None)
        by = change.actor if change else issue.creator if issue.created_at > since else None
        changed = written(issue.updated_at)
        freed = max(
            (end for blocker in issue.blockers if (end := blocker.completed_at or blocker.canceled_at)), default=None
        )
        at = max(issue.updated_at, freed) if freed else issue.updated_at
        if freed and freed > issue.updated_at and not under_way:
            name, by = f"freed@{written(freed)}", None
        else:
            name = f"{issue.state.name}@{changed}" if move else f"card@{changed}"
        return CardSeen(
            id=name,
            card=ticket_of(issue, self.name),
            at=at,
            by=person_of(by, self.us, self.name) if by else None,
            moved=move is not None,
            assigned=issue.is_given_to(self.us.id),
            asking=asking_of(issue, self.us, freed),
        )

    def _sessions(self, issue: Issue, since: datetime) -> list[Session]:
        """Those that began without words of whoever began them; words are told as such."""
        ours = [one for one in issue.agent_sessions.nodes if one.app_user.id == self.us.id and one.created_at > since]
        return [one for one in ours if not one.has_words]

    def _begun(self, issue: Issue, session: Session) -> CardSeen:
        return CardSeen(
            id=f"session:{session.id}",
            card=ticket_of(issue, self.name),
            at=session.created_at,
            by=person_of(session.creator, self.us, self.name) if session.creator else None,
            assigned=True,
        )

    async def _comments(self, routes: list[Route], under_way: list[str], span: dict[str, str]) -> list[WordsSaid]:
        """What is said where we serve."""
        rows = self.client.pages(documents.COMMENTS, "comments", filter=said_where(routes, under_way, span))
        return [said async for row in rows if (said := self._words(CommentSeen.model_validate(row)))]

    def _words(self, comment: CommentSeen) -> WordsSaid | None:
        """None for what is said in the thread of our session: it comes as a prompt."""
        if comment.issue is None or (comment.parent and comment.parent.is_of_session_of(self.us.id)):
            return None
        answer = comment.parent is not None and comment.parent.is_by(self.us.id)
        card = ticket_of(comment.issue, self.name)
        return WordsSaid(
            id=f"comment:{comment.id}",
            card=card,
            ref=card.ref,
            text=without_mention(comment.body, self.us),
            at=comment.created_at,
            by=self._author(comment),
            addressed=answer or mentions(comment.body, self.us),
        )

    def _author(self, comment: CommentSeen) -> Person:
        if comment.user:
            return person_of(comment.user, self.us, self.name)
        outsider = comment.external_user or comment.bot_actor
        known = outsider.id or "" if outsider else ""
        return Person(place=self.name, id=known, name=(outsider.name or "") if outsider else "", trust=Trust.STRANGER)

    async def _prompts(self, span: dict[str, str]) -> list[WordsSaid]:
        wanted = {"createdAt": span, "type": {"eq": "prompt"}}
        rows = self.client.pages(documents.PROMPTS, "agentActivities", filter=wanted)
        return [said async for row in rows if (said := self._prompt(Prompt.model_validate(row)))]

    def _prompt(self, prompt: Prompt) -> WordsSaid | None:
        issue = prompt.agent_session.issue
        if issue is None or prompt.agent_session.app_user.id != self.us.id:
            return None
        card, stop = ticket_of(issue, self.name), prompt.signal == "stop"
        return WordsSaid(
            id=id_of_prompt(prompt.id, prompt.source_comment.id if prompt.source_comment else None, stop=stop),
            card=card,
            ref=card.ref,
            text=without_mention(str(prompt.content.get("body", "")), self.us),
            at=prompt.created_at,
            by=person_of(prompt.user, self.us, self.name),
            addressed=True,
            stop=stop,
        )


def asks(line: Change, issue: Issue, us: User) -> bool:
    """Whether by this the issue asks for something that it did not ask for before."""
    return line.to_state is not None or line.gives_to(us.id) or bool(_labels_of(line, issue))


def asking_of(issue: Issue, us: User, freed: datetime | None) -> Asking:
    """As far back as the history was read."""
    lines = sorted(issue.history.nodes, key=_when)
    given = [line.updated_at for line in lines if line.gives_to(us.id)]
    return Asking(
        filed=issue.created_at,
        column=max((line.updated_at for line in lines if line.to_state), default=None),
        labels={name: line.updated_at for line in lines for name in _labels_of(line, issue)},
        given=max(given) if given and issue.is_given_to(us.id) else None,
        freed=freed,
    )


def _labels_of(line: Change, issue: Issue) -> list[str]:
    """Labels it has set that are still there."""
    return [label.name for label in issue.labels.nodes if label.id in (line.added_label_ids or ())]


def asking(routes: list[Route], span: dict[str, str]) -> dict[str, Any]:
    """Which issues a look is after: those in a route's column or with its label, and what is given to us; of them,
    what has changed, and what waits for others, whose end changes nothing on the card."""
    ours = {"isMe": {"eq": True}}
    kinds: list[dict[str, Any]] = [{"delegate": ours}, {"assignee": ours}, *(_of_route(route) for route in routes)]
    return {"and": [{"or": kinds}, {"or": [{"updatedAt": span}, {"hasBlockedByRelations": {"eq": True}}]}]}


def said_where(routes: list[Route], under_way: list[str], span: dict[str, str]) -> dict[str, Any]:
    """Which comments a look is after: in the teams of the routes, and on what is under way."""
    places: list[dict[str, Any]] = [{"id": {"in": under_way}}] if under_way else []
    places += [{"team": {"key": {"eqIgnoreCase": route.team}}} for route in routes if route.team]
    if any(not route.team for route in routes) or not places:
        return {"createdAt": span, "issue": {"null": False}}
    return {"createdAt": span, "issue": {"or": places}}


def _of_route(route: Route) -> dict[str, Any]:
    asked: list[dict[str, Any]] = []
    if route.column:
        asked.append({"state": {"name": {"eqIgnoreCase": route.column}}})
    if route.label:
        asked.append({"labels": {"some": {"name": {"eqIgnoreCase": route.label}}}})
    team: dict[str, Any] = {"team": {"key": {"eqIgnoreCase": route.team}}} if route.team else {}
    return {**team, "or": asked}


def _when(change: Change) -> datetime:
    return change.updated_at
