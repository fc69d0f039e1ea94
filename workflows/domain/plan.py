"""The plan: the spec drafted for a ticket. A person approves exactly one hash of it."""

import hashlib
from enum import StrEnum

from pydantic import Field

from workflows.domain.model import Record


class Risk(StrEnum):
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class Spike(Record):
    """Something that must be found out by people or by other work."""

    question: str = Field(min_length=1, max_length=200)
    why: str = Field(min_length=1, max_length=1_000, description="What depends on the answer.")


class PlanDraft(Record):
    """What a planner session submits."""

    summary: str = Field(min_length=1, max_length=2_000)
    """What will be different when the ticket is done, in a few sentences."""
    steps: tuple[str, ...] = Field(min_length=1, max_length=40)
    acceptance: tuple[str, ...] = Field(min_length=1, max_length=40)
    """Criteria a reviewer can check one by one."""
    risk: Risk = Risk.MEDIUM
    spikes: tuple[Spike, ...] = Field(
        default=(),
        max_length=5,
        description="Rarely any: what others must find out before or beside the build. Each becomes a ticket.",
    )


class Plan(Record):
    """A draft with the revision under which people see it."""

    revision: int
    draft: PlanDraft

    @property
    def hash(self) -> str:
        """Twelve hex digits over revision and content: what an approval names."""
        drafted = self.draft.model_dump_json(exclude=None if self.draft.spikes else {"spikes"})  # as it ever was
        text = f"{self.revision}\n{drafted}"
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def markdown(self) -> str:
        """The plan as people read it at the gate and on the ticket."""
        steps = "\n".join(f"{n}. {step}" for n, step in enumerate(self.draft.steps, start=1))
        criteria = "\n".join(f"- {criterion}" for criterion in self.draft.acceptance)
        asked = "\n".join(f"- {spike.question} ({spike.why})" for spike in self.draft.spikes)
        spikes = f"\n**To be found out, each in a ticket of its own**\n\n{asked}\n" if asked else ""
        return (
            f"**Plan, revision {self.revision}** (hash `{self.hash}`, risk {self.draft.risk})\n\n"
            f"{self.draft.summary}\n\n{steps}\n\n**Done when**\n\n{criteria}\n{spikes}"
        )
