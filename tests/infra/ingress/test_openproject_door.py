"""The webhook door of OpenProject: what is taken, and that a delivery says what a look finds."""

import json
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from infra.ingress.door import Unreadable, Unsigned
from infra.ingress.openproject import OpenProjectDoor
from infra.openproject import Us
from tests.fakes.openproject_world import ADA, GRACE, MALLORY, PAWL
from tests.ports.trackers import OpenProjectRig
from workflows.domain.intake import WordsSaid
from workflows.domain.people import Trust
from workflows.domain.routes import Route
from workflows.domain.ticket import TicketRef
from workflows.ports.tracker import ClaimTicket, FindNews, News

SECRET = "a secret of this test"
NOW = 1_800_000_000.0


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncGenerator[OpenProjectRig]:
    async with OpenProjectRig(tmp_path) as rig:
        yield rig


@pytest.fixture
def door(rig: OpenProjectRig) -> OpenProjectDoor:
    return OpenProjectDoor(rig.place, ("an older one", SECRET), Us(PAWL), members=(str(ADA),))


def commented(rig: OpenProjectRig, ref: TicketRef) -> tuple[dict[str, str], bytes]:
    entry = rig.double.say(int(ref.id), "@pawl use Postgres", by=GRACE)
    return rig.double.hook("work_package_comment:comment", int(ref.id), SECRET, entry)


async def found(rig: OpenProjectRig, ref: TicketRef) -> News:
    since, routes = datetime.now(UTC) - timedelta(hours=1), (Route(tracker="openproject", repository="/srv/r.git"),)
    search = FindNews(tracker="openproject", since=since, routes=routes, under_way=(ref,))
    return await rig.tracker.find_news(search)


@pytest.mark.parametrize("action", ["work_package:created", "work_package:updated"])
async def test_a_card_waits_for_the_look_which_knows_who_changed_it(
    rig: OpenProjectRig, door: OpenProjectDoor, action: str
) -> None:
    ref = rig.place.ref(rig.double.file("One", status="Agent Todo", by=MALLORY))
    headers, body = rig.double.hook(action, int(ref.id), SECRET)
    door.check(headers, body, NOW)
    assert door.read(headers, body).happenings == ()
    (seen,) = (await found(rig, ref)).cards
    assert (seen.by and seen.by.trust) is Trust.STRANGER


async def test_words_are_the_same_news_by_webhook_and_by_look(rig: OpenProjectRig, door: OpenProjectDoor) -> None:
    ref = await rig.add("One")
    entry = rig.double.say(int(ref.id), "@pawl use Postgres")
    headers, body = rig.double.hook("work_package_comment:comment", int(ref.id), SECRET, entry)
    door.check(headers, body, NOW)
    delivery = door.read(headers, body)
    assert delivery.happenings == (await found(rig, ref)).words
    assert delivery.id == door.read(headers, body).id


@pytest.mark.parametrize(("by", "trust"), [(ADA, Trust.MEMBER), (GRACE, Trust.STRANGER), (PAWL, Trust.OURS)])
async def test_only_listed_members_are_trusted_at_the_door(
    rig: OpenProjectRig, door: OpenProjectDoor, by: int, trust: Trust
) -> None:
    ref = await rig.add("One")
    entry = rig.double.say(int(ref.id), "@pawl approve", by=by)
    (said,) = door.read(*rig.double.hook("work_package_comment:comment", int(ref.id), SECRET, entry)).happenings
    assert isinstance(said, WordsSaid)
    assert (said.by.trust, said.card and said.card.title) == (trust, "One")


@pytest.mark.parametrize("wrong", ["", "sha1=", "sha1=0", "ü", "{right}0", "{upper}", "sha256={right}"])
async def test_what_is_not_signed_is_turned_away(rig: OpenProjectRig, door: OpenProjectDoor, wrong: str) -> None:
    ref = await rig.add("One")
    headers, body = rig.double.hook("work_package:created", int(ref.id), SECRET)
    right = headers["x-op-signature"]
    door.check(headers, body, NOW)
    for given in ({}, {"x-op-signature": wrong.format(right=right, upper=right.upper())}):
        with pytest.raises(Unsigned):
            door.check(given, body, NOW)
    with pytest.raises(Unsigned):
        door.check(headers, body + b" ", NOW)


async def test_the_signature_is_of_the_bytes_as_sent(rig: OpenProjectRig) -> None:
    """Computed with `openssl dgst -sha1 -hmac`, not by us."""
    body = '{"action": "project:updated", "text": "ü"}'.encode()
    door = OpenProjectDoor(rig.place, ("key",), Us(PAWL))
    door.check({"x-op-signature": "sha1=fb51898f37374d7ebbcf93a228cffaa9aea5792e"}, body, NOW)
    assert door.read({}, body).happenings == ()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"\xff\xfe",
        b"{" * 100_000,
        b'{"action": 3}',
        b'{"action": "work_package_comment:comment", "activity": {}}',
    ],
)
async def test_what_cannot_be_read_is_unreadable(door: OpenProjectDoor, body: bytes) -> None:
    with pytest.raises(Unreadable):
        door.read({}, body)


@pytest.mark.parametrize("wrong", ["yesterday", "2026-11-21", "9" * 300, ""])
async def test_times_that_are_none_are_unreadable(rig: OpenProjectRig, door: OpenProjectDoor, wrong: str) -> None:
    ref = await rig.add("One")
    said = json.loads(commented(rig, ref)[1])
    said["activity"]["_embedded"]["workPackage"]["updatedAt"] = wrong
    with pytest.raises(Unreadable):
        door.read({}, json.dumps(said).encode())


async def test_numbers_and_names_without_end_do_no_harm(rig: OpenProjectRig, door: OpenProjectDoor) -> None:
    ref = await rig.add("One")
    await rig.tracker.claim_ticket(ClaimTicket(ref=ref, account="a"))
    said = json.loads(commented(rig, ref)[1])
    status = said["activity"]["_embedded"]["workPackage"]["_links"]["status"]
    status["href"] = "/api/v3/statuses/" + "9" * 10_000
    assert door.read({}, json.dumps(said).encode()).happenings
    status["title"] = "x" * 1_000
    assert door.read({}, json.dumps(said).encode()).happenings


def test_a_door_needs_a_secret(rig: OpenProjectRig) -> None:
    with pytest.raises(ValueError, match="needs a secret"):
        OpenProjectDoor(rig.place, ("",), Us(PAWL))


async def test_the_door_is_where_the_connection_is_named(door: OpenProjectDoor) -> None:
    assert door.path == "/hooks/openproject"
