"""A pull request as it stands: what CI, people and the base branch say of it."""

import re
from enum import StrEnum

from pydantic import Field

from workflows.domain.model import Record
from workflows.domain.people import Person, Trust


class PullState(StrEnum):
    OPEN = "open"
    MERGED = "merged"
    CLOSED = "closed"


class CiState(StrEnum):
    NONE = "none"
    """No CI has reported on this commit."""
    RUNNING = "running"
    GREEN = "green"
    RED = "red"


class FailedJob(Record):
    id: str
    """The forge's, to be read and run again."""
    name: str
    url: str = ""
    attempt: int = 1
    """How often it has run on this commit."""
    rerunnable: bool = True
    summary: str = Field(default="", max_length=2_000)
    """What it says of itself. Untrusted."""


class ThreadComment(Record):
    id: str
    by: Person
    text: str = Field(max_length=10_000)
    """Untrusted, cut to size with a notice."""


class Thread(Record):
    """A conversation on the pull request: at a line of it, or on the whole (then it has no path)."""

    id: str
    path: str = ""
    line: int = 0
    """1-based, in the file as it was commented on; 0: on the file or the whole."""
    resolved: bool = False
    comments: tuple[ThreadComment, ...] = Field(min_length=1)

    @property
    def waits_for_us(self) -> bool:
        """Whether a person who may ask has the last word."""
        return not self.resolved and self.comments[-1].by.trust is Trust.MEMBER


class PullSeen(Record):
    """One look at a pull request. All of it is of the same moment, as far as the forge can tell."""

    number: int
    state: PullState
    by: Person | None = None
    """Who merged or closed it."""
    head_sha: str
    merged_sha: str = ""
    base_moved: bool = False
    """The base branch has commits that the pull request does not contain."""
    conflicts: bool = False
    """It cannot be merged into the base as that is now."""
    ci: CiState = CiState.NONE
    failed: tuple[FailedJob, ...] = ()
    threads: tuple[Thread, ...] = ()
    """Oldest first, at most 100."""
    changes_asked_by: tuple[Person, ...] = ()
    """Whose last review asks for changes."""
    others_wrote: bool = False
    """Whether anybody but Pawl has said anything on it, strangers included, or a review has asked for changes. What a
    bot only says, such as a report of coverage, is not counted."""


def reference(url: str) -> str:
    """`owner/name#12` of a pull request that is read at this address, as webhooks name it; empty for other addresses,
    such as a file's."""
    found = re.fullmatch(r"https?://[^/]+/(?:.*/)?([^/]+/[^/]+)/pulls?/([0-9]+)/?", url)
    return f"{found[1]}#{found[2]}" if found else ""
