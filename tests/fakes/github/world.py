"""What is at the double of GitHub: people, repositories with real git behind them, issues, pull requests, CI."""

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.repos import git

PAWL = "pawl[bot]"
_IDENTITY = ("-c", "user.name=GitHub", "-c", "user.email=noreply@github.com")


@dataclass
class User:
    login: str
    id: int
    association: str = "NONE"
    type: str = "User"


@dataclass
class Comment:
    id: int
    by: User
    body: str
    at: str
    updated: str = ""


@dataclass
class Review:
    id: int
    by: User
    body: str
    state: str
    commit: str
    at: str


@dataclass
class Thread:
    """A conversation at a line."""

    id: str
    path: str
    line: int
    comments: list[Comment]
    review: int
    resolved: bool = False


@dataclass
class Pull:
    head: str
    base: str
    draft: bool
    frozen: str = ""
    """The head, once it is closed."""
    base_sha: str = ""
    merged_at: str | None = None
    merge_sha: str | None = None
    merged_by: User | None = None
    reviews: list[Review] = field(default_factory=list[Review])
    threads: list[Thread] = field(default_factory=list[Thread])
    known: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]])
    """Heads and bases whose merge GitHub has tried: before that it does not know."""


@dataclass
class Issue:
    id: int
    number: int
    by: User
    title: str
    body: str
    created: str
    updated: str
    state: str = "open"
    reason: str | None = None
    closed_by: User | None = None
    closed: str | None = None
    labels: list[str] = field(default_factory=list[str])
    assignees: list[User] = field(default_factory=list[User])
    comments: list[Comment] = field(default_factory=list[Comment])
    pull: Pull | None = None


@dataclass
class Job:
    id: int
    run: "Run"
    name: str
    attempt: int
    status: str
    conclusion: str | None
    log: str
    ended: str = ""
    times: int = 1
    """How often the log is said."""


@dataclass
class Run:
    """A run of a workflow, with all attempts' jobs."""

    id: int
    name: str
    sha: str
    attempt: int = 1
    branch: str = ""
    event: str = "push"
    created: str = ""
    updated: str = ""
    verdict: str = ""
    """How it ended where its jobs do not say: `cancelled`, `startup_failure`."""
    jobs: list[Job] = field(default_factory=list[Job])

    @property
    def latest(self) -> list[Job]:
        return list({job.name: job for job in self.jobs}.values())

    @property
    def status(self) -> str:
        return "completed" if all(job.status == "completed" for job in self.latest) else "in_progress"

    @property
    def conclusion(self) -> str | None:
        if self.status != "completed":
            return None
        red = any(job.conclusion == "failure" for job in self.latest)
        return self.verdict or ("failure" if red else "success")


@dataclass
class Check:
    id: int
    name: str
    sha: str
    app: str
    status: str
    conclusion: str | None = None
    external: str = ""
    title: str | None = None
    summary: str | None = None
    annotations: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])


@dataclass
class Status:
    context: str
    sha: str
    state: str
    description: str


class Repo:
    """A repository with its bare git."""

    def __init__(self, name: str, path: Path) -> None:
        self.name, self.path = name, path
        self.issues: dict[int, Issue] = {}
        self.runs: list[Run] = []
        self.checks: list[Check] = []
        self.statuses: list[Status] = []
        self.drafts = True
        git(path.parent, "init", "-q", "--bare", "-b", "main", path.name)

    def sha(self, branch: str) -> str:
        loose = self.path / "refs" / "heads" / branch
        if loose.is_file():  # asked so often that a process each time is a fifth of all
            return loose.read_text().strip()
        return git(self.path, "for-each-ref", "--format=%(objectname)", f"refs/heads/{branch}")

    def git(self, *arguments: str, accept: Sequence[int] = (0,)) -> tuple[int, str]:
        asked = ["git", *_IDENTITY, "-C", str(self.path), *arguments]
        ran = subprocess.run(asked, capture_output=True, text=True, check=False)
        assert ran.returncode in accept, ran.stderr
        return ran.returncode, ran.stdout.strip()

    def head(self, pull: Pull) -> str:
        return pull.frozen or self.sha(pull.head)

    def conflicts(self, pull: Pull) -> bool:
        return bool(self.git("merge-tree", "--write-tree", self.sha(pull.base), self.head(pull), accept=(0, 1))[0])

    def merge(self, pull: Pull, method: str, title: str) -> str:
        head, base = self.head(pull), self.sha(pull.base)
        tree = self.git("merge-tree", "--write-tree", base, head)[1].splitlines()[0]
        parents = ["-p", base] if method == "squash" else ["-p", base, "-p", head]
        made = self.git("commit-tree", tree, *parents, "-m", title)[1]
        self.git("update-ref", f"refs/heads/{pull.base}", made)
        return made


class World:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.repos: dict[str, Repo] = {}
        self.users = [User(PAWL, 1, "NONE", "Bot"), User("ada", 2, "OWNER"), User("grace", 3, "COLLABORATOR")]
        self.users += [User("mallory", 4), User("other[bot]", 5, "CONTRIBUTOR", "Bot"), User("pawl", 6)]
        self.apps: set[str] = set()
        """Repositories the app is installed on."""
        self._last_id = 100
        self._now = datetime.now(UTC).replace(microsecond=0)

    def repo(self, name: str) -> Repo:
        if name not in self.repos:
            path = self.folder / f"{name}.git"
            path.parent.mkdir(parents=True, exist_ok=True)
            self.repos[name] = Repo(name, path)
            self.apps.add(name)
        return self.repos[name]

    def user(self, login: str) -> User:
        return next(user for user in self.users if user.login == login)

    def next_id(self) -> int:
        self._last_id += 1
        return self._last_id

    def now(self) -> str:
        """A later second each time: GitHub's times have no parts of seconds, and tests do not wait for them."""
        self._now = max(self._now + timedelta(seconds=1), datetime.now(UTC).replace(microsecond=0))
        return f"{self._now:%Y-%m-%dT%H:%M:%SZ}"

    def issue(self, repo: Repo, by: User, title: str, body: str, pull: Pull | None = None) -> Issue:
        number, now = len(repo.issues) + 1, self.now()
        issue = Issue(self.next_id(), number, by, title, body, now, now, pull=pull)
        repo.issues[number] = issue
        return issue

    def touched(self, issue: Issue) -> None:
        issue.updated = self.now()

    def commented(self, issue: Issue, by: User, body: str) -> Comment:
        comment = Comment(self.next_id(), by, body, self.now())
        comment.updated = comment.at
        issue.comments.append(comment)
        self.touched(issue)
        return comment

    def close(self, issue: Issue, by: User, repo: Repo, reason: str | None = "completed") -> None:
        if issue.pull is not None:
            issue.pull.frozen = repo.head(issue.pull)
        issue.state, issue.reason, issue.closed_by = "closed", reason, by
        self.touched(issue)
        issue.closed = issue.updated
