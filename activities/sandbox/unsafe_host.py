"""NO SANDBOX. Commands run on the bare host, as the worker's own user, for machines on which no sandbox can run.

They can read and change whatever the worker can, reach every network it can, and end it. Limits are per process, with
a watchdog for memory and disk; processes are not counted. Only for code one would run oneself.
"""

import json
import os
import re
from datetime import UTC, datetime
from pathlib import Path

from activities.sandbox import files, folders
from activities.sandbox.folders import About
from activities.sandbox.launch import OUTPUT_CAP, STANDARD_PATH
from activities.sandbox.local import LocalSandbox
from activities.sandbox.supervisor.spec import JobSpec
from workflows.ports.sandbox import (
    BadSpec,
    Capabilities,
    Command,
    Denied,
    Network,
    PolicyUnsupported,
    SandboxRef,
    SandboxSpec,
)

CONFIRMATION = "I accept that agents run as me on this machine"
_TIER = "NO SANDBOX: the bare host"
_WORK = re.compile(r"(?<![\w./-])/work(?![\w.-])")
_ARGUMENT_KEPT = 200


class UnsafeHost(LocalSandbox):
    """Commands on the bare host, each with a line in `audit` before it starts.

    `confirmation` must be the sentence CONFIRMATION, letter by letter: raises BadSpec otherwise. There is no
    /work here, so /work in arguments, folder and variables of a command is replaced by the real folder; what a command
    says about itself names that one.
    """

    name = "unsafe-host"

    def __init__(self, root: Path, audit: Path, confirmation: str, path_prefix: str = "") -> None:
        if confirmation != CONFIRMATION:
            raise BadSpec(
                "Commands run on the bare host only for who says so: PAWL_UNSAFE_HOST must be exactly "
                f"`{CONFIRMATION}`. Better: install bubblewrap and leave it away."
            )
        super().__init__(root)
        self._audit = audit
        self._path = f"{path_prefix}:{STANDARD_PATH}" if path_prefix else STANDARD_PATH

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(network=Network.NONE, kill=True, snapshot=False, hard_limits=False, tier=_TIER)

    async def ensure(self, spec: SandboxSpec) -> SandboxRef:
        if spec.egress:
            raise PolicyUnsupported(f"{_TIER}: nothing keeps commands to the allowlist, which names {spec.egress[0]}.")
        if spec.snapshot:
            raise PolicyUnsupported(f"{_TIER}: there are no snapshots, and {spec.snapshot!r} is asked for.")
        return await super().ensure(spec)

    async def snapshot(self, ref: SandboxRef) -> str:
        raise PolicyUnsupported(f"{_TIER}: it keeps no snapshots.")

    async def forget(self, reference: str) -> None:
        raise PolicyUnsupported(f"{_TIER}: it keeps no snapshots, and {reference!r} is none.")

    def _make(self, spec: SandboxSpec) -> About:
        def fill(folder: Path) -> None:
            self._write_down("sandbox made", spec.key, labels=spec.labels)
            folders.give_home(folder, None)

        return folders.make(self._root, spec, None, fill)

    def _job_spec(self, job: Path, about: About, command: Command) -> JobSpec:
        sandbox, limits = job.parent.parent, about.limits
        work = str(sandbox / "work")
        argv = [_WORK.sub(work, part) for part in command.argv]
        if not (job / "started").exists():
            shown = [part[:_ARGUMENT_KEPT] for part in argv]
            self._write_down("command started", sandbox.name, job=job.name, argv=shown)
        environment = {
            "PATH": self._path,
            "HOME": f"{files.WORK}/home",
            "USER": "pawl",
            "LANG": "C.UTF-8",
        } | command.env
        return JobSpec(
            bwrap="",
            options=[],
            staged=[],
            store=False,
            files=[],
            argv=argv,
            cwd=_WORK.sub(work, command.cwd),
            stdin=command.stdin,
            uid=None,
            timeout=min(command.timeout_seconds, limits.seconds),
            memory=limits.memory_mb << 20,
            processes=limits.processes,
            disk=limits.disk_mb << 20,
            output_cap=OUTPUT_CAP,
            work=work,
            usage=str(sandbox / "usage"),
            lease=str(sandbox / folders.LEASE),
            idle=about.idle_seconds,
            cgroups=[],
            oom_events="",
            launcher=[],
            environment={name: _WORK.sub(work, value) for name, value in environment.items()},
            scope_root="",
            egress=[],
            egress_uid=None,
        )

    def _write_down(self, what: str, key: str, **more: object) -> None:
        """One line of JSON. Raises Denied where it cannot be written: then nothing runs."""
        line = {"at": datetime.now(UTC).isoformat(), "what": what, "sandbox": key, "user": os.getuid(), **more}
        try:
            fd = os.open(self._audit, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            with os.fdopen(fd, "wb") as file:
                file.write(json.dumps(line).encode() + b"\n")
        except OSError as error:
            raise Denied(f"{_TIER}: nothing runs there unless {self._audit} can be written: {error}") from error
