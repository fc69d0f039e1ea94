"""Findings: what a reviewer says, with severity and place."""

from enum import StrEnum

from pydantic import Field

from workflows.domain.model import Record


class Severity(StrEnum):
    BLOCKER = "blocker"
    """Must be fixed before the merge gate."""
    NOTE = "note"
    """Said to people on the pull request; starts no fix round."""


class Finding(Record):
    severity: Severity
    path: str = Field(max_length=300)
    line: int = Field(ge=1)
    """1-based line in the file as it is on the branch."""
    text: str = Field(min_length=1, max_length=2_000)

    def markdown(self) -> str:
        return f"**{self.severity}** `{self.path}:{self.line}` {self.text}"


class Review(Record):
    """What a reviewer session submits: a verdict in words and its findings."""

    summary: str = Field(min_length=1, max_length=2_000)
    findings: tuple[Finding, ...] = Field(default=(), max_length=50)

    @property
    def blockers(self) -> tuple[Finding, ...]:
        return tuple(f for f in self.findings if f.severity is Severity.BLOCKER)
