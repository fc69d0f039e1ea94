"""Reading an issue and changing where it stands."""

from typing import Any

from activities.errors import stop
from activities.tracker.linear import documents
from activities.tracker.linear.cards import LABEL, Place, uuid_of
from activities.tracker.linear.client import LinearClient, Missing
from activities.tracker.linear.rows import Issue, Label
from workflows.domain.failures import Failure


async def read_issue(client: LinearClient, issue_id: str) -> Issue:
    try:
        found = await client.ask(documents.ISSUE, id=issue_id)
    except Missing as missing:
        cause = f"Linear has no issue {issue_id!r} that Pawl may see."
        raise stop(Failure.TICKET_NOT_FOUND, cause, "Put it back, then resume.") from missing
    return Issue.model_validate(found["issue"])


async def change_of(client: LinearClient, issue: Issue, place: Place) -> dict[str, Any]:
    """What of the issue must change so that it stands there; empty where it does."""
    change: dict[str, Any] = {}
    if issue.state.id != place.state.id:
        change["stateId"] = place.state.id
    ours = {label.name: label.id for label in issue.labels.nodes if label.name.startswith(LABEL)}
    if place.label and place.label not in ours:
        change["addedLabelIds"] = [await _label_id(client, place.label)]
    if others := [label for name, label in ours.items() if name != place.label]:
        change["removedLabelIds"] = others
    return change


async def _label_id(client: LinearClient, name: str) -> str:
    """A label of the workspace, made when it is first needed."""
    if known := await find_labels(client, [name]):
        return known[0].id
    return await create_label(client, name)


async def create_label(client: LinearClient, name: str) -> str:
    """In the workspace, once; its id."""
    fields = {"id": uuid_of("label", name.casefold()), "name": name, "color": "#8a8f98"}
    await client.create(documents.CREATE_LABEL, documents.LABEL, fields)
    return fields["id"]


async def find_labels(client: LinearClient, names: list[str]) -> list[Label]:
    """Labels of the workspace by these names; those of a single team would fit its own issues only."""
    wanted = {"or": [{"name": {"eqIgnoreCase": name}} for name in names]}
    rows = [Label.model_validate(row) async for row in client.pages(documents.LABELS, "issueLabels", filter=wanted)]
    return [row for row in rows if row.team is None]
