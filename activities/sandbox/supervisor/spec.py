"""What a supervisor is told about its job, as it crosses from the worker: one file, written once."""

import marshal


class JobSpec:
    """Everything is decided by the worker; the supervisor only carries it out.

    Not a pydantic model, because the supervisor must not import one. The format is private to one Python
    interpreter: worker and supervisor are always the same one.
    """

    def __init__(
        self,
        *,
        bwrap: str,
        options: list[str],
        staged: list[tuple[str, str]],
        store: bool,
        files: list[tuple[str, str]],
        argv: list[str],
        cwd: str,
        stdin: bytes,
        uid: int | None,
        timeout: float,
        memory: int,
        processes: int,
        disk: int,
        output_cap: int,
        work: str,
        usage: str,
        lease: str,
        idle: float,
        cgroups: list[tuple[str, list[tuple[str, str]]]],
        oom_events: str,
        launcher: list[str],
        environment: dict[str, str],
        scope_root: str,
        egress: list[str],
        egress_uid: int | None,
    ) -> None:
        self.bwrap = bwrap
        """The program; empty: there is NO SANDBOX, the command runs on the bare host."""
        self.options = options
        """bwrap's options, without those that need file descriptors."""
        self.staged = staged
        """(host path, path where the options expect it): bound as root before the uid is dropped."""
        self.store = store
        """Whether /work/nix is shown at /nix."""
        self.files = files
        """(path in the sandbox, text): small files made for the sandbox."""
        self.argv = argv
        self.cwd = cwd
        self.stdin = stdin
        self.uid = uid
        """The spare uid (and gid) to run as; None: stay who we are."""
        self.timeout = timeout
        """Seconds of wall time for the command."""
        self.memory = memory
        """Bytes for the whole tree."""
        self.processes = processes
        self.disk = disk
        """Bytes for all of /work."""
        self.output_cap = output_cap
        """Bytes kept of each of standard output and error."""
        self.work = work
        """The host folder that is /work."""
        self.usage = usage
        """File with the bytes /work held when it was last measured."""
        self.lease = lease
        """The file that is touched whenever the sandbox is asked for something."""
        self.idle = idle
        """Seconds without that after which the command is ended."""
        self.cgroups = cgroups
        """(folder to make, [(file, value)]); empty: no cgroup is writable, limits and watchdog are used instead."""
        self.oom_events = oom_events
        """The file of the cgroup that counts `oom_kill`."""
        self.launcher = launcher
        """What runs bwrap in a systemd scope; empty: bwrap is run as it is."""
        self.environment = environment
        """Of the first program that is run: the launcher's, or the command's own where there is no sandbox."""
        self.scope_root = scope_root
        """Where the scope's control group is found, by the path the kernel gives for its processes."""
        self.egress = egress
        """The allowlist; empty: no network at all."""
        self.egress_uid = egress_uid
        """The spare uid of the proxy that enforces it; None: it stays who we are."""

    @property
    def capped(self) -> bool:
        """Whether the kernel caps memory and processes of the whole tree."""
        return bool(self.cgroups or self.launcher)

    def dumps(self) -> bytes:
        return marshal.dumps(vars(self))

    @staticmethod
    def loads(data: bytes) -> "JobSpec":
        return JobSpec(**marshal.loads(data))  # noqa: S302 - written by our own worker, in a folder only it can write
