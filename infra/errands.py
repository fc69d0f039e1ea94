"""What a process of its own does for commands, which load no adapters: see activities/errands.py."""

import os
import subprocess
import sys
from typing import TypeVar

from pydantic import Field

from infra.exits import Exit, OutOfReach, PawlError
from infra.parts import ROOT, Part, environment
from infra.settings import Settings
from workflows.domain.model import Record

_SECONDS = 60
R = TypeVar("R", bound=Record)


class LinearWanted(Record):
    """What `init-linear` is told."""

    connection: str
    webhook_url: str = ""
    """Empty: no webhook."""
    webhook_secret: str = Field(default="", repr=False)
    agreed: tuple[str, ...] | None = None
    """The steps a person has seen and wants; None: only say them."""


class LinearSteps(Record):
    """What `init-linear` answers: what is missing, or what was made, a sentence each."""

    steps: tuple[str, ...] = ()
    webhook: bool = False
    """Whether the webhook is one of them."""


class Problem(Record):
    """Why an errand has no answer, in the terms of commands."""

    exit: Exit
    cause: str
    next_step: str = ""


class Reach(Record):
    """What a connection's service says of one cheap question."""

    name: str
    who: str = ""
    """As whom it lets us in; empty where it does not tell, or there is a problem."""
    ours: str = ""
    """By which id or login it knows us, as `connections.toml` would have it."""
    problem: Problem | None = None


class Reached(Record):
    """What `reach` answers."""

    connections: tuple[Reach, ...] = ()


_KINDS = {kind.exit: kind for kind in PawlError.__subclasses__()}


def errand(settings: Settings, name: str, told: str = "") -> subprocess.CompletedProcess[str]:
    """Run it to its end, with what a worker sees, and with what it is `told` on its standard input. Raises
    subprocess.TimeoutExpired after 60 s without an end."""
    argv = [sys.executable, "-m", "activities.errands", name]
    env = environment(settings, Part.WORKER, os.environ)
    return subprocess.run(
        argv, input=told, capture_output=True, text=True, timeout=_SECONDS, check=False, cwd=ROOT, env=env
    )


def answer(settings: Settings, name: str, kind: type[R], told: Record | None = None) -> R:
    """What an errand answers. Raises the PawlError that ended it, OutOfReach when it ended without a word."""
    try:
        ran = errand(settings, name, told.model_dump_json() if told else "")
    except subprocess.TimeoutExpired:
        raise OutOfReach(f"There was no answer within {_SECONDS} s.", "Try it again.") from None
    said = ran.stdout.strip().rpartition("\n")[2]
    try:
        if ran.returncode == 0:
            return kind.model_validate_json(said)
        problem = Problem.model_validate_json(said)
    except ValueError:
        last = ran.stderr.strip().rpartition("\n")[2][:300]
        raise PawlError(f"Pawl made a mistake: {last or f'no answer, exit {ran.returncode}'}") from None
    raise _KINDS.get(problem.exit, PawlError)(problem.cause, problem.next_step)
