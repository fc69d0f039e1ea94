"""The plan: the spec drafted for a ticket. A person approves exactly one hash of it."""

import hashlib
from enum import StrEnum

from pydantic import Field

from workflows.domain.model import Record


class Risk(StrEnum):
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class PlanDraft(Record):
    """What a planner session submits."""

    summary: str = Field(min_length=1, max_length=2_000)
    """What will be different when the ticket is done, in a few sentences."""
    steps: tuple[str, ...] = Field(min_length=1, max_length=40)
    acceptance: tuple[str, ...] = Field(min_length=1, max_length=40)
    """Criteria a reviewer can check one by one."""
    risk: Risk = Risk.MEDIUM


class Plan(Record):
    """A draft with the revision under which people see it."""

    revision: int
    draft: PlanDraft

    @property
    def hash(self) -> str:
        """Twelve hex digits over revision and content: what an approval names."""
        text = f"{self.revision}\n{self.draft.model_dump_json()}"
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def markdown(self) -> str:
        """The plan as people read it at the gate and on the ticket."""
        steps = "\n".join(f"{n}. {step}" for n, step in enumerate(self.draft.steps, start=1))
        criteria = "\n".join(f"- {criterion}" for criterion in self.draft.acceptance)
        return (
            f"**Plan, revision {self.revision}** (hash `{self.hash}`, risk {self.draft.risk})\n\n"
            f"{self.draft.summary}\n\n{steps}\n\n**Done when**\n\n{criteria}\n"
        )
