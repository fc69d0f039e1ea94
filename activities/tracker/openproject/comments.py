"""Comments that are said once, though OpenProject takes no id from whoever writes one."""

import hashlib

from activities.tracker.openproject.client import QUIET, Client
from infra.openproject import Activity

ABOVE = "<!-- pawl: said above -->"
"""What is left of a comment that was said twice: people see nothing of it."""


async def say_once(client: Client, number: int, us: int, key: str, text: str) -> None:
    """Comment on a work package. Several that say the same at once may each find that nobody has: whoever comes last
    sees all of them, and everybody keeps the first and empties the others, so that one is left. Raises Missing."""
    mark = _mark(key)
    said = await _said(client, number, us, mark)
    if not said:
        comment = {"comment": {"raw": f"{mark}\n{text}"}}
        await client.call("POST", f"work_packages/{number}/activities", comment, QUIET)
        said = await _said(client, number, us, mark)
    for twin in said[1:]:
        await client.call("PATCH", f"activities/{twin.id}", {"comment": {"raw": ABOVE}})


async def _said(client: Client, number: int, us: int, mark: str) -> list[Activity]:
    """A mark counts where our own user has written it and a comment begins with it: a text cannot pass for another."""
    activities = await client.activities(number)
    return [one for one in activities if one.links.user.id == us and one.said.split("\n", 1)[0].strip() == mark]


def _mark(key: str) -> str:
    return f"<!-- pawl:{hashlib.sha256(key.encode()).hexdigest()[:20]} -->"
