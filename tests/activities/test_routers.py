"""Which tracker and which forge a request goes to."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from temporalio.exceptions import ApplicationError

from activities.forge.router import host_of
from activities.notify.everywhere import EverywhereNotify
from activities.tracker.board import BoardTracker
from activities.tracker.router import TrackerRouter
from infra import board
from workflows.domain.failures import Failure
from workflows.domain.ticket import Phase, TicketRef
from workflows.ports.notify import Digest, Note, Notify
from workflows.ports.tracker import MoveTicket


async def test_a_request_goes_to_the_connection_that_its_ticket_names(tmp_path: Path) -> None:
    router = TrackerRouter({name: BoardTracker(tmp_path / name) for name in ("board", "other")})
    for name in ("board", "other"):
        board.create_ticket(tmp_path / name, "T-1", name)
    await router.move_ticket(MoveTicket(ref=TicketRef(tracker="other", id="T-1"), to=Phase.DONE))
    assert board.read(tmp_path / "board", "T-1").status == Phase.TODO
    assert board.read(tmp_path / "other", "T-1").status == Phase.DONE


async def test_a_connection_that_this_worker_lacks_is_named(tmp_path: Path) -> None:
    router = TrackerRouter({"board": BoardTracker(tmp_path)})
    with pytest.raises(ApplicationError, match="no connection called 'linear'; it has: board") as caught:
        await router.move_ticket(MoveTicket(ref=TicketRef(tracker="linear", id="x"), to=Phase.DONE))
    assert (caught.value.type, caught.value.non_retryable) == (Failure.BAD_REQUEST, True)


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://github.com/acme/shop", "github.com"),
        ("https://GitHub.com/acme/shop.git", "github.com"),
        ("http://127.0.0.1:4100/acme/shop", "127.0.0.1:4100"),
        ("ssh://git@github.com/acme/shop", "github.com"),
        ("git@github.com:acme/shop.git", "github.com"),
        ("github.com:acme/shop", "github.com"),
        ("/srv/github.com/shop", ""),
        ("./shop", ""),
        ("file:///srv/shop", ""),
        ("https://github.com.evil.example/acme/shop", "github.com.evil.example"),
        ("https://github.com@evil.example/acme/shop", "evil.example"),
    ],
)
def test_the_host_of_a_repository(url: str, host: str) -> None:
    assert host_of(url) == host


@dataclass
class _Place(Notify):
    heard: list[str]
    broken: bool = False

    async def post_note(self, note: Note) -> None:
        self.heard.append(note.key)
        if self.broken:
            raise ApplicationError("away")

    async def post_digest(self, digest: Digest) -> None:
        self.heard.append(digest.key)


async def test_a_place_that_fails_keeps_no_note_from_the_others() -> None:
    heard: list[str] = []
    places = EverywhereNotify([_Place(heard, broken=True), _Place(heard)])
    with pytest.raises(ApplicationError, match="away"):
        await places.post_note(Note(key="k", identifier="T-1", phase=Phase.DONE, text="t"))
    assert heard == ["k", "k"]


async def test_a_digest_is_told_everywhere() -> None:
    heard: list[str] = []
    digest = Digest(key="d", at=datetime.now(UTC), waiting=())
    await EverywhereNotify([_Place(heard), _Place(heard)]).post_digest(digest)
    assert heard == ["d", "d"]
