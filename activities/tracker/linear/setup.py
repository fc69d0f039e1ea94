"""What a workspace needs before Pawl can work there: what is missing, in sentences, and making it, each once."""

from dataclasses import dataclass, field

from activities.errors import stop
from activities.tracker.linear import documents
from activities.tracker.linear.cards import place_of, uuid_of
from activities.tracker.linear.client import LinearClient
from activities.tracker.linear.rows import Hook, Team
from activities.tracker.linear.writing import create_label, find_labels
from workflows.domain.failures import Failure
from workflows.domain.routes import Route
from workflows.domain.ticket import Phase

HEARS_OF = ("Issue", "Comment")
"""What the webhook tells of. Agent sessions are told by the app's own webhook, which its settings switch on."""
_COLOR = "#5e6ad2"


@dataclass(frozen=True)
class Wants:
    """`routes` are those of the workspace. `columns` are made in every team they serve besides the routes' own."""

    routes: tuple[Route, ...]
    columns: tuple[Phase, ...] = ()
    webhook_url: str = ""
    """Empty: no webhook, and Pawl polls."""
    webhook_secret: str = field(default="", repr=False)
    hears_of: tuple[str, ...] = HEARS_OF


@dataclass(frozen=True)
class NewState:
    team_id: str
    team: str
    name: str
    kind: str


@dataclass(frozen=True)
class NewWebhook:
    url: str
    secret: str = field(repr=False)
    resources: tuple[str, ...]


@dataclass(frozen=True)
class Changes:
    states: tuple[NewState, ...] = ()
    labels: tuple[str, ...] = ()
    webhook: NewWebhook | None = None

    def __bool__(self) -> bool:
        return bool(self.states or self.labels or self.webhook)

    def shown(self) -> list[str]:
        """What will be done, one sentence each; empty when nothing is missing."""
        said = [f"Make the column {state.name} ({state.kind}) in the team {state.team}." for state in self.states]
        said += [f"Make the label {label} in the workspace." for label in self.labels]
        if self.webhook:
            said.append(f"Make a webhook to {self.webhook.url}, which tells of {', '.join(self.webhook.resources)}.")
        return said


async def plan(client: LinearClient, wants: Wants) -> Changes:
    """What is missing; nothing is changed. Raises BadRequest for a team that is not there."""
    teams = await _teams(client, wants.routes)
    states = {(new.team_id, new.name.casefold()): new for route in wants.routes for new in _states(route, wants, teams)}
    return Changes(tuple(states.values()), await _labels(client, wants, teams), await _webhook(client, wants))


async def carry_out(client: LinearClient, changes: Changes) -> None:
    """Make them. Once more makes nothing anew."""
    for state in changes.states:
        fields = {"id": uuid_of("state", state.team_id, state.name.casefold()), "teamId": state.team_id}
        fields |= {"name": state.name, "type": state.kind, "color": _COLOR}
        await client.create(documents.CREATE_STATE, documents.STATE, fields)
    for label in changes.labels:
        await create_label(client, label)
    if hook := changes.webhook:
        fields = {"id": uuid_of("webhook", hook.url), "url": hook.url, "label": "Pawl", "allPublicTeams": True}
        fields |= {"resourceTypes": list(hook.resources), **({"secret": hook.secret} if hook.secret else {})}
        await client.create(documents.CREATE_WEBHOOK, documents.WEBHOOK, fields)


async def _teams(client: LinearClient, routes: tuple[Route, ...]) -> list[Team]:
    """The teams the routes name; all where one names none."""
    teams = [Team.model_validate(row) async for row in client.pages(documents.TEAMS, "teams")]
    known = {team.key.casefold() for team in teams}
    if lost := sorted({route.team for route in routes if route.team and route.team.casefold() not in known}):
        cause = f"Linear has no team {', '.join(lost)} that Pawl may see; it sees {', '.join(sorted(known)).upper()}."
        raise stop(Failure.BAD_REQUEST, cause, "Correct the route, or give the key or app access to the team.")
    return [team for team in teams if any(route.team.casefold() in ("", team.key.casefold()) for route in routes)]


def _states(route: Route, wants: Wants, teams: list[Team]) -> list[NewState]:
    served = [team for team in teams if route.team.casefold() in ("", team.key.casefold())]
    wanted = [
        *([(route.column, "unstarted")] if route.column else []),
        *((phase.value, "started") for phase in wants.columns),
    ]
    return [
        NewState(team.id, team.key, name, kind)
        for team in served
        for name, kind in wanted
        if name.casefold() not in {state.name.casefold() for state in team.states.nodes}
    ]


async def _labels(client: LinearClient, wants: Wants, teams: list[Team]) -> tuple[str, ...]:
    """Those that tell phases apart in some team, and those the routes ask for."""
    phases = [phase for phase in Phase if phase not in wants.columns]
    placed = {place_of(phase, team.states.nodes).label for team in teams for phase in phases}
    wanted = sorted((placed | {route.label for route in wants.routes}) - {""})
    there = {label.name.casefold() for label in await find_labels(client, wanted)} if wanted else set[str]()
    return tuple(name for name in wanted if name.casefold() not in there)


async def _webhook(client: LinearClient, wants: Wants) -> NewWebhook | None:
    if not wants.webhook_url:
        return None
    async for row in client.pages(documents.WEBHOOKS, "webhooks"):
        hook = Hook.model_validate(row)
        if hook.url == wants.webhook_url and hook.enabled and set(wants.hears_of) <= set(hook.resource_types):
            return None
    return NewWebhook(wants.webhook_url, wants.webhook_secret, wants.hears_of)
