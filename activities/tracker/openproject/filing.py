"""Tickets of our own, filed once per key."""

import hashlib
from typing import Any

from temporalio.exceptions import ApplicationError

from activities.errors import stop
from activities.tracker.openproject.client import QUIET, Missing, condition
from activities.tracker.openproject.desk import Desk
from infra.openproject import Note, Place, Us, WorkPackage
from workflows.domain.failures import Failure
from workflows.ports.tracker import FileTicket

MOST_SUBJECT = 255


async def filed(desk: Desk, filing: FileTicket, parent: WorkPackage | None) -> WorkPackage:
    """Look, create, look again: of several that were created at the same time the first stays and the others, which
    nobody has been told of, are deleted."""
    digest = hashlib.sha256(filing.key.encode()).hexdigest()[:32]
    found = await _found(desk, digest)
    if not found:
        created = await desk.client.call("POST", "work_packages", await _draft(desk, filing, parent, digest), QUIET)
        await _check_marked(desk, desk.client.part(WorkPackage, created))
        found = await _found(desk, digest)
    if not found:
        raise unsearchable(desk.place)
    for twin in found[1:]:
        await _delete(desk, twin)
    return found[0]


async def _found(desk: Desk, digest: str) -> list[WorkPackage]:
    """Ours alone: whoever copies a card copies its mark as well."""
    us = await desk.us()
    page = await desk.client.cards([condition(desk.place.note_field, "~", digest)])
    cards = [desk.client.part(WorkPackage, one) for one in page.elements]
    return [card for card in cards if filed_as(card, us, desk.place) == digest]


def filed_as(card: WorkPackage, us: Us, place: Place) -> str:
    """The digest of the key that Pawl filed it under; empty where somebody else filed it."""
    return place.note(card).filed if card.links.author.id == us.id else ""


async def _draft(desk: Desk, filing: FileTicket, parent: WorkPackage | None, digest: str) -> dict[str, Any]:
    if filing.team:
        project = (await desk.project(filing.team)).id
    elif parent:
        project = parent.links.project.id
    else:
        raise stop(Failure.BAD_REQUEST, "A ticket without a parent needs a project to be filed in.", "Name its team.")
    links: dict[str, Any] = {"project": {"href": f"/api/v3/projects/{project}"}}
    if parent:
        links["parent"] = {"href": f"/api/v3/work_packages/{parent.id}"}
    if labels := await desk.labels(filing.labels):
        links["labels"] = labels
    return {
        "subject": filing.title[:MOST_SUBJECT],
        "description": {"raw": filing.body},
        desk.place.note_field: Note(filed=digest, labels=_noted(filing.labels)).text,
        "_links": links,
    }


def _noted(labels: tuple[str, ...]) -> tuple[str, ...]:
    """As many as the field has room for."""
    return tuple(label[:30] for label in labels[:2])


async def _check_marked(desk: Desk, card: WorkPackage) -> None:
    """What cannot be found again would be filed again."""
    if not desk.place.note(card).filed:
        await _delete(desk, card)
        raise no_field(desk.place, card.id)


async def _delete(desk: Desk, card: WorkPackage) -> None:
    try:
        await desk.client.call("DELETE", f"work_packages/{card.id}")
    except Missing:
        return  # somebody else was faster


def no_field(place: Place, number: int) -> ApplicationError:
    return stop(
        Failure.BAD_REQUEST,
        f"Work package #{number} has no {place.note_field}, where Pawl writes who works on it.",
        "Enable that custom field for the project and the type of the work package, then resume.",
    )


def unsearchable(place: Place) -> ApplicationError:
    return stop(
        Failure.BAD_REQUEST,
        f"OpenProject does not find what Pawl has just filed by {place.note_field}.",
        "Let that custom field be used as a filter, then resume.",
    )
