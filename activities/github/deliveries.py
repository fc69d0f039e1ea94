"""Webhooks that did not arrive: GitHub keeps them for three days and sends none again unless it is asked to."""

from datetime import datetime

from activities.github.access import App
from activities.github.failures import Refused, told
from workflows.domain.model import Record

_MOST_PAGES = 20


class Delivery(Record):
    id: int
    guid: str
    """The same for every attempt: what the way in knows a delivery by."""
    delivered_at: datetime
    status_code: int
    event: str

    @property
    def arrived(self) -> bool:
        return 200 <= self.status_code < 300


async def redeliver_failures(app: App, since: datetime) -> tuple[str, ...]:
    """Ask for everything again that was sent since then and of which no attempt arrived: its guids, oldest first.

    Only an app may ask. A delivery is asked for once, by its latest attempt; one that fails again is asked for by the
    next call.
    """
    with told():
        attempts = await _attempts(app, since)
        arrived = {one.guid for one in attempts if one.arrived}
        missing = {one.guid: one for one in attempts if one.guid not in arrived}
        for delivery in missing.values():
            await _again(app, delivery)
    return tuple(missing)


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
