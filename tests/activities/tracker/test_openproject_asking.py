"""OpenProject as a tracker: who may start work and decide, whatever people write into Pawl's own field."""

import json
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from temporalio.exceptions import ApplicationError

from tests.activities.tracker.test_openproject_news import ROUTES, START, card, look, under_way
from tests.fakes.openproject_world import ADA, GRACE, MALLORY, PAWL
from tests.ports.trackers import OpenProjectRig
from workflows.domain.failures import Failure
from workflows.domain.intake import CardSeen, Leave, Start, Terms, decide
from workflows.domain.people import Trust
from workflows.domain.routes import Route
from workflows.domain.ticket import Phase, TicketRef
from workflows.ports.tracker import ClaimTicket, FindNews

LABEL = (Route(tracker="openproject", label="agent", repository="/srv/web.git"),)


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncGenerator[OpenProjectRig]:
    async with OpenProjectRig(tmp_path) as rig:
        yield rig


def start(seen: CardSeen, routes: tuple[Route, ...] = ROUTES) -> Start | None:
    moves = decide(seen, Terms(routes=routes, model="scripted:m"))
    return next((move for move in moves if isinstance(move, Start)), None)


def filed(rig: OpenProjectRig, status: str = "Someday", by: int = ADA, labels: tuple[str, ...] = ()) -> TicketRef:
    return rig.place.ref(rig.double.file("One", status=status, by=by, labels=labels))


async def test_a_card_that_a_stranger_moved_waits_for_a_member_and_the_reason_is_told(rig: OpenProjectRig) -> None:
    ref = filed(rig)
    rig.double.move(int(ref.id), "Agent Todo", by=MALLORY)
    rig.double.edit(int(ref.id), "A member mends the text.")
    for since in (START, datetime.now(UTC) + timedelta(hours=1)):  # found as a change, and as what stands there
        seen = card(await look(rig, since), ref)
        (left,) = decide(seen, Terms(routes=ROUTES, model="scripted:m"))
        assert isinstance(left, Leave)
        assert left.notable
        assert f"#{ref.id} asks for work, and Mallory, who asked, is no member" in left.reason
    rig.double.move(int(ref.id), "Someday")
    rig.double.move(int(ref.id), "Agent Todo")
    seen = card(await look(rig), ref)
    assert seen.by is not None
    assert (seen.by.id, start(seen) is not None) == (str(ADA), True)


async def test_what_a_stranger_filed_where_it_asks_or_gave_to_pawl_is_not_started(rig: OpenProjectRig) -> None:
    there, given = filed(rig, "Agent Todo", by=MALLORY), filed(rig)
    rig.double.assign(int(given.id), PAWL, by=MALLORY)
    found = await look(rig)
    assert (start(card(found, there)), start(card(found, given))) == (None, None)
    rig.double.assign(int(there.id), GRACE)
    rig.double.assign(int(there.id), PAWL)
    assert start(card(await look(rig), there)), "a member gave it to Pawl"


async def test_whom_the_connection_lists_is_a_member_where_members_are_hidden(rig: OpenProjectRig) -> None:
    rig.double.hidden_members = True
    ref, other = filed(rig, "Agent Todo", by=GRACE), filed(rig, "Agent Todo", by=ADA)
    search = FindNews(tracker="openproject", since=START, routes=ROUTES)
    found = await rig.another(members=frozenset({GRACE})).find_news(search)
    assert (start(card(found, ref)) is not None, start(card(found, other)) is not None) == (True, False)


@pytest.mark.parametrize("hidden", [False, True])
async def test_who_may_not_ask_may_not_decide_by_a_move(rig: OpenProjectRig, hidden: bool) -> None:
    ref = await under_way(rig)
    rig.double.hidden_members = hidden
    rig.double.move(int(ref.id), Phase.BUILDING, by=ADA if hidden else MALLORY)
    seen = card(await look(rig, under_way=(ref,)), ref)
    assert seen.by is not None
    assert seen.by.trust is Trust.STRANGER


async def test_where_the_journal_names_no_change_a_stranger_who_changed_the_card_may_have_done_it(
    rig: OpenProjectRig,
) -> None:
    ref, rig.double.tells_changes = filed(rig), False
    rig.double.move(int(ref.id), "Agent Todo", by=MALLORY)
    rig.double.edit(int(ref.id), "More.", by=ADA)
    assert start(card(await look(rig), ref)) is None


@pytest.mark.parametrize("to", [Phase.BUILDING, Phase.TODO, "Agent Todo"])
async def test_nothing_that_is_written_into_pawls_field_hides_who_moved_a_card(rig: OpenProjectRig, to: str) -> None:
    """As if Pawl itself had put it there, and had been the last to change it."""
    ref = await under_way(rig)
    rig.double.move(int(ref.id), to, by=GRACE)
    rig.double.forge(int(ref.id), by=ADA, at=rig.double.cards[int(ref.id)].status)
    seen = card(await look(rig, under_way=(ref,)), ref)
    assert seen.by is not None
    assert (seen.moved, seen.by.id, seen.card.status) == (True, str(GRACE), to)
    rig.double.forge(int(ref.id), by=MALLORY)
    again = card(await look(rig, under_way=(ref,)), ref)
    assert (again.id, again.by) == (seen.id, seen.by), "it is the same happening still"


async def test_what_pawl_did_is_no_persons_whatever_is_written_into_its_field(rig: OpenProjectRig) -> None:
    ref = await under_way(rig)
    rig.double.forge(int(ref.id), by=ADA, at=1)
    seen = card(await look(rig, under_way=(ref,)), ref)
    assert seen.by is not None
    assert (seen.moved, seen.by.trust) == (False, Trust.OURS)


async def test_after_its_end_a_card_is_started_by_what_asks_and_not_by_an_edit(rig: OpenProjectRig) -> None:
    ref = filed(rig, "Agent Todo")
    rig.double.journal_is_old(int(ref.id))
    ended = datetime.now(UTC) - timedelta(minutes=30)
    rig.double.edit(int(ref.id), "Told better.", by=GRACE)
    rig.double.say(int(ref.id), "Is it done?", by=GRACE)
    asked = start(card(await look(rig), ref))
    assert asked is not None
    assert asked.at < ended
    rig.double.move(int(ref.id), "Someday")
    rig.double.move(int(ref.id), "Agent Todo")
    anew = start(card(await look(rig), ref))
    assert anew is not None
    assert anew.at > ended


async def test_a_label_asks_when_a_member_sets_it(rig: OpenProjectRig) -> None:
    ref = filed(rig)
    rig.double.label(int(ref.id), "agent", by=MALLORY)
    assert start(card(await look(rig, routes=LABEL), ref), LABEL) is None
    rig.double.label(int(ref.id), "agent", by=GRACE)
    assert start(card(await look(rig, routes=LABEL), ref), LABEL) is not None


async def test_a_journal_is_read_again_only_when_its_card_has_changed(rig: OpenProjectRig) -> None:
    ref, later = filed(rig, "Agent Todo"), datetime.now(UTC) + timedelta(hours=1)
    for _ in range(3):
        await look(rig, later)
    assert rig.double.journals_read == 1
    rig.double.say(int(ref.id), "Hm.")
    await look(rig, later)
    assert rig.double.journals_read == 2


async def test_a_key_of_another_user_than_the_connection_says_is_refused(rig: OpenProjectRig) -> None:
    ref = filed(rig, "Agent Todo")
    with pytest.raises(ApplicationError, match=f"belongs to Pawl .{PAWL}., .*Write user = {PAWL} under") as caught:
        await rig.another(user=ADA).claim_ticket(ClaimTicket(ref=ref, account="a"))
    assert caught.value.type == Failure.BAD_CREDENTIALS
    assert json.loads(rig.double.cards[int(ref.id)].note or "{}") == {}
    await rig.another(user=PAWL).claim_ticket(ClaimTicket(ref=ref, account="a"))
