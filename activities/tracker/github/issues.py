"""GitHub issues as a tracker."""

import asyncio
import hashlib
from dataclasses import dataclass, field
from weakref import WeakValueDictionary

from temporalio import activity

from activities.errors import stop
from activities.git import without_secrets
from activities.git.failures import told as told_by_git
from activities.github import GitHub, Refused, mark_of, marked, told
from activities.github.client import path_of
from activities.github.identity import must_be
from activities.github.records import Comment, Issue
from activities.tracker.github import cards, news
from activities.tracker.github.cards import At, Claim
from activities.tracker.github.listing import Shelf
from activities.tracker.github.rewriting import rewritten
from workflows.domain.events import phase_of
from workflows.domain.failures import Failure
from workflows.domain.labels import COLUMN
from workflows.domain.ticket import Phase, Ticket, TicketRef
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
    Remark,
    RewriteTicket,
    ShowProgress,
    Tracker,
)


@dataclass
class GitHubIssues(Tracker):
    """Issues of every repository that `github` may enter. Ids are `owner/name#12`."""

    github: GitHub
    ours: str
    """Pawl's own login, which is also how people mention it: `pawl[bot]` hears `@pawl`."""
    connection: str = "github"
    trigger: str = "pawl"
    """The label that asks for work, shown as the column Agent Todo; empty: none does."""
    repositories: tuple[str, ...] = ()
    """`owner/name` of those a route without a team means."""
    _locks: WeakValueDictionary[At, asyncio.Lock] = field(
        default_factory=WeakValueDictionary[At, asyncio.Lock], repr=False
    )

    @activity.defn
    async def claim_ticket(self, claim: ClaimTicket) -> Ticket:
        with told():
            at = self._at(claim.ref)
            await must_be(self.github, at.repository, self.ours)
            async with self._alone(at):
                await self._claim(at, claim)
                return self._ticket(at, await self._issue(at))

    @activity.defn
    async def move_ticket(self, move: MoveTicket) -> None:
        with told():
            at = self._at(move.ref)
            async with self._alone(at):
                await self._move(at, move.to)
        if move.remark:
            await self._say(move.ref, move.remark)

    @activity.defn
    async def post_comment(self, comment: PostComment) -> None:
        await self._say(comment.ref, comment.remark)

    @activity.defn
    async def show_progress(self, progress: ShowProgress) -> None:
        """An issue has no place for it but comments, and those are mailed to people."""

    @activity.defn
    async def link_ticket(self, link: LinkTicket) -> None:
        key = f"link-{hashlib.sha256(link.url.encode()).hexdigest()[:12]}"
        await self._say(link.ref, Remark(key=key, text=f"{link.title}: {link.url}"))

    @activity.defn
    async def file_ticket(self, filing: FileTicket) -> Ticket:
        with told():
            parent = self._at(filing.parent) if filing.parent else None
            repository = filing.team or (parent.repository if parent else "")
            if not repository:
                raise stop(Failure.BAD_REQUEST, "The ticket names neither a repository nor a parent to file it by.")
            async with self._alone(At(repository, 0)):
                issue = await self._filed(repository, filing.key) or await self._file(repository, parent, filing)
        return self._ticket(At(cards.repository_of(issue), issue.number), issue)

    @activity.defn
    async def list_open(self, listing: ListOpen) -> OpenTickets:
        with told():
            shelf = Shelf(self.github, self.ours, self.connection, self.trigger, self.repositories)
            return await shelf.listed(listing)

    @activity.defn
    async def rewrite_ticket(self, rewrite: RewriteTicket) -> Ticket:
        with told():
            at = self._at(rewrite.ref)
            async with self._alone(at):
                issue = await self._issue(at)
                try:
                    return self._ticket(at, await rewritten(self.github, self.ours, at, issue, rewrite))
                except Refused as refused:
                    if refused.status not in (404, 410):
                        raise
                    raise _not_found(rewrite.ref.id) from refused

    @activity.defn
    async def find_news(self, search: FindNews) -> News:
        with told():
            terms = news.Terms(self.github, self.ours, self.connection, self.trigger, self.repositories)
            return await news.found(terms, search)

    # Claims

    async def _claim(self, at: At, claim: ClaimTicket) -> None:
        issue, comments = await self._issue(at), await self._comments(at)
        made = cards.claims(comments, self.ours)
        holder = next((one for one in made if not self._is_void(one, issue)), None)
        if holder and holder.account == claim.account:
            return
        if holder:
            raise _held(at, holder.account)
        version = int(issue.updated_at.timestamp())
        if claim.version not in (None, version):
            cause = f"{claim.ref.id} changed since it was read: version {claim.version} then, {version} now."
            raise stop(Failure.CLAIM_LOST, cause)
        for void in made:
            await self._withdraw(at, void)
        body = {"body": cards.claim_text(claim.account, at_work=False)}
        mine = await self.github.send(at.repository, "POST", f"/issues/{at.number}/comments", body, Comment)
        await self._must_be_first(at, mine.id, claim.account)
        await self._assign(at, issue)

    def _is_void(self, claim: Claim, issue: Issue) -> bool:
        """A card that was at work and stands where nobody works was freed, by a person or by its end."""
        return claim.at_work and cards.is_free(phase_of(cards.status(issue, self.trigger)))

    async def _must_be_first(self, at: At, mine: int, account: str) -> None:
        """Somebody in another process may have claimed at the same time: the older comment holds."""
        made = cards.claims(await self._comments(at), self.ours)
        first = made[0] if made else None
        if first and first.comment != mine and first.account != account:
            await self._withdraw(at, Claim(mine, account, at_work=False))
            raise _held(at, first.account)

    async def _withdraw(self, at: At, claim: Claim) -> None:
        try:
            await self.github.do(at.repository, "DELETE", f"/issues/comments/{claim.comment}")
        except Refused as refused:
            if refused.status != 404:
                raise

    async def _assign(self, at: At, issue: Issue) -> None:
        """For people to see, where Pawl is an account that can be assigned, as an app is not."""
        if self.ours.endswith("[bot]"):
            return
        try:
            logins = [*(one.login for one in issue.assignees), self.ours]
            await self.github.do(at.repository, "PATCH", f"/issues/{at.number}", {"assignees": logins})
        except Refused as refused:
            if refused.status != 422:
                raise

    # Moves

    async def _move(self, at: At, to: str) -> None:
        issue, phase = await self._issue(at), phase_of(to)
        if cards.status(issue, self.trigger) != to or len(cards.columns(issue)) > 1:  # one may be left of a try
            await self._show(at, issue, to)
        if phase is Phase.DONE and issue.state == "open":
            await self._set_state(at, {"state": "closed", "state_reason": "completed"})
        elif issue.state == "closed" and phase and not phase.is_final:
            await self._set_state(at, {"state": "open"})
        await self._settle_claims(at, free=cards.is_free(phase))

    async def _show(self, at: At, issue: Issue, to: str) -> None:
        """The new label first: between the two the card is in both columns, never in none."""
        new = f"{COLUMN}{to}"
        if new not in issue.names:
            await self.github.do(at.repository, "POST", f"/issues/{at.number}/labels", {"labels": [new]})
        for old in cards.columns(issue):
            if old != new:
                await self._unlabel(at, old)

    async def _unlabel(self, at: At, label: str) -> None:
        try:
            await self.github.do(at.repository, "DELETE", f"/issues/{at.number}/labels/{path_of(label)}")
        except Refused as refused:
            if refused.status != 404:
                raise

    async def _set_state(self, at: At, state: dict[str, str]) -> None:
        await self.github.do(at.repository, "PATCH", f"/issues/{at.number}", state)

    async def _settle_claims(self, at: At, *, free: bool) -> None:
        for claim in cards.claims(await self._comments(at), self.ours):
            if free:
                await self._withdraw(at, claim)
            elif not claim.at_work:
                body = {"body": cards.claim_text(claim.account, at_work=True)}
                await self.github.do(at.repository, "PATCH", f"/issues/comments/{claim.comment}", body)

    # Comments and tickets of our own

    async def _say(self, ref: TicketRef, remark: Remark) -> None:
        with told(), told_by_git():
            at, text = self._at(ref), (await without_secrets(remark.text))[:65_000]
            async with self._alone(at):
                await self._issue(at)
                said = await self._comments(at)
                if not any(one.has(mark_of(remark.key), self.ours) for one in said):
                    body = {"body": marked(remark.key, text)}
                    await self.github.do(at.repository, "POST", f"/issues/{at.number}/comments", body)

    async def _filed(self, repository: str, key: str) -> Issue | None:
        mark = mark_of(f"filed/{key}")
        issues = await self.github.every(repository, "/issues", Issue, state="all", sort="created", direction="desc")
        return next((one for one in issues if cards.is_filed(one, self.ours) and one.text.startswith(mark)), None)

    async def _file(self, repository: str, parent: At | None, filing: FileTicket) -> Issue:
        part = f"Part of {parent.repository}#{parent.number}." if parent else ""
        body = f"{mark_of(f'filed/{filing.key}')}{part}\n{filing.body[:64_000]}"
        asked = {"title": filing.title[:250], "body": body, "labels": list(filing.labels)}
        return await self.github.send(repository, "POST", "/issues", asked, Issue)

    # Reading

    def _at(self, ref: TicketRef) -> At:
        at = cards.at(ref)
        if at is None:
            raise _not_found(ref.id)
        return at

    async def _issue(self, at: At) -> Issue:
        try:
            return await self.github.get(at.repository, f"/issues/{at.number}", Issue)
        except Refused as refused:
            if refused.status not in (404, 410):
                raise
            raise _not_found(f"{at.repository}#{at.number}") from refused

    async def _comments(self, at: At) -> list[Comment]:
        return await self.github.every(at.repository, f"/issues/{at.number}/comments", Comment)

    def _ticket(self, at: At, issue: Issue) -> Ticket:
        return cards.ticket(self.connection, at.repository, issue, self.trigger)

    def _alone(self, at: At) -> asyncio.Lock:
        """Held while something is looked for and written: GitHub takes no key of ours that would refuse a second."""
        return self._locks.setdefault(at, asyncio.Lock())


def _held(at: At, account: str) -> Exception:
    cause = f"{at.repository}#{at.number} is held by {account}."
    return stop(Failure.CLAIM_LOST, f"{cause} Give it the label `{COLUMN}{Phase.TODO}` to free it.")


def _not_found(name: str) -> Exception:
    return stop(Failure.TICKET_NOT_FOUND, f"There is no issue {name!r}, or Pawl is not let in there.", "Then resume.")
