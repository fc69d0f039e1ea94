"""Files people put on an issue reach the ticket, and the key reaches Linear's own store only."""

import time

import pytest
from temporalio.exceptions import ApplicationError

from activities.tracker.linear import files
from tests.activities.tracker.linear.desk import Desk
from tests.fakes.linear.rows import Row
from tests.fakes.linear.server import FakeLinear
from tests.fakes.service import Fault, serving
from workflows.domain.ticket import Ticket
from workflows.ports.tracker import ClaimTicket

PNG = b"\x89PNG picture"


async def claimed(desk: Desk, issue: Row) -> Ticket:
    return await desk.tracker.claim_ticket(ClaimTicket(ref=desk.ref(issue), account="a"))


async def test_pictures_in_the_text_in_comments_and_attached_are_kept(desk: Desk) -> None:
    desk.linear.files = {
        "a.png": ("image/png", PNG),
        "b.log": ("text/plain; charset=utf-8", b"log"),
        "c.pdf": ("application/pdf", b"%PDF"),
    }
    at = f"{desk.url}/files"
    issue = desk.linear.file(desk.team, "One", f"See ![the screen]({at}/a.png) and again ![it]({at}/a.png)")
    desk.linear.say(issue, f"The [log]({at}/b.log)")
    desk.linear.attach(issue, f"{at}/c.pdf", "Paper")
    ticket = await claimed(desk, issue)
    assert [(one.name, one.media_type) for one in ticket.attachments] == [
        ("it", "image/png"),
        ("log", "text/plain"),
        ("Paper", "application/pdf"),
    ]
    assert await desk.journal.load(ticket.attachments[0].content) == PNG


@pytest.mark.parametrize("part", ["[", "[](", "[](a ", "[](aaaaaaaaaaaaaaaa", "![x"])
async def test_no_text_holds_up_the_worker(desk: Desk, part: str) -> None:
    issue = desk.linear.file(desk.team, "One", part * (200_000 // len(part)))
    begun = time.process_time()
    assert not (await claimed(desk, issue)).attachments
    assert time.process_time() - begun < 2


async def test_the_key_is_shown_to_no_other_place(desk: Desk) -> None:
    other = FakeLinear()
    desk.linear.files = other.files = {"a.png": ("image/png", PNG)}
    async with serving(other.http) as far:
        near = desk.url.replace("http://", "http://x@")
        texts = [f"![x]({far}/files/a.png)", f"![x]({near}/files/a.png)", "![x](http://[)", "[x](file:///etc/passwd)"]
        assert not (await claimed(desk, desk.linear.file(desk.team, "One", "\n".join(texts)))).attachments
    assert not other.http.seen
    assert not [seen for seen in desk.linear.http.seen if "/files/" in seen]


async def test_what_is_gone_or_too_large_is_left_where_it_is(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MOST_BYTES", 100)
    desk.linear.files = {"big": ("text/plain", b"x" * 101), "fits": ("text/plain", b"x" * 100)}
    text = " ".join(f"[{name}]({desk.url}/files/{name})" for name in ("big", "gone", "fits"))
    assert [one.name for one in (await claimed(desk, desk.linear.file(desk.team, "One", text))).attachments] == ["fits"]


async def test_no_more_files_than_a_ticket_may_have(desk: Desk) -> None:
    desk.linear.files = {str(n): ("text/plain", b"x") for n in range(25)}
    text = " ".join(f"[f{n}]({desk.url}/files/{n})" for n in range(25))
    assert len((await claimed(desk, desk.linear.file(desk.team, "One", text))).attachments) == files.MOST_FILES


async def test_a_store_that_is_away_is_asked_again(desk: Desk) -> None:
    issue = desk.linear.file(desk.team, "One", f"![x]({desk.url}/files/a.png)")
    desk.linear.files = {"a.png": ("image/png", PNG)}
    for fault in (Fault(at="GET /files", status=503), Fault(at="GET /files")):
        desk.linear.http.add(fault)
        with pytest.raises(ApplicationError) as caught:
            await claimed(desk, issue)
        assert not caught.value.non_retryable
    assert len((await claimed(desk, issue)).attachments) == 1
