"""Webhooks that did not arrive: GitHub keeps them for three days and sends none again unless it is asked to."""

from datetime import datetime

from activities.github.access import App
from activities.github.failures import Refused, told
from workflows.domain.model import Record

_MOST_PAGES = 20
_MOST_ASKED = 30
"""In one look: what can never arrive must not use up the calls that GitHub allows in an hour."""
_WELCOME_LATER = (404, 408, 429)
"""Refusals that may be of a proxy, or of a moment. After any other one the same delivery is refused again."""


class Delivery(Record):
    id: int
    guid: str
    """The same for every attempt: what the way in knows a delivery by."""
    delivered_at: datetime
    status_code: int
    event: str

    @property
    def is_settled(self) -> bool:
        """It arrived, or was refused for what it is."""
        refused = 400 <= self.status_code < 500 and self.status_code not in _WELCOME_LATER
        return refused or 200 <= self.status_code < 300


async def redeliver_failures(app: App, since: datetime) -> tuple[str, ...]:
    """Ask again for what was sent since then and of which no attempt arrived: its guids, oldest first, 30 at most.

    Only an app may ask. A delivery is asked for once, by its latest attempt; one that fails again is asked for by the
    next call, unless it was refused for good.
    """
    with told():
        attempts = await _attempts(app, since)
        settled = {one.guid for one in attempts if one.is_settled}
        missing = {one.guid: one for one in attempts if one.guid not in settled}
        asked = list(missing.values())[:_MOST_ASKED]
        for delivery in asked:
            await _again(app, delivery)
    return tuple(delivery.guid for delivery in asked)


async def _attempts(app: App, since: datetime) -> list[Delivery]:
    """Oldest first. GitHub lists the latest first."""
    found: list[Delivery] = []
    url: str | None = "/app/hook/deliveries?per_page=100"
    for _ in range(_MOST_PAGES):
        data, url = await app.call("GET", url)
        page = [Delivery.model_validate(one) for one in data]
        found += [one for one in page if one.delivered_at >= since]
        if url is None or len(page) == 0 or page[-1].delivered_at < since:
            break
    return found[::-1]


async def _again(app: App, delivery: Delivery) -> None:
    try:
        await app.call("POST", f"/app/hook/deliveries/{delivery.id}/attempts")
    except Refused as refused:
        if refused.status not in (400, 404, 422):  # it is older than GitHub keeps them, or was sent in this moment
            raise
