"""One rig per tracker: the adapter, and the hands of a person at the vendor's board."""

from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

from activities.github import GitHub, Token
from activities.journal.sql import SqlJournal
from activities.tracker.board import BoardTracker
from activities.tracker.github import GitHubIssues
from activities.tracker.openproject.tracker import OpenProjectTracker
from infra import board
from infra.journal import JournalStore
from infra.openproject import Place
from tests.activities.tracker.linear.desk import linear_desk
from tests.fakes.github import PAWL, TOKEN, FakeGitHub, Hands
from tests.fakes.github.world import Issue
from tests.fakes.linear.rows import Row
from tests.fakes.openproject import KEY, OpenProjectDouble
from tests.fakes.openproject_world import ADA, FIELD
from tests.fakes.service import Fault, no_kept_connections, serving
from tests.ports.slack_rig import SlackRig
from tests.ports.tracker_rig import TrackerRig
from workflows.domain.ticket import Phase, Ticket, TicketRef
from workflows.ports.tracker import FindNews


class BoardRig(TrackerRig):
    name = "board"
    knows_its_own = False
    words_are_news = False

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.tracker = BoardTracker(folder)

    async def add(self, title: str, body: str = "", labels: tuple[str, ...] = ()) -> TicketRef:
        number = len(board.list_tickets(self.folder).tickets) + 1
        return board.create_ticket(self.folder, f"T-{number}", title, body, labels=labels).ref

    async def look(self, ref: TicketRef) -> Ticket:
        return board.read(self.folder, ref.id)

    async def drag(self, ref: TicketRef, status: str) -> None:
        old = (await self.look(ref)).status
        self._edit(ref, f"status: {old}", f"status: {status}")

    async def say(self, ref: TicketRef, text: str) -> None:
        file = self.folder / f"{ref.id}.md"
        heading = "" if board.COMMENTS in file.read_text() else f"\n{board.COMMENTS}\n"
        file.write_text(f"{file.read_text()}{heading}\n{text}\n")

    async def thread(self, ref: TicketRef) -> str:
        return (self.folder / f"{ref.id}.md").read_text().partition(board.COMMENTS)[2]

    async def titles(self) -> list[str]:
        return [ticket.title for ticket in board.list_tickets(self.folder).tickets]

    async def note(self, ref: TicketRef, text: str) -> bool:
        file = self.folder / f"{ref.id}.md"
        file.write_text(f"{file.read_text()}{text}\n")
        return True

    async def copy(self, ref: TicketRef) -> bool:
        (self.folder / "copy.md").write_bytes((self.folder / f"{ref.id}.md").read_bytes())
        return True

    def _edit(self, ref: TicketRef, old: str, new: str) -> None:
        file = self.folder / f"{ref.id}.md"
        assert old in file.read_text()
        file.write_text(file.read_text().replace(old, new, 1))


class OpenProjectRig(TrackerRig):
    name = "openproject"

    def __init__(self, folder: Path) -> None:
        self.store = JournalStore(f"sqlite:///{folder}/journal.db", folder / "objects")
        self.double = OpenProjectDouble()
        self._open = AsyncExitStack()

    async def __aenter__(self) -> Self:
        url = await self._open.enter_async_context(serving(self.double.app))
        http = await self._open.enter_async_context(no_kept_connections())
        self.place = Place(name="openproject", url=url, note_field=FIELD)
        self.journal = SqlJournal(self.store)
        self._http = http
        self.open_project = self.tracker = self.another()
        return self

    def another(self, user: int = 0, members: frozenset[int] = frozenset()) -> OpenProjectTracker:
        """An adapter of another worker, whose connection says so."""
        return OpenProjectTracker(self.place, self._http, KEY, self.journal, user=user, members=members)

    async def __aexit__(self, *_: object) -> None:
        await self._open.aclose()
        self.store.close()
        assert not self.double.app.unforeseen

    async def add(self, title: str, body: str = "", labels: tuple[str, ...] = ()) -> TicketRef:
        return self.place.ref(self.double.file(title, body, labels))

    async def look(self, ref: TicketRef) -> Ticket:
        search = FindNews(
            tracker="openproject", since=datetime.now(UTC) + timedelta(days=1), routes=(), under_way=(ref,)
        )
        (seen,) = (await self.tracker.find_news(search)).cards
        return seen.card

    async def drag(self, ref: TicketRef, status: str) -> None:
        self.double.move(int(ref.id), status)

    async def say(self, ref: TicketRef, text: str) -> None:
        self.double.say(int(ref.id), text)

    async def thread(self, ref: TicketRef) -> str:
        return "\n\n".join(self.double.said(int(ref.id)))

    async def note(self, ref: TicketRef, text: str) -> bool:
        card = self.double.cards[int(ref.id)]
        card.body, card.lock = f"{card.body}\n{text}", card.lock + 1
        self.double.write(card, ADA, detail="Description set")
        return True

    async def copy(self, ref: TicketRef) -> bool:
        card = self.double.cards[int(ref.id)]
        names = tuple(self.double.labels[number - 1] for number in card.labels)
        number = self.double.file(card.subject, card.body, names)
        self.double.cards[number].note = card.note
        return True

    def lose_the_reply(self) -> bool:
        self.double.app.add(Fault("PATCH /api/v3/work_packages", after=True))
        return True

    async def titles(self) -> list[str]:
        return [card.subject for card in self.double.cards.values()]


class LinearRig(TrackerRig):
    name = "linear"
    words_change_the_version = False
    """Linear says when an issue was changed last, and not that words on it are a change of it."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._open = folder, AsyncExitStack()

    async def __aenter__(self) -> Self:
        self._desk = await self._open.enter_async_context(linear_desk(self._folder))
        self.tracker = self._desk.tracker
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._open.aclose()

    async def add(self, title: str, body: str = "", labels: tuple[str, ...] = ()) -> TicketRef:
        return self._desk.ref(self._desk.linear.file(self._desk.team, title, body, labels))

    async def look(self, ref: TicketRef) -> Ticket:
        search = FindNews(tracker=ref.tracker, since=datetime.now(UTC), routes=(), under_way=(ref,))
        news = await self.tracker.find_news(search)
        return next(seen.card for seen in news.cards if seen.card.ref == ref)

    async def drag(self, ref: TicketRef, status: str) -> None:
        """Into a column that is made for it where the team has none."""
        self._desk.linear.put(self._issue(ref), "Canceled" if status == Phase.CANCELLED else status)

    async def say(self, ref: TicketRef, text: str) -> None:
        self._desk.linear.say(self._issue(ref), text)

    async def thread(self, ref: TicketRef) -> str:
        return "\n".join(row["body"] for row in self._issue(ref)["comments"])

    async def note(self, ref: TicketRef, text: str) -> bool:
        issue = self._issue(ref)
        self._desk.linear.change(issue, self._desk.linear.ada, description=f"{issue['description']}\n{text}")
        return True

    async def copy(self, ref: TicketRef) -> bool:
        issue = self._issue(ref)
        names = tuple(label["name"] for label in issue["labels"])
        self._desk.linear.file(issue["team"], issue["title"], issue["description"], names)
        return True

    def lose_the_reply(self) -> bool:
        self._desk.linear.http.add(Fault("graphql issueUpdate", after=True))
        return True

    async def titles(self) -> list[str]:
        return [issue["title"] for issue in self._desk.linear.all("issue")]

    async def links(self, ref: TicketRef) -> str:
        return "\n".join(row["url"] for row in self._issue(ref)["attachments"])

    def _issue(self, ref: TicketRef) -> Row:
        return self._desk.linear.one("issue", ref.id)


class GitHubIssuesRig(TrackerRig):
    """On the double of GitHub, where `ada` owns the repository."""

    name = "github"

    def __init__(self, folder: Path) -> None:
        self.fake = FakeGitHub(folder / "github")
        self.hands = Hands(self.fake, folder)
        self.repo = self.fake.world.repo("acme/shop")
        self._open = AsyncExitStack()

    async def __aenter__(self) -> Self:
        await self._open.enter_async_context(self.fake.running())
        self.http = await self._open.enter_async_context(no_kept_connections())
        self.tracker = self.another()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._open.aclose()

    def another(self) -> GitHubIssues:
        """As another process would have it."""
        url = self.fake.url
        github = GitHub(self.http, Token(TOKEN), f"{url}/api", url, f"{url}/graphql")
        return GitHubIssues(github, PAWL, repositories=(self.repo.name,))

    async def add(self, title: str, body: str = "", labels: tuple[str, ...] = ()) -> TicketRef:
        issue = self.fake.world.issue(self.repo, self.fake.world.user("ada"), title, body)
        issue.labels = list(labels)
        return TicketRef(tracker="github", id=f"{self.repo.name}#{issue.number}")

    def issue(self, ref: TicketRef) -> Issue:
        return self.repo.issues[int(ref.id.partition("#")[2])]

    async def look(self, ref: TicketRef) -> Ticket:
        later = datetime.now(UTC) + timedelta(days=1)
        search = FindNews(tracker="github", since=later, routes=(), under_way=(ref,))
        return (await self.tracker.find_news(search)).cards[0].card

    async def drag(self, ref: TicketRef, status: str) -> None:
        issue = self.issue(ref)
        issue.labels = [name for name in issue.labels if not name.startswith("pawl: ")] + [f"pawl: {status}"]
        issue.state = "open"
        self.fake.world.touched(issue)

    async def say(self, ref: TicketRef, text: str) -> None:
        self.hands.comments(self.issue(ref), text)

    async def thread(self, ref: TicketRef) -> str:
        return "\n\n".join(comment.body for comment in self.issue(ref).comments)

    async def note(self, ref: TicketRef, text: str) -> bool:
        issue = self.issue(ref)
        issue.body = f"{issue.body}\r\n{text}\r\n"  # as browsers send it
        self.fake.world.touched(issue)
        return True

    async def copy(self, ref: TicketRef) -> bool:
        issue = self.issue(ref)
        await self.add(issue.title, issue.body, tuple(issue.labels))
        return True

    def lose_the_reply(self) -> bool:
        self.fake.faults.add(Fault("PATCH /api/repos/acme/shop/issues", after=True))
        return True

    async def titles(self) -> list[str]:
        return [issue.title for issue in self.repo.issues.values()]


RIGS: dict[str, Callable[[Path], TrackerRig]] = {
    "board": BoardRig,
    "github": GitHubIssuesRig,
    "openproject": OpenProjectRig,
    "linear": LinearRig,
    "slack": SlackRig,
}
