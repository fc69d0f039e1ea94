"""Linear as a tracker."""

from dataclasses import dataclass

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.errors import stop
from activities.tracker.linear import documents
from activities.tracker.linear.cards import place_of, ticket_of, uuid_of
from activities.tracker.linear.claim import Claims
from activities.tracker.linear.client import LinearClient
from activities.tracker.linear.files import UPLOADS, Files
from activities.tracker.linear.filing import label_ids, landing
from activities.tracker.linear.listing import listed
from activities.tracker.linear.news import Look
from activities.tracker.linear.rewriting import rewrite as write_anew
from activities.tracker.linear.rows import Issue, Team, User
from activities.tracker.linear.speech import Speech, thought, words_at
from activities.tracker.linear.writing import change_of, read_issue
from workflows.domain.events import phase_of, rests
from workflows.domain.failures import Failure
from workflows.domain.routes import Route
from workflows.domain.ticket import Phase, Ticket, TicketRef
from workflows.ports.journal import Journal
from workflows.ports.tracker import (
    ClaimTicket,
    FileTicket,
    FindNews,
    LinkTicket,
    ListOpen,
    MoveTicket,
    News,
    OpenTickets,
    PostComment,
    RewriteTicket,
    ShowProgress,
    Tracker,
)


@dataclass
class LinearTracker(Tracker):
    """The workspace `client` belongs to, known as `name`."""

    client: LinearClient
    journal: Journal
    name: str
    home: str
    """Where people read about Pawl's runs: the link of a claim on the card leads there."""
    routes: tuple[Route, ...] = ()
    """What asks for work: a card that does not any more when it is claimed is left alone."""
    uploads: str = UPLOADS
    app_user: str = ""
    """The id that the connection says is Pawl's own user, by which webhooks tell its doings; empty: it says none."""

    def __post_init__(self) -> None:
        self._us: User | None = None
        self._claims = Claims(self.client, self.name, self.home, self.routes)
        self._speech = Speech(self.client)
        self._files = Files(self.client.http, self.client.token, self.journal, self.uploads)

    @activity.defn
    async def claim_ticket(self, claim: ClaimTicket) -> Ticket:
        us, issue = await self._look(claim.ref)
        await self._speech.greet(issue, us)
        try:
            taken, before = await self._claims.take(issue, claim, us)
        except ApplicationError as error:
            if error.type == Failure.CLAIM_LOST and not self._claims.holder(issue, us):
                await self._speech.apologise(issue, us, error.message)
            raise
        return ticket_of(taken, self.name, before, await self._files.of(taken))

    @activity.defn
    async def move_ticket(self, move: MoveTicket) -> None:
        us, issue = await self._look(move.ref)
        phase = phase_of(move.to)
        place = place_of(move.to, issue.team.states.nodes)
        change = await change_of(self.client, issue, place)
        if phase in (None, Phase.TODO, Phase.TAKEN_OVER) and issue.is_delegated_to(us.id):
            change["delegateId"] = None
        if change:
            await self.client.ask(documents.UPDATE_ISSUE, id=issue.id, input=change)
        if rests(phase):
            await self._claims.release(issue, us)
        await self._speech.arrive(issue, us, move.to, move.remark.key if move.remark else "")
        if remark := move.remark:
            said = words_at(move.to, remark.text, move.subject)
            await self._speech.say(issue, us, remark.key, remark.text, said)
        else:
            await self._speech.end(issue, us, move.to)

    @activity.defn
    async def post_comment(self, comment: PostComment) -> None:
        us, issue = await self._look(comment.ref)
        remark = comment.remark
        said = words_at(comment.at, remark.text, comment.subject) if comment.at else thought(remark.text)
        await self._speech.say(issue, us, remark.key, remark.text, said)

    @activity.defn
    async def show_progress(self, progress: ShowProgress) -> None:
        us, issue = await self._look(progress.ref)
        await self._speech.progress(issue, us, progress.key, progress.phase, progress.lines)

    @activity.defn
    async def link_ticket(self, link: LinkTicket) -> None:
        us, issue = await self._look(link.ref)
        fields = {"issueId": issue.id, "url": link.url, "title": link.title}
        if link.url not in {row.url for row in issue.attachments.nodes}:
            await self.client.ask(documents.CREATE_ATTACHMENT, input=fields)
        session = issue.session_of(us.id)
        if session and session.is_open:
            await self._speech.show_link(session, link.url, link.title)

    @activity.defn
    async def file_ticket(self, filing: FileTicket) -> Ticket:
        await self._me()
        parent = await read_issue(self.client, filing.parent.id) if filing.parent else None
        team = await self._team_id(filing.team, parent)
        asking = {route.column.casefold() for route in self.routes if route.tracker == self.name and route.column}
        fields = {
            "id": uuid_of("issue", self.name, filing.key),
            "teamId": team,
            "title": filing.title,
            "description": filing.body,
            "labelIds": await label_ids(self.client, team, filing.labels),
            **await landing(self.client, team, asking),
        }
        if parent:
            fields["parentId"] = parent.id
        await self.client.create(documents.CREATE_ISSUE, documents.ISSUE, fields)
        return ticket_of(await read_issue(self.client, str(fields["id"])), self.name)

    @activity.defn
    async def list_open(self, listing: ListOpen) -> OpenTickets:
        return await listed(self.client, await self._me(), self.name, listing)

    @activity.defn
    async def rewrite_ticket(self, rewrite: RewriteTicket) -> Ticket:
        await write_anew(self.client, await self._me(), rewrite)
        return ticket_of(await read_issue(self.client, rewrite.ref.id), self.name)

    @activity.defn
    async def find_news(self, search: FindNews) -> News:
        return await Look(self.client, self.name, await self._me()).news(search)

    async def _look(self, ref: TicketRef) -> tuple[User, Issue]:
        return await self._me(), await read_issue(self.client, ref.id)

    async def _me(self) -> User:
        """Whose key it is: asked once. Raises BadCredentials where the connection says another one."""
        if self._us is None:
            us = User.model_validate((await self.client.ask(documents.VIEWER))["viewer"])
            self._must_be_told(us)
            self._us = us
        return self._us

    def _must_be_told(self, us: User) -> None:
        """With a wrong user the ingress would take our own words for a person's, and that person's for ours."""
        if self.app_user in ("", us.id):
            return
        cause = f"Linear's key belongs to {us.name} ({us.id}), and the connection {self.name} says another app_user."
        where = f"under [connections.{self.name}] in connections.toml, restart Pawl, then resume."
        raise stop(Failure.BAD_CREDENTIALS, cause, f'Write app_user = "{us.id}" {where}')

    async def _team_id(self, key: str, parent: Issue | None) -> str:
        if parent and key.casefold() in ("", parent.team.key.casefold()):
            return parent.team.id
        async for row in self.client.pages(documents.TEAMS, "teams"):
            team = Team.model_validate(row)
            if team.key.casefold() == key.casefold():
                return team.id
        raise stop(Failure.BAD_REQUEST, f"Linear has no team {key!r} that Pawl may see.")
