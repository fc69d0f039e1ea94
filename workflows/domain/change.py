"""The change: repository, branch, checks and pull request."""

from pydantic import Field

from workflows.domain.model import Record


class Repository(Record):
    """A repository as the forge opened it for one ticket: everything later is measured from `base_sha`."""

    name: str
    """The forge's stable name, safe as a folder name."""
    url: str
    base_branch: str
    base_sha: str


class Check(Record):
    """One command that must succeed, run by the orchestrator and never merely claimed by an agent."""

    name: str
    run: str
    """A shell line, run at the root of the checkout inside the sandbox."""
    timeout_seconds: int = Field(default=600, ge=1, le=7_200)


class CheckResult(Record):
    name: str
    ok: bool
    reason: str
    """Why it ended: `exited 1`, `timed out after 600 s`, ..."""
    output: str
    """Head and tail of the raw output, at most 10,000 characters."""


class CheckReport(Record):
    """All checks of one attempt. `state` is the workspace state they ran on: what was tested is what is pushed."""

    ok: bool
    summary: str
    """One line for people: `tests: exited 1`."""
    log: str
    """Journal reference of the full report (a JSON list of CheckResult)."""
    excerpt: str = ""
    """The last lines of what failed, for people who read the ticket; at most 1,000 characters."""
    fingerprint: str = ""
    """Digest of the failure text with times and addresses removed: two equal ones in a row mean no progress."""


class Change(Record):
    """What is to be seen on a branch: its one commit, and whether it was pushed."""

    branch: str
    head_sha: str
    files: int
    insertions: int
    deletions: int
    binaries: tuple[str, ...] = ()
    """New and changed files whose lines nobody can read; at most 20, the last one then says how many more."""
    pushed: bool = True
    refused: CheckReport | None = None
    """Why it was not pushed, for the agent, as a failed check."""
    asks: tuple[str, ...] = ()
    """What only a person can allow, pushed or not: a line of Markdown each."""
    asks_digest: str = ""
    """Digest of what `asks` is about, by content: allowed once, it need not be asked for again until that changes."""
    shown: str = ""
    """The part of the diff a person needs to decide on `asks`, cut to size with a notice; no line with a secret."""


class PullRequest(Record):
    number: int
    url: str
    branch: str
    head_sha: str
    merged_sha: str = ""
