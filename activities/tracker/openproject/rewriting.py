"""A work package of our own, written anew."""

from activities.errors import stop
from activities.tracker.openproject.desk import Desk
from activities.tracker.openproject.filing import MOST_SUBJECT
from infra.openproject import WorkPackage
from workflows.domain import written
from workflows.domain.failures import Failure
from workflows.ports.tracker import RewriteTicket

_MOST_BODY = 60_000
"""Characters. OpenProject names no limit; a page of this size still opens."""


async def rewritten(desk: Desk, card: WorkPackage, rewrite: RewriteTicket) -> WorkPackage:
    """The card as it is then. Raises BadRequest where it is not ours, Missing, Conflict."""
    if card.links.author.id != (await desk.us()).id:
        cause = f"#{card.id} was not filed by Pawl, which writes into no work package but its own."
        raise stop(Failure.BAD_REQUEST, cause)
    old = (card.description.raw if card.description else None) or ""
    title = rewrite.title.strip()[:MOST_SUBJECT]
    body = written.rewritten(old, rewrite.body, _MOST_BODY)
    if (card.subject, _lines(old)) == (title, _lines(body)):
        return card
    return await desk.client.change_card(card, {"subject": title, "description": {"raw": body}})


def _lines(text: str) -> str:
    return text.replace("\r\n", "\n").rstrip()
