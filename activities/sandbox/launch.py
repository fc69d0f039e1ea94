"""From a command to what its supervisor is told: bwrap's options, limits, groups."""

import stat
from pathlib import Path

from activities.sandbox import files, folders, mounts
from activities.sandbox.cgroups import Cgroups
from activities.sandbox.folders import About
from activities.sandbox.mounts import Mount
from activities.sandbox.scopes import Scopes
from activities.sandbox.supervisor.egress import PORT
from activities.sandbox.supervisor.spec import JobSpec
from workflows.domain.model import Record
from workflows.domain.policy import SandboxLimits
from workflows.ports.sandbox import BadSpec, Command

STANDARD_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

_ISOLATION = (
    "--unshare-user --unshare-ipc --unshare-pid --unshare-net --unshare-uts --unshare-cgroup-try --disable-userns "
    f"--uid {mounts.USER_ID} --gid {mounts.USER_ID} --hostname sandbox --cap-drop ALL --new-session "
    "--die-with-parent --clearenv"
).split()
OUTPUT_CAP = 16 << 20
"""Bytes kept of each stream."""
_MAX_ARGUMENT = 128 * 1024 - 1
"""The kernel's limit for one argument."""
_MAX_ARGUMENTS = 1 << 20
_MAX_STDIN = 64 << 20
_SHARED_MEMORY_MB = 64
_TEMPORARY = "/tmp"  # noqa: S108 - a path inside the sandbox


_PROXY = f"http://127.0.0.1:{PORT}"
_PROXIED = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), _PROXY) | {
    "no_proxy": "",
    "NO_PROXY": "",
    "NODE_USE_ENV_PROXY": "1",  # Node asks no variable of its own accord
}
"""What programs read to find their way out."""


class Shown(Record):
    """What every sandbox of a provider shares."""

    mounts: tuple[Mount, ...]
    path: str
    cgroups: Cgroups | None
    scopes: Scopes | None


def job_spec(bwrap: str, job: Path, about: About, shown: Shown, command: Command) -> JobSpec:
    """`job` is the job's folder, two levels below its sandbox's."""
    sandbox, limits = job.parent.parent, about.limits
    binds = [("--bind", str(sandbox / "work"), files.WORK)]
    binds += [("--ro-bind", str(mount.source.resolve()), mount.target) for mount in shown.mounts]
    store = _has_store(sandbox / "work")
    if store:
        binds.append(("--bind", str(sandbox / "work/nix"), "/nix"))
    staged: list[tuple[str, str]] = []
    if about.uid is not None:
        staged = [(source, f"{_TEMPORARY}/{n}") for n, (_, source, _) in enumerate(binds)]
        binds = [(how, path, target) for (how, _, target), (_, path) in zip(binds, staged, strict=True)]
        staged.append((bwrap, f"{_TEMPORARY}/bwrap"))
        bwrap = f"{_TEMPORARY}/bwrap"
    environment = _environment(shown.path, command, about.egress)
    name = f"{about.instance}/{job.name}"
    return JobSpec(
        bwrap=bwrap,
        options=[
            *_ISOLATION,
            *_own_file_systems(limits),
            *mounts.system_options(),
            *(part for bind in binds for part in bind),
            *(part for variable in environment.items() for part in ("--setenv", *variable)),
        ],
        staged=staged,
        store=store,
        files=mounts.system_files(),
        argv=list(command.argv),
        cwd=command.cwd,
        stdin=command.stdin,
        uid=about.uid,
        timeout=min(command.timeout_seconds, limits.seconds),
        memory=limits.memory_mb << 20,
        processes=limits.processes,
        disk=limits.disk_mb << 20,
        output_cap=OUTPUT_CAP,
        work=str(sandbox / "work"),
        usage=str(sandbox / "usage"),
        lease=str(sandbox / folders.LEASE),
        idle=about.idle_seconds,
        cgroups=shown.cgroups.plan(name, limits) if shown.cgroups else [],
        oom_events=shown.cgroups.oom_events(name) if shown.cgroups else "",
        launcher=shown.scopes.launcher(limits) if shown.scopes else [],
        environment=shown.scopes.environment if shown.scopes else {},
        scope_root=str(shown.scopes.root) if shown.scopes else "",
        egress=list(about.egress),
        egress_uid=None if about.uid is None else about.uid + folders.SPARE_UIDS,
    )


def _has_store(work: Path) -> bool:
    """Whether there is a folder to show at /nix, where programs of a nix store look for each other."""
    try:
        return stat.S_ISDIR((work / "nix").lstat().st_mode)
    except FileNotFoundError:
        return False


def require_sane(command: Command) -> None:
    """Raises BadSpec for what no kernel would run."""
    texts = [*command.argv, command.cwd, *command.env, *command.env.values()]
    if not command.argv or any("\0" in text for text in texts) or not command.cwd.startswith("/"):
        raise BadSpec("A command needs at least one argument, an absolute folder, and no NUL characters.")
    sizes = [len(text.encode()) for text in texts]
    if max(sizes) > _MAX_ARGUMENT or sum(sizes) > _MAX_ARGUMENTS:
        raise BadSpec("The command line is too long for the kernel. Write the long part to a file and pass its path.")
    if len(command.stdin) > _MAX_STDIN:
        raise BadSpec(f"Standard input is larger than {_MAX_STDIN:,} bytes. Write it to a file and pass its path.")
    if any("=" in name or not name for name in command.env) or command.timeout_seconds <= 0:
        raise BadSpec("Names of environment variables are not empty and hold no `=`; a timeout is above zero.")


def _own_file_systems(limits: SandboxLimits) -> list[str]:
    """Whatever lives in memory has a size, and nothing else there is writable."""
    temporary = max(16, min(limits.disk_mb, limits.memory_mb // 2)) << 20
    shared = min(_SHARED_MEMORY_MB, limits.memory_mb) << 20
    return (
        f"--proc /proc --dev /dev --size {shared} --tmpfs /dev/shm --remount-ro /dev "
        f"--size {temporary} --tmpfs {_TEMPORARY} --dir /run --dir /var --symlink ../tmp /var/tmp"
    ).split()


def _environment(path: str, command: Command, egress: tuple[str, ...]) -> dict[str, str]:
    standard = {"PATH": path, "HOME": mounts.HOME, "USER": "pawl", "LANG": "C.UTF-8", "TMPDIR": _TEMPORARY}
    return standard | (_PROXIED if egress else {}) | command.env
