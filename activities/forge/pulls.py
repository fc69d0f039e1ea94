"""Pull requests as files people read: `<n>/pull.md` with its reviews, and `<n>/diff.patch` beside it."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from activities.errors import stop
from infra.files import replace_file
from infra.pages import BadPage, FrontMatter, Page, unmarked
from workflows.domain.change import PullRequest
from workflows.domain.failures import Failure
from workflows.domain.review import Finding

OPEN, MERGED, CLOSED = "open", "merged", "closed"
_REVIEWS = "## Reviews"


@dataclass
class Pull:
    """One pull request's file. `save` after changing it."""

    path: Path
    page: Page

    @property
    def number(self) -> int:
        return int(self.path.parent.name)

    @property
    def state(self) -> str:
        """What the file says; people may close and open a pull request there."""
        return self._word("state").lower()

    @property
    def title(self) -> str:
        return self._word("title")

    @property
    def branch(self) -> str:
        return self._word("branch")

    @property
    def base(self) -> str:
        return self._word("base")

    @property
    def merged_sha(self) -> str:
        return self._word("merged")

    def put(self, key: str, value: str) -> None:
        self.page.head.set(key, value)

    def say(self, key: str, text: str) -> None:
        """Append to the reviews, once per key."""
        if not self.page.has_comment(key):
            self.page.add_comment(_REVIEWS, key, text)

    def save(self) -> None:
        data = self.page.render()
        if not self.path.exists() or self.path.read_bytes() != data:
            replace_file(self.path, data)

    def seen(self, head_sha: str) -> PullRequest:
        return PullRequest(
            number=self.number, url=str(self.path), branch=self.branch, head_sha=head_sha, merged_sha=self.merged_sha
        )

    def _word(self, key: str) -> str:
        value = self.page.head.get(key)
        return "" if value is None else str(value).strip()


class Pulls:
    """The pull requests of one repository. The caller holds the repository's lock."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, number: int) -> Pull | None:
        path = self._folder / str(number) / "pull.md"
        try:
            return Pull(path, Page.parse(path.read_bytes())) if path.exists() else None
        except BadPage as error:
            raise stop(Failure.BAD_REQUEST, f"{path}, line {error.line}: {error.cause}", "Then resume.") from error

    def open_on(self, branch: str) -> Pull | None:
        """The open pull request of a branch."""
        pulls = (self.read(number) for number in self._numbers())
        return next((pull for pull in pulls if pull and pull.branch == branch and pull.state == OPEN), None)

    def create(self, title: str, body: str, branch: str, base: str, head_sha: str) -> Pull:
        number = max(self._numbers(), default=0) + 1
        head = FrontMatter.of(
            {"number": number, "title": title, "state": OPEN, "branch": branch, "base": base, "head": head_sha}
        )
        return Pull(self._folder / str(number) / "pull.md", Page(head, f"\n{unmarked(body).strip()}\n"))

    def _numbers(self) -> Iterator[int]:
        if not self._folder.exists():
            return iter(())
        return (int(entry.name) for entry in self._folder.iterdir() if entry.name.isdecimal())


def review_text(summary: str, findings: tuple[Finding, ...]) -> str:
    lines = "\n".join(f"- {finding.markdown()}" for finding in findings)
    return f"**Review.** {summary}\n\n{lines}".strip()
