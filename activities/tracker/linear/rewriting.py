"""An issue of our own, written anew."""

from activities.errors import stop
from activities.tracker.linear import documents
from activities.tracker.linear.client import LinearClient, Missing
from activities.tracker.linear.rows import User
from workflows.domain import written
from workflows.domain.failures import Failure
from workflows.domain.written import words_of
from workflows.ports.tracker import RewriteTicket

_MOST_BODY = 60_000
"""Characters. Linear names no limit; an issue of this size still opens."""
_MOST_TITLE = 255


async def rewrite(client: LinearClient, us: User, asked: RewriteTicket) -> None:
    """Raises BadRequest where the issue is not ours, TicketNotFound. Linear has no precondition on an edit: what a
    person writes into the text in the very moment is lost."""
    try:
        await _write(client, us, asked)
    except Missing as missing:
        cause = f"Linear has no issue {asked.ref.id!r} that Pawl may see."
        raise stop(Failure.TICKET_NOT_FOUND, cause, "Put it back, then resume.") from missing


async def _write(client: LinearClient, us: User, asked: RewriteTicket) -> None:
    """Raises Missing, BadRequest."""
    issue = (await client.ask(documents.ISSUE_TEXT, id=asked.ref.id))["issue"]
    if issue["creator"] is None or issue["creator"]["id"] != us.id:
        cause = f"{issue['identifier']} was not filed by Pawl, which writes into no issue but its own."
        raise stop(Failure.BAD_REQUEST, cause)
    title, old = asked.title.strip()[:_MOST_TITLE], issue["description"] or ""
    body = written.rewritten(old, asked.body, _MOST_BODY)
    if issue["title"] != title or words_of(old) != words_of(body):
        await client.ask(documents.UPDATE_ISSUE, id=issue["id"], input={"title": title, "description": body})
