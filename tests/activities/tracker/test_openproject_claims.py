"""OpenProject as a tracker: what a claim reads, and what an installation must have."""

from collections.abc import AsyncGenerator
from dataclasses import replace
from pathlib import Path

import pytest
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route
from temporalio.exceptions import ApplicationError

from activities.tracker.openproject import files
from tests.fakes.service import serving
from tests.ports.trackers import OpenProjectRig
from workflows.domain.failures import Failure
from workflows.domain.ticket import Phase, Ticket, TicketRef
from workflows.ports.tracker import ClaimTicket, FileTicket, MoveTicket


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncGenerator[OpenProjectRig]:
    async with OpenProjectRig(tmp_path) as rig:
        yield rig


async def claimed(rig: OpenProjectRig, ref: TicketRef, account: str = "a") -> Ticket:
    return await rig.tracker.claim_ticket(ClaimTicket(ref=ref, account=account))


async def test_a_ticket_says_where_it_is_filed_and_where_people_find_it(rig: OpenProjectRig) -> None:
    ref = await rig.add("One")
    ticket = await claimed(rig, ref)
    assert (ticket.identifier, ticket.team, ticket.closed) == (f"#{ref.id}", "web", False)
    assert ticket.url == f"{rig.place.url}/work_packages/{ref.id}"
    await rig.drag(ref, Phase.DONE)
    assert (await rig.look(ref)).closed


@pytest.mark.parametrize("kind", ["blocks", "blocked"])
async def test_what_an_open_work_package_blocks_is_not_claimed(rig: OpenProjectRig, kind: str) -> None:
    ref, blocker = await rig.add("One"), await rig.add("First this")
    ends = (int(blocker.id), int(ref.id)) if kind == "blocks" else (int(ref.id), int(blocker.id))
    rig.double.relations += [(kind, *ends), ("relates", *ends), ("blocks", int(ref.id), int(await new(rig)))]
    with pytest.raises(ApplicationError, match=f"blocked by #{blocker.id}") as caught:
        await claimed(rig, ref)
    assert Failure(caught.value.type or "") is Failure.CLAIM_LOST
    await rig.drag(blocker, Phase.DONE)
    assert (await claimed(rig, ref)).ref == ref


async def new(rig: OpenProjectRig) -> str:
    return (await rig.add("Another")).id


async def test_a_blocker_that_pawl_may_not_see_blocks(rig: OpenProjectRig) -> None:
    ref = await rig.add("One")
    rig.double.relations.append(("blocks", 99, int(ref.id)))
    with pytest.raises(ApplicationError, match="blocked by #99"):
        await claimed(rig, ref)


async def test_files_of_people_come_with_the_claim(rig: OpenProjectRig) -> None:
    ref = await rig.add("One")
    rig.double.attach(int(ref.id), "shot.png", "image/png", b"\x89PNG")
    first = await claimed(rig, ref)
    (file,) = first.attachments
    assert (file.name, file.media_type) == ("shot.png", "image/png")
    assert await rig.journal.load(file.content) == b"\x89PNG"
    assert await claimed(rig, ref) == first


async def test_too_large_and_too_many_files_stay_where_they_are(
    rig: OpenProjectRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "MOST_BYTES", 10)
    monkeypatch.setattr(files, "MOST_BYTES_TOGETHER", 25)
    monkeypatch.setattr(files, "MOST_FILES", 3)
    ref = await rig.add("One")
    for name, size in [("large", 11), ("a", 10), ("b", 10), ("no room", 6), ("c", 5), ("too many", 0)]:
        rig.double.attach(int(ref.id), name, "text/plain", bytes(size))
    assert [file.name for file in (await claimed(rig, ref)).attachments] == ["a", "b", "c"]


async def test_a_file_that_is_larger_than_told_is_left(rig: OpenProjectRig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MOST_BYTES", 100)
    ref = await rig.add("One")
    rig.double.attach(int(ref.id), "liar", "text/plain", b"x")
    rig.double.told_size = 1
    rig.double.files = {number: (name, kind, bytes(101)) for number, (name, kind, _) in rig.double.files.items()}
    assert (await claimed(rig, ref)).attachments == ()


async def test_the_key_does_not_follow_a_file_to_another_host(rig: OpenProjectRig) -> None:
    ref = await rig.add("One")
    rig.double.attach(int(ref.id), "far.txt", "text/plain", b"here")
    keys = list[str | None]()

    async def storage(request: Request) -> Response:
        keys.append(request.headers.get("authorization"))
        return Response(b"far")

    async with serving(Route("/file", storage)) as url:
        rig.double.stored_at = RedirectResponse(f"{url}/file")
        (file,) = (await claimed(rig, ref)).attachments
    assert (await rig.journal.load(file.content), keys) == (b"far", [None])


async def test_a_status_that_does_not_exist_is_named_with_what_to_do(rig: OpenProjectRig) -> None:
    ref = await rig.add("One")
    rig.double.statuses[rig.double.statuses.index(Phase.PLAN_GATE)] = "Waiting"
    with pytest.raises(ApplicationError, match=r"no status 'Plan gate'.*Add it .* or map 'Plan gate'") as caught:
        await rig.tracker.move_ticket(MoveTicket(ref=ref, to=Phase.PLAN_GATE))
    assert Failure(caught.value.type or "") is Failure.BAD_REQUEST


async def test_a_phase_may_have_another_name_there(rig: OpenProjectRig) -> None:
    place = replace(rig.place, statuses={Phase.TODO: "New", Phase.PLAN_GATE: "Someday"})
    rig.tracker = tracker = replace(rig.open_project, place=place)
    ref = TicketRef(tracker="openproject", id=str(rig.double.file("One", status="New")))
    assert (await claimed(rig, ref)).status == Phase.TODO
    await tracker.move_ticket(MoveTicket(ref=ref, to=Phase.PLAN_GATE))
    assert rig.double.statuses[rig.double.cards[int(ref.id)].status - 1] == "Someday"
    assert (await rig.look(ref)).status == Phase.PLAN_GATE
    rig.double.move(int(ref.id), "New")
    assert (await claimed(rig, ref, "b")).status == Phase.TODO


async def test_without_the_custom_field_nothing_is_written(rig: OpenProjectRig) -> None:
    ref = await rig.add("One")
    rig.double.has_field = False
    spike = FileTicket(tracker="openproject", key="spike", parent=ref, title="Spike", body="")
    for step in (claimed(rig, ref), rig.tracker.file_ticket(spike)):
        with pytest.raises(ApplicationError, match="Enable that custom field") as caught:
            await step
        assert Failure(caught.value.type or "") is Failure.BAD_REQUEST
    assert list(rig.double.cards) == [int(ref.id)]


async def test_an_openproject_that_does_not_lock_custom_fields_is_refused(rig: OpenProjectRig) -> None:
    rig.double.forgets_fields = True
    with pytest.raises(ApplicationError, match="two runs could claim") as caught:
        await claimed(rig, await rig.add("One"))
    assert Failure(caught.value.type or "") is Failure.BAD_REQUEST


async def test_the_version_grows_where_times_are_in_whole_seconds(rig: OpenProjectRig) -> None:
    ref = await rig.add("One")
    card, before = rig.double.cards[int(ref.id)], await rig.look(ref)
    second = card.at
    await rig.drag(ref, "Someday")
    card.at = second
    assert (await rig.look(ref)).version > before.version


async def test_a_ticket_can_be_filed_in_a_project_without_a_parent(rig: OpenProjectRig) -> None:
    await rig.add("One", labels=("bug",))
    filing = FileTicket(
        tracker="openproject", key="k", team="docs", title="T" * 300, body="", labels=("Bug", "unknown")
    )
    ticket = await rig.tracker.file_ticket(filing)
    assert (ticket.team, ticket.labels, len(ticket.title)) == ("docs", ("bug", "unknown"), 255)


@pytest.mark.parametrize("team", ["", "nowhere"])
async def test_where_a_ticket_is_filed_must_be_known(rig: OpenProjectRig, team: str) -> None:
    with pytest.raises(ApplicationError) as caught:
        await rig.tracker.file_ticket(FileTicket(tracker="openproject", key="k", team=team, title="T", body=""))
    assert Failure(caught.value.type or "") is Failure.BAD_REQUEST


async def test_what_a_person_writes_into_the_field_holds_nothing(rig: OpenProjectRig) -> None:
    for text in ("Ada", "{}", '{"by": 3}', "[1]", "null"):
        ref = await rig.add("One")
        rig.double.cards[int(ref.id)].note = text
        assert (await claimed(rig, ref)).ref == ref
