"""Taking an issue. Linear has no lock and no version to compare, so the workflow's id is the lock; what is done here
keeps out other installations and people: a record on the card by an id that only one can create, one change, a look."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from activities.errors import stop
from activities.tracker.linear import documents
from activities.tracker.linear.cards import LABEL, Place, place_of, status_of, ticket_of, uuid_of, version_of
from activities.tracker.linear.client import LinearClient
from activities.tracker.linear.mentions import mentions
from activities.tracker.linear.rows import Attached, Issue, User
from activities.tracker.linear.writing import change_of, read_issue
from workflows.domain.failures import Failure
from workflows.domain.routes import Route
from workflows.domain.ticket import Phase
from workflows.ports.tracker import ClaimTicket

TITLE = "Pawl"
_BEGUN = timedelta(minutes=10)
"""How long a claim counts that was begun and not carried out."""


@dataclass(frozen=True)
class Claims:
    """`tracker` is the connection's name, `routes` say what asks for work, and the link of a claim on the card leads to
    `home`."""

    client: LinearClient
    tracker: str
    home: str
    routes: tuple[Route, ...]

    async def take(self, issue: Issue, claim: ClaimTicket, us: User) -> tuple[Issue, str]:
        """The issue as it is then, and the status it had before. Raises ClaimLost."""
        record = latest(issue, us)
        if record and _holds(record, issue, us):
            if record.account != claim.account:
                raise _lost(f"{issue.identifier} is held by {record.account}. Move its card to Todo to free it.")
            if record.taken:
                return issue, record.before
        else:
            self._check(issue, claim, us)
            record = await self._write_down(issue, claim.account, us, record.number + 1 if record else 1)
        return await self._carry_out(record, issue.id, us), record.before

    def holder(self, issue: Issue, us: User) -> str:
        """Whose claim stands; empty when there is none."""
        record = latest(issue, us)
        return record.account if record and _holds(record, issue, us) else ""

    async def release(self, issue: Issue, us: User) -> None:
        """Let go of what is held, for whoever comes next."""
        if (record := latest(issue, us)) and not record.released:
            await self._mark(record, released=True)

    def _check(self, issue: Issue, claim: ClaimTicket, us: User) -> None:
        if claim.version is not None and claim.version != version_of(issue):
            raise _lost(f"{issue.identifier} changed since it was read: it was changed at {issue.updated_at}.")
        if issue.delegate and issue.delegate.id != us.id:
            raise _lost(f"{issue.identifier} is delegated to another agent.")
        if blockers := issue.blocked_by:
            raise _lost(f"{issue.identifier} is blocked by {', '.join(blockers)}. It can be started when that is done.")
        if not self._is_asked_for(issue, us):
            raise _lost(f"{issue.identifier} is in {issue.state.name}, and nothing on it asks Pawl to work any more.")

    def _is_asked_for(self, issue: Issue, us: User) -> bool:
        """Whether column or label says so, or a person does by name. Where no route serves the team, whoever started
        the ticket knows better."""
        ticket = ticket_of(issue, self.tracker)
        routes = [route for route in self.routes if route.covers(ticket)]
        if not routes or any(route.asks_for(ticket) for route in routes):
            return True
        session = issue.session_of(us.id)
        named = any(mentions(said.body, us) for said in issue.comments.nodes if said.user and said.user.id != us.id)
        ours = us.id in {who.id for who in (issue.delegate, issue.assignee) if who}
        return ours or named or (session is not None and session.is_open)

    async def _write_down(self, issue: Issue, account: str, us: User, number: int) -> "Record":
        """The same number has the same id for everybody, and an id can be created once."""
        record = Record(uuid_of("claim", issue.id, str(number)), account, number, status_of(issue))
        fields = {"id": record.id, "issueId": issue.id, "title": TITLE, "url": f"{self.home}#{record.id}-{account}"}
        fields |= {"subtitle": "Taken by Pawl", "metadata": record.metadata()}
        await self.client.create(documents.CREATE_ATTACHMENT, documents.ATTACHMENT, fields)
        found = await self.client.ask(documents.ATTACHMENT, id=record.id)
        winner = _read(Attached.model_validate(found["attachment"]), us)
        if winner is None or winner.account != account:
            raise _lost(f"{issue.identifier} is held by {winner.account if winner else 'somebody else'}.")
        return winner

    async def _carry_out(self, record: "Record", issue_id: str, us: User) -> Issue:
        """Delegate and column in one change, unless a person was quicker; then look whether one came after."""
        issue = await read_issue(self.client, issue_id)
        place = place_of(Phase.PLANNING, issue.team.states.nodes)
        if not _is_taken(issue, place, us):
            if status_of(issue) != record.before or (issue.delegate and issue.delegate.id != us.id):
                await self._give_way(record, issue)
            change = await change_of(self.client, issue, place)
            if us.app:
                change["delegateId"] = us.id
            await self.client.ask(documents.UPDATE_ISSUE, id=issue.id, input=change)
            issue = await read_issue(self.client, issue_id)
        if not _is_taken(issue, place, us):
            await self._give_way(record, issue)
        await self._mark(record, taken=True)
        return issue

    async def _give_way(self, record: "Record", issue: Issue) -> None:
        await self._mark(record, released=True)
        raise _lost(f"A person changed {issue.identifier} while Pawl was taking it: it is in {issue.state.name} now.")

    async def _mark(self, record: "Record", **changes: bool) -> None:
        metadata = {**record.metadata(), **changes}
        fields = {
            "title": TITLE,
            "subtitle": "Let go" if "released" in changes else "Taken by Pawl",
            "metadata": metadata,
        }
        await self.client.ask(documents.UPDATE_ATTACHMENT, id=record.id, input=fields)


@dataclass(frozen=True)
class Record:
    """A claim, as it is written on the card in an attachment of ours."""

    id: str
    account: str
    number: int
    before: str
    taken: bool = False
    released: bool = False
    at: datetime | None = None

    def metadata(self) -> dict[str, Any]:
        said = {"account": self.account, "number": self.number, "before": self.before}
        return {"pawl": "claim", **said, "taken": self.taken, "released": self.released}


def latest(issue: Issue, us: User) -> Record | None:
    records = [record for attached in issue.attachments.nodes if (record := _read(attached, us))]
    return max(records, key=lambda record: record.number, default=None)


def _read(attached: Attached, us: User) -> Record | None:
    """None for what is no claim, and for one that anybody else wrote."""
    said = attached.metadata
    if said.get("pawl") != "claim" or attached.creator is None or attached.creator.id != us.id:
        return None
    return Record(
        id=attached.id,
        account=str(said["account"]),
        number=int(said["number"]),
        before=str(said["before"]),
        taken=bool(said["taken"]),
        released=bool(said["released"]),
        at=attached.created_at,
    )


def _holds(record: Record, issue: Issue, us: User) -> bool:
    """A person lets go of a claim by moving the card to where no work goes on, or by taking Pawl off it."""
    if record.released:
        return False
    if not record.taken:
        return record.at is not None and datetime.now(UTC) - record.at < _BEGUN
    kept = not us.app or issue.is_delegated_to(us.id)
    return kept and issue.state.type == "started"


def _is_taken(issue: Issue, place: Place, us: User) -> bool:
    delegated = not us.app or issue.is_delegated_to(us.id)
    labels = {label.name for label in issue.labels.nodes if label.name.startswith(LABEL)}
    return delegated and issue.state.id == place.state.id and labels == ({place.label} - {""})


def _lost(why: str) -> Exception:
    return stop(Failure.CLAIM_LOST, why)
