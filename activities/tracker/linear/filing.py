"""Where an issue of our own is filed, and under which labels."""

from collections.abc import Collection
from typing import Any

from temporalio.exceptions import ApplicationError

from activities.tracker.linear import documents
from activities.tracker.linear.client import LinearClient
from activities.tracker.linear.rows import Label, State
from activities.tracker.linear.writing import create_label

_QUIET = ("backlog", "triage", "unstarted")
"""The kinds of columns in which nobody is at work, the quietest first."""


async def landing(client: LinearClient, team: str, asking: Collection[str]) -> dict[str, str]:
    """The column a new issue is put into, where the team's own choice is one that asks for work: what Pawl files waits
    for a person. Empty: the team's choice. `asking`: the names of those columns, in small letters."""
    row = (await client.ask(documents.LANDING, id=team))["team"]
    default = row["defaultIssueState"]
    if not default or default["name"].casefold() not in asking:
        return {}
    states = [State.model_validate(one) for one in row["states"]["nodes"]]
    quiet = [one for one in states if one.type in _QUIET and one.name.casefold() not in asking]
    if not quiet:
        return {}
    return {"stateId": min(quiet, key=_quietness).id}


def _quietness(state: State) -> tuple[int, float]:
    return _QUIET.index(state.type), state.position


async def label_ids(client: LinearClient, team: str, names: tuple[str, ...]) -> list[str]:
    """Of labels of the workspace or the team, made where there are none. A ticket is not lost for a label that Linear
    refuses."""
    if not names:
        return []
    known = await _known(client, team, names)
    found: list[str] = []
    for name in names:
        try:
            found.append(known.get(name.casefold()) or await create_label(client, name))
        except ApplicationError as error:
            if not error.non_retryable:
                raise
    return found


async def _known(client: LinearClient, team: str, names: tuple[str, ...]) -> dict[str, str]:
    wanted: dict[str, Any] = {"or": [{"name": {"eqIgnoreCase": name}} for name in names]}
    rows = [Label.model_validate(row) async for row in client.pages(documents.LABELS, "issueLabels", filter=wanted)]
    return {row.name.casefold(): row.id for row in rows if row.team is None or row.team.id == team}
