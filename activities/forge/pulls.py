"""Pull requests as files people read: `<n>/pull.md` with its reviews, and `<n>/diff.patch` beside it.

A line of a person's that begins with `@pawl` begins a conversation. No line of ours begins so: whatever agents and
tickets say is written with a backslash before it, so that it cannot pass for a person's word.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from temporalio.exceptions import ApplicationError

from activities.errors import stop
from infra.files import replace_file
from infra.pages import BadPage, FrontMatter, Page, marker, unmarked
from workflows.domain.change import PullRequest
from workflows.domain.failures import Failure
from workflows.domain.people import Person, Trust
from workflows.domain.pull import Thread, ThreadComment
from workflows.domain.review import Finding

OPEN, MERGED, CLOSED = "open", "merged", "closed"
_REVIEWS = "## Reviews"
_CALLED = re.compile(r" {0,3}@pawl\b[:,]?[ \t]*(.*)", re.IGNORECASE)
_WOULD_CALL = re.compile(r"(?im)^([^\S\n]*)@(?=pawl\b)")
_PLACE = re.compile(r"(?P<path>[^\s:]+):(?P<line>[1-9][0-9]{0,6})[:\s]\s*")
_MOST_CHARS, _MOST_THREADS = 10_000, 100
_WRITER = Person(place="local", id="pull.md", name="who writes pull.md", trust=Trust.MEMBER)
"""Whoever may write the file may also push to the forge."""
_OURS = Person(place="local", id="pawl", name="Pawl", trust=Trust.OURS)


@dataclass
class Pull:
    """One pull request's file. `save` after changing it."""

    path: Path
    page: Page

    @property
    def number(self) -> int:
        return int(self.path.parent.name)

    @property
    def changed(self) -> datetime:
        """When anybody last wrote to the file."""
        return datetime.fromtimestamp(self.path.stat().st_mtime, UTC)

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
    def head(self) -> str:
        """Where its branch was when Pawl last wrote of it."""
        return self._word("head")

    @property
    def merged_sha(self) -> str:
        return self._word("merged")

    def put(self, key: str, value: str) -> None:
        self.page.head.set(key, value)

    def say(self, key: str, text: str) -> None:
        """Append to the reviews, once per key."""
        if not self.page.has_comment(key):
            self.page.add_comment(_REVIEWS, key, uncalled(text))

    def answer(self, thread: str, key: str, text: str, *, resolve: bool) -> None:
        """Answer a conversation, once per key."""
        called = next((known.comments[0].text for known in self.threads() if known.id == thread), "")
        quoted = f"> {called.partition(chr(10))[0][:200]}\n\n" if called else ""
        self.say(_answer_key(thread, key, resolve), f"{quoted}{text}" if text else "")

    def threads(self) -> tuple[Thread, ...]:
        """What people have written to Pawl, each with our answers. A comment that is changed is a new one."""
        seen: Counter[str] = Counter()
        found: list[Thread] = []
        for text in _called(self.page.text.split("\n")):
            digest = hashlib.sha256(text.encode()).hexdigest()[:12]
            seen[digest] += 1
            found.append(self._thread(f"{digest}-{seen[digest]}", text))
        return tuple(found[-_MOST_THREADS:])

    def _thread(self, name: str, text: str) -> Thread:
        place = _PLACE.match(text)
        cut = text if len(text) <= _MOST_CHARS else f"{text[: _MOST_CHARS - 20]}\n[cut here]"
        marks = [marker(_answer_key(name, "", resolve)).removesuffix(" -->") for resolve in (False, True)]
        answers = [line for line in self.page.text.split("\n") if line.startswith(tuple(marks))]
        replies = (ThreadComment(id=line, by=_OURS, text="") for line in answers)
        return Thread(
            id=name,
            path=place["path"] if place else "",
            line=int(place["line"]) if place else 0,
            resolved=any(line.startswith(marks[1]) for line in answers),
            comments=(ThreadComment(id=name, by=_WRITER, text=cut), *replies),
        )

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

    def every(self) -> tuple[list[Pull], list[str]]:
        """All that can be read, by number, and a sentence for each that cannot."""
        found: list[Pull] = []
        broken: list[str] = []
        for number in sorted(self._numbers()):
            try:
                pull = self.read(number)
            except ApplicationError as error:
                broken.append(error.message)
            else:
                found += [pull] if pull else []
        return found, broken

    def open_on(self, branch: str) -> Pull | None:
        """The open pull request of a branch."""
        pulls = (self.read(number) for number in self._numbers())
        return next((pull for pull in pulls if pull and pull.branch == branch and pull.state == OPEN), None)

    def create(self, title: str, body: str, branch: str, base: str, head_sha: str) -> Pull:
        number = max(self._numbers(), default=0) + 1
        head = FrontMatter.of(
            {"number": number, "title": title, "state": OPEN, "branch": branch, "base": base, "head": head_sha}
        )
        return Pull(self._folder / str(number) / "pull.md", Page(head, f"\n{uncalled(unmarked(body)).strip()}\n"))

    def _numbers(self) -> Iterator[int]:
        if not self._folder.exists():
            return iter(())
        return (int(entry.name) for entry in self._folder.iterdir() if entry.name.isdecimal())


def uncalled(text: str) -> str:
    """Text of ours, in which no line calls us."""
    return _WOULD_CALL.sub(r"\1\\@", text.replace("\r\n", "\n").replace("\r", "\n"))


def _called(lines: list[str]) -> Iterator[str]:
    """The comments that call us: each from its `@pawl` to the next one or the next text of ours."""
    said: list[str] | None = None
    for line in [*lines, _REVIEWS]:
        called = _CALLED.match(line)
        if said is not None and (called or line.startswith("<!-- pawl:") or line == _REVIEWS):
            if text := "\n".join(said).strip():
                yield text
            said = None
        if called:
            said = [called[1]]
        elif said is not None:
            said.append(line)


def _answer_key(thread: str, key: str, resolve: bool) -> str:
    return f"{'settled' if resolve else 'answered'}/{thread}/{key}"


def review_text(summary: str, findings: tuple[Finding, ...]) -> str:
    lines = "\n".join(f"- {finding.markdown()}" for finding in findings)
    return f"**Review.** {summary}\n\n{lines}".strip()
