"""`python -m tests.system.crash.killable_worker`: the real worker, with points at which it can be killed."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from temporalio import activity

import worker
from activities import interceptor
from activities.agent import models
from activities.forge import bare_git
from activities.forge.pulls import Pull, Pulls
from activities.git.clones import TrustedClones
from activities.journal.sql import SqlJournal
from activities.sandbox import folders
from activities.sandbox.bubblewrap import BubblewrapSandbox
from activities.workspace.checkout import SandboxCheckout
from infra import cards
from infra.temporal import exit_now
from tests.system.crash.switch import Switch, Victim
from tests.system.crash.wrapping import Call, around
from workflows.ports.journal import Entry


def ticket_of(workflow_id: str) -> str:
    """`ticket:board:K1` and `session:K1.5f0c2a11.builder1` are both K1's."""
    return workflow_id.rpartition(":")[2].partition(".")[0]


class Points:
    """Names points `step: what`, after the activity that is under way."""

    def __init__(self, switch: Switch) -> None:
        self._switch = switch

    def past(self, what: str) -> None:
        if activity.in_activity():
            info = activity.info()
            self._switch.past(ticket_of(info.workflow_id or ""), f"{info.activity_type}: {what}")

    def in_flow(self, what: str) -> Call:
        """Around a workflow task: what it decides is told to the server when it has ended."""

        def passing(flow: Any, *_: object) -> None:
            self._switch.past(ticket_of(flow.instance_details.info.workflow_id), f"flow: {what}")

        return passing

    def named(self, what: str) -> Call:
        return lambda *_args, **_named: self.past(what)

    def of_entry(self, what: str) -> Call:
        def passing(_journal: object, entry: Entry) -> None:
            self.past(f"{what} {entry.kind}")

        return passing

    def of_job(self, what: str) -> Call:
        def passing(_sandbox: object, _ref: object, job: str, *_: object) -> None:
            self.past(f"{what} {kind_of(job)}")

        return passing

    def of_card(self, path: Path, _data: bytes) -> None:
        self.past("card written" if path.suffix == ".md" else "card noted")


def kind_of(job: str) -> str:
    """Of a job id: `run:check-1` is a check, `run:...` a command of the agent, else the word before the colon."""
    kind, _, rest = job.partition(":")
    return "check" if rest.startswith("check-") else kind


def lay_points(points: Points) -> None:
    past = points.named
    step: Any = vars(interceptor)["_Step"]
    around(step, "execute_activity", before=past("begun"), after=past("done"))
    around(SqlJournal, "put", before=points.of_entry("before journaling"), after=points.of_entry("journaled"))
    _lay_stream_points(points)
    around(folders, "make", after=past("sandbox made"))
    around(BubblewrapSandbox, "start", before=points.of_job("before starting"), after=points.of_job("started"))
    around(SandboxCheckout, "write", before=past("before file is written"), after=past("file written"))
    around(SandboxCheckout, "keep_state", after=past("state kept"))
    around(BubblewrapSandbox, "destroy", before=past("before destroying"), after=past("destroyed"))
    around(folders, "take_away", after=past("sandbox taken away"))
    around(TrustedClones, "push", before=past("before push"), after=past("pushed"))
    around(Pulls, "create", after=past("pull request drafted"))
    around(Pull, "save", before=past("before saving"), after=past("saved"))
    around(bare_git, "commit_tree", after=past("merge commit made"))
    around(cards, "replace_file", after=points.of_card)
    flow: Any = vars(import_module("temporalio.worker.workflow_sandbox._runner"))["_Instance"]
    around(flow, "activate", before=points.in_flow("task begun"), after=points.in_flow("task done"))


def _lay_stream_points(points: Points) -> None:
    """Every event of a streamed answer is a point."""
    whole = models.model_request_stream

    @asynccontextmanager
    async def request_stream(*args: Any, **named: Any) -> AsyncGenerator[Any]:
        async with whole(*args, **named) as stream:
            yield _Watched(stream, points)

    models.model_request_stream = request_stream


class _Watched:
    def __init__(self, stream: Any, points: Points) -> None:
        self._stream, self._points = stream, points
        self.get = stream.get

    async def __aiter__(self) -> AsyncIterator[Any]:
        async for event in self._stream:
            self._points.past("streaming")
            yield event


if __name__ == "__main__":
    lay_points(Points(Switch(Victim.WORKER)))
    exit_now(worker.main())
