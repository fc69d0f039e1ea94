"""What the double shows to an app itself: installations, their tokens, and the deliveries of its webhook."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.fakes.github.calls import Call, Table
from tests.fakes.github.world import PAWL
from tests.fakes.service import Refused

Answer = tuple[int, Any]


@dataclass
class Grant:
    """What a token opens. None: everything."""

    repositories: set[str] | None = None
    permissions: dict[str, str] = field(default_factory=dict[str, str])
    revoked: bool = False
    login: str = PAWL
    """Who acts by it."""


@dataclass
class Delivery:
    id: int
    guid: str
    at: str
    event: str
    status: int
    redelivery: bool = False


class Apps:
    def __init__(self) -> None:
        self.grants: dict[str, Grant] = {}
        self.deliveries: list[Delivery] = []
        self.heals = True
        """Whether a delivery that is sent again arrives."""
        self.sends: Callable[[Delivery], None] = lambda _: None
        """Sends a delivery again."""

    @property
    def table(self) -> Table:
        hook = "/app/hook/deliveries"
        return {
            ("GET", "/app"): self.itself,
            ("GET", "/repos/{owner}/{repo}/installation"): self.installation,
            ("POST", "/app/installations/{installation_id}/access_tokens"): self.granted,
            ("GET", hook): self.delivered,
            ("POST", f"{hook}/{{delivery_id}}/attempts"): self.redelivered,
        }

    def itself(self, _: Call) -> Answer:
        return 200, {"id": 1, "slug": PAWL.removesuffix("[bot]"), "name": "Pawl"}

    def installation(self, call: Call) -> Answer:
        name = f"{call.params['owner']}/{call.params['repo']}"
        if name not in call.world.apps:
            raise Refused(404, "Not Found")
        return 200, {"id": 7, "app_id": 1, "repository_selection": "selected", "events": []}

    def granted(self, call: Call) -> Answer:
        token = f"ghs_of_the_test_{call.world.next_id()}_{'x' * 300}"  # longer than tokens once were
        owned = {name.partition("/")[2]: name for name in call.world.apps}
        names = {owned[name] for name in call.body["repositories"]}
        self.grants[token] = Grant(names, call.body["permissions"])
        until = datetime.now(UTC) + timedelta(hours=1)
        return 201, {"token": token, "expires_at": f"{until:%Y-%m-%dT%H:%M:%SZ}"}

    def delivered(self, call: Call) -> Answer:
        return 200, [
            {
                "id": one.id,
                "guid": one.guid,
                "delivered_at": one.at,
                "redelivery": one.redelivery,
                "duration": 0.1,
                "status": "OK" if one.status == 200 else "failed",
                "status_code": one.status,
                "event": one.event,
                "action": None,
            }
            for one in reversed(self.deliveries)
        ]

    def redelivered(self, call: Call) -> Answer:
        found = next((one for one in self.deliveries if one.id == call.number("delivery_id")), None)
        if found is None:
            raise Refused(422, "no such delivery")
        status = 200 if self.heals else 502
        again = Delivery(call.world.next_id(), found.guid, call.world.now(), found.event, status, redelivery=True)
        self.deliveries.append(again)
        self.sends(again)
        return 202, {}
