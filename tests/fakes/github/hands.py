"""What people, and GitHub by itself, do at the double."""

from collections.abc import Mapping
from pathlib import Path

from tests.fakes.github.service import FakeGitHub
from tests.fakes.github.world import Comment, Issue, Job, Pull, Repo, Review, Run, Status, Thread
from tests.repos import commit, git


class Hands:
    """A person's; `ada` owns the repository, `grace` works on it, `mallory` is a stranger."""

    def __init__(self, github: FakeGitHub, folder: Path) -> None:
        self.github, self.world = github, github.world
        self._folder = folder

    def repository(self, name: str, files: Mapping[str, str | bytes] | None, branch: str = "main") -> Repo:
        repo = self.world.repo(name)
        git(repo.path, "symbolic-ref", "HEAD", f"refs/heads/{branch}")
        if files:
            self.push(repo, branch, files)
        return repo

    def push(self, repo: Repo, branch: str, files: Mapping[str, str | bytes]) -> str:
        """A commit on top of the branch: the new head."""
        work = self._folder / f"person{len(list(self._folder.glob('person*')))}"
        git(self._folder, "clone", "-q", str(repo.path), str(work))
        git(work, "checkout", "-q", *(["-B", branch, f"origin/{branch}"] if repo.sha(branch) else ["-B", branch]))
        head = commit(work, files, "By a person")
        git(work, "push", "-q", "origin", f"HEAD:{branch}")
        return head

    def pull(self, repo: Repo, number: int = 1) -> tuple[Issue, Pull]:
        issue = repo.issues[number]
        assert issue.pull is not None
        return issue, issue.pull

    def opens(self, repo: Repo, head: str, base: str = "main", by: str = "ada") -> Issue:
        """A pull request that is none of Pawl's."""
        return self.world.issue(repo, self.world.user(by), "By hand", "", Pull(head, base, draft=False))

    def comments(self, issue: Issue, body: str, by: str = "ada") -> Comment:
        return self.world.commented(issue, self.world.user(by), body)

    def reviews(self, repo: Repo, number: int, state: str, body: str = "", by: str = "ada") -> Review:
        issue, pull = self.pull(repo, number)
        review = Review(self.world.next_id(), self.world.user(by), body, state, repo.head(pull), self.world.now())
        pull.reviews.append(review)
        self.world.touched(issue)
        return review

    def comments_at(self, repo: Repo, number: int, path: str, line: int, body: str, by: str = "ada") -> Thread:
        _, pull = self.pull(repo, number)
        said = Comment(self.world.next_id(), self.world.user(by), body, self.world.now())
        thread = Thread(f"PRRT_{self.world.next_id()}", path, line, [said], self.world.next_id())
        pull.threads.append(thread)
        return thread

    def replies(self, thread: Thread, body: str, by: str = "ada") -> None:
        thread.comments.append(Comment(self.world.next_id(), self.world.user(by), body, self.world.now()))

    def closes(self, repo: Repo, number: int, by: str = "ada", reason: str | None = "completed") -> None:
        self.world.close(repo.issues[number], self.world.user(by), repo, reason)

    def merges(self, repo: Repo, number: int, by: str = "ada", method: str = "merge") -> str:
        issue, pull = self.pull(repo, number)
        pull.frozen, pull.base_sha = repo.head(pull), repo.sha(pull.base)
        pull.merge_sha = repo.merge(pull, method, f"Merge pull request #{number}")
        self.world.close(issue, self.world.user(by), repo)
        pull.merged_at, pull.merged_by = self.world.now(), self.world.user(by)
        return pull.merge_sha

    # CI

    def runs(
        self, repo: Repo, sha: str, *jobs: tuple[str, str, str], workflow: str = "CI", branch: str = "",
        event: str = "push", verdict: str = "",
    ) -> Run:  # fmt: skip
        """A workflow runs its jobs: name, conclusion (empty: still running), log."""
        run = Run(self.world.next_id(), workflow, sha, branch=branch, event=event, verdict=verdict)
        run.created = run.updated = self.world.now()
        for name, conclusion, log in jobs:
            status = "completed" if conclusion else "in_progress"
            run.jobs.append(Job(self.world.next_id(), run, name, 1, status, conclusion or None, log, run.created))
        repo.runs.append(run)
        return run

    def finishes(self, run: Run, conclusion: str) -> None:
        for job in run.latest:
            if job.status != "completed":
                job.status, job.conclusion = "completed", conclusion

    def reports(self, repo: Repo, sha: str, context: str, state: str, description: str = "") -> None:
        """Another CI sets a status."""
        repo.statuses.append(Status(context, sha, state, description))
