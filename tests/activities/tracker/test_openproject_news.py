"""OpenProject as a tracker: what a look finds that no delivery has told."""

from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from activities.tracker.openproject import news
from tests.fakes.openproject_world import ADA, GRACE, MALLORY, PAWL
from tests.ports.trackers import OpenProjectRig
from workflows.domain.intake import CardSeen, Leave, Start, Terms, decide
from workflows.domain.people import Trust
from workflows.domain.routes import Route
from workflows.domain.ticket import Phase, TicketRef
from workflows.ports.tracker import ClaimTicket, FindNews, MoveTicket, News, PostComment, Remark

ROUTES = (Route(tracker="openproject", team="web", repository="/srv/web.git"),)
START = datetime.now(UTC) - timedelta(hours=1)
MENTION = f'<mention class="mention" data-id="{PAWL}" data-type="user" data-text="@Pawl">@Pawl</mention>'


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncGenerator[OpenProjectRig]:
    async with OpenProjectRig(tmp_path) as rig:
        yield rig


async def look(
    rig: OpenProjectRig,
    since: datetime = START,
    under_way: tuple[TicketRef, ...] = (),
    routes: tuple[Route, ...] = ROUTES,
) -> News:
    search = FindNews(tracker="openproject", since=since, routes=routes, under_way=under_way)
    return await rig.tracker.find_news(search)


def card(found: News, ref: TicketRef) -> CardSeen:
    (seen,) = [one for one in found.cards if one.card.ref == ref]
    return seen


async def under_way(rig: OpenProjectRig) -> TicketRef:
    ref = await rig.add("One")
    await rig.tracker.claim_ticket(ClaimTicket(ref=ref, account="a"))
    await rig.tracker.move_ticket(MoveTicket(ref=ref, to=Phase.PLAN_GATE))
    return ref


async def test_our_own_move_is_none_and_a_persons_says_who(rig: OpenProjectRig) -> None:
    ref = await under_way(rig)
    ours = card(await look(rig), ref)
    assert ours.by is not None
    assert (ours.moved, ours.by.trust) == (False, Trust.OURS)
    await rig.drag(ref, Phase.BUILDING)
    await rig.tracker.post_comment(PostComment(ref=ref, remark=Remark(key="k", text="Hm.")))
    seen = card(await look(rig), ref)
    assert seen.moved
    assert seen.by is not None
    assert (seen.by.id, seen.by.name, seen.by.trust) == (str(ADA), "Ada Lovelace", Trust.MEMBER)
    assert seen.id == f"Building@activity:{rig.double.cards[int(ref.id)].journal[-2].id}"


async def test_a_card_that_pawl_put_back_asks_for_nothing_until_a_person_changes_it(rig: OpenProjectRig) -> None:
    ref = await under_way(rig)
    await rig.tracker.move_ticket(MoveTicket(ref=ref, to="Agent Todo"))
    rig.double.say(int(ref.id), "Why did it stop?")
    terms = Terms(routes=ROUTES, model="scripted:m")
    (left,) = decide(card(await look(rig), ref), terms)
    assert isinstance(left, Leave)
    rig.double.move(int(ref.id), "Someday")
    rig.double.move(int(ref.id), "Agent Todo")
    assert isinstance(decide(card(await look(rig), ref), terms)[-1], Start)


async def test_a_move_by_somebody_without_a_role_says_so(rig: OpenProjectRig) -> None:
    ref = await under_way(rig)
    rig.double.move(int(ref.id), Phase.BUILDING, by=MALLORY)
    seen = card(await look(rig), ref)
    assert seen.by is not None
    assert seen.by.trust is Trust.STRANGER


@pytest.mark.parametrize(
    ("text", "said", "addressed"),
    [
        (f"{MENTION} use Postgres", "use Postgres", True),
        ("@Pawl, go on", "go on", True),
        ("> @pawl go on\n\nGrace asked for this.", "> @pawl go on\n\nGrace asked for this.", False),
        ("@pawlina look", "@pawlina look", False),
        ("mail to a@pawl.test", "mail to a@pawl.test", False),
        (MENTION.replace(f'"{PAWL}"', f'"{GRACE}"', 1), MENTION.replace(f'"{PAWL}"', f'"{GRACE}"', 1), False),
        ("just talk", "just talk", False),
    ],
)
async def test_words_are_ours_where_we_are_mentioned(
    rig: OpenProjectRig, text: str, said: str, addressed: bool
) -> None:
    ref = await under_way(rig)
    entry = rig.double.say(int(ref.id), text, by=GRACE)
    (words,) = (await look(rig)).words
    assert (words.id, words.text, words.addressed, words.ref) == (f"comment:{entry}", said, addressed, ref)
    assert (words.by.key, words.by.trust) == (f"openproject:{GRACE}", Trust.MEMBER)


@pytest.mark.parametrize("hidden", [False, True])
async def test_who_is_not_known_as_a_member_is_a_stranger(rig: OpenProjectRig, hidden: bool) -> None:
    ref = await under_way(rig)
    rig.double.hidden_members = hidden
    rig.double.say(int(ref.id), MENTION, by=GRACE if hidden else MALLORY)
    (words,) = (await look(rig)).words
    assert words.by.trust is Trust.STRANGER


async def test_a_comment_that_joins_an_older_activity_is_heard(rig: OpenProjectRig) -> None:
    ref = await under_way(rig)
    rig.double.assign(int(ref.id), GRACE)
    joined = rig.double.cards[int(ref.id)].journal[-1]
    joined.created = (datetime.now(UTC) - timedelta(minutes=4)).isoformat()
    assert rig.double.say(int(ref.id), MENTION) == joined.id
    found = await look(rig, since=datetime.now(UTC) - timedelta(minutes=1))
    assert [words.id for words in found.words] == [f"comment:{joined.id}"]


async def test_what_we_say_ourselves_is_not_told(rig: OpenProjectRig) -> None:
    ref = await under_way(rig)
    await rig.tracker.post_comment(PostComment(ref=ref, remark=Remark(key="k", text=f"{MENTION} approve")))
    assert (await look(rig)).words == ()


async def test_a_card_that_is_given_to_us_says_so(rig: OpenProjectRig) -> None:
    ref = await rig.add("One")
    rig.double.assign(int(ref.id), PAWL)
    assert card(await look(rig), ref).assigned


async def test_a_blocked_card_asks_for_work_when_what_blocks_it_is_closed(rig: OpenProjectRig) -> None:
    first, second = rig.double.file("First"), rig.double.file("Second")
    ref = TicketRef(tracker="openproject", id=str(rig.double.file("Blocked", status="Agent Todo")))
    rig.double.relations += [("blocks", first, int(ref.id)), ("blocked", int(ref.id), second)]
    rig.double.relations += [("blocks", int(ref.id), rig.double.file("Later"))]
    for close in (first, second):
        assert ref not in [one.card.ref for one in (await look(rig)).cards]
        rig.double.move(close, "Done")
    closed = datetime.fromisoformat(rig.double.cards[second].at)
    assert closed > datetime.fromisoformat(rig.double.cards[int(ref.id)].at)
    seen = card(await look(rig), ref)
    assert abs(seen.at - closed) < timedelta(seconds=1)
    assert any(isinstance(move, Start) for move in decide(seen, Terms(routes=ROUTES, model="scripted:m")))
    rig.double.say(second, "Well done.", by=GRACE)
    later = await look(rig, since=datetime.now(UTC) + timedelta(hours=1))
    assert (card(later, ref).id, card(later, ref).at) == (seen.id, seen.at), "told again, it is the same happening"
    rig.double.relations += [("blocks", first, int((started := await under_way(rig)).id))]
    rig.double.move(first, "Agent Todo")
    assert card(await look(rig, under_way=(started,)), started), "what is under way is told however it is blocked"


async def test_projects_nobody_serves_are_left_out_unless_under_way(rig: OpenProjectRig) -> None:
    ref = await rig.add("One")
    elsewhere = (Route(tracker="openproject", team="docs", repository="/srv/docs.git"),)
    assert (await look(rig, routes=elsewhere)).cards == ()
    assert card(await look(rig, routes=elsewhere, under_way=(ref,)), ref).card.title == "One"


async def test_a_card_that_has_stood_in_its_column_for_long_is_found(rig: OpenProjectRig) -> None:
    ref = TicketRef(tracker="openproject", id=str(rig.double.file("One", status="Agent Todo")))
    found = await look(rig, since=datetime.now(UTC) + timedelta(hours=1))
    assert [seen.card.ref for seen in found.cards] == [ref]


async def test_a_long_look_ends_early_and_goes_on_where_it_ended(
    rig: OpenProjectRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(news, "PAGE", 3)
    refs = [await rig.add(f"Number {number}") for number in range(8)]
    begin = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=10)
    for number, ref in enumerate(refs):  # six of them in one second
        second = begin + timedelta(seconds=1 if 0 < number < 7 else number)
        rig.double.cards[int(ref.id)].at = (second + timedelta(milliseconds=number)).isoformat()
    seen, since, looks = set[str](), START, 0
    while len(seen) < 8:
        looks += 1
        assert looks < 6
        found = await look(rig, since)
        seen |= {one.card.ref.id for one in found.cards}
        assert found.until > since
        since = found.until
    assert looks > 1
    assert (await look(rig, since)).until >= since


async def test_a_card_that_is_deleted_under_way_is_no_news(rig: OpenProjectRig) -> None:
    ref = await under_way(rig)
    del rig.double.cards[int(ref.id)]
    assert (await look(rig, under_way=(ref,))).cards == ()
