"""Files and pictures that people put on a work package."""

from typing import Any

from activities.tracker.openproject.client import Client
from workflows.domain.ticket import Attachment
from workflows.ports.journal import Journal

MOST_FILES = 20
MOST_BYTES = 5 * 1024 * 1024
"""Of one file. A larger one stays where it is."""
MOST_BYTES_TOGETHER = 15 * 1024 * 1024


async def fetched(client: Client, journal: Journal, number: int) -> tuple[Attachment, ...]:
    """The oldest files that fit, kept in the journal. Raises Missing."""
    page = await client.page(f"work_packages/{number}/attachments")
    kept, room = list[Attachment](), MOST_BYTES_TOGETHER
    for file in sorted(page.elements, key=lambda one: int(one["id"])):
        most = min(MOST_BYTES, room)
        if len(kept) == MOST_FILES or int(file.get("fileSize") or 0) > most:
            continue
        data = await client.download(f"attachments/{int(file['id'])}/content", most)
        if data is not None:
            room -= len(data)
            kept.append(_attachment(file, await journal.keep(data)))
    return tuple(kept)


def _attachment(file: dict[str, Any], ref: str) -> Attachment:
    name, kind = str(file.get("fileName") or "unnamed"), str(file.get("contentType") or "application/octet-stream")
    return Attachment(name=name[:200], media_type=kind[:100], content=ref)
