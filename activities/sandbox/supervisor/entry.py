"""From the sandbox-less child to bwrap: cgroup, staging of host folders, spare uid, limits, clean descriptors."""

# ruff: noqa: PTH102, PTH123
# pathlib would double the start-up time of every job

import ctypes
import fcntl
import os
import resource
import stat

from .sockets import socket_filter
from .spec import JobSpec

# A shell stays as the command's parent and is stopped while the command runs, so that the ended command stays a
# zombie until the supervisor has read its true wait status: bwrap itself reports `exit 137` and SIGKILL alike.
_WRAPPER = """
exec 5>&2 2>/dev/null
(
    exec 2>&5 5>&-
    echo >&4; exec 4>&-
    read -r _ <&3; exec 3<&-
    [ "$1" = 0 ] || ulimit -u "$1" 2>/dev/null || ulimit -p "$1" || exit 126
    cd -- "$2" || exit 126
    shift 2; unset OLDPWD
    exec "$@"
)
exit $?
"""
_GO, _READY = 3, 4
_STAGE = "/tmp"  # noqa: S108 - covered by an empty tmpfs in a private mount namespace
_CLONE_NEWNS = 0x00020000
_MS_REC_PRIVATE = 0x4000 | 0x40000
_MS_BIND_REC = 0x1000 | 0x4000
_PR_SET_PDEATHSIG = 1
_SIGKILL = 9
_LAST_SIGNAL = 64
_SIG_SETMASK, _NO_SIGNALS = 2, bytes(128)
_OPEN_FILES = 8_192
_REAL_TIME = (os.SCHED_FIFO, os.SCHED_RR)
_FIRST_TO_DIE = "1000"
_NO_CORE = 1
"""Bytes: no file, and no program that the host starts to take the core, which 0 would not prevent (core(5))."""


class Pipes:
    """The child's ends, all close-on-exec until `enter` hands them over."""

    def __init__(self, stdin: int, out: int, err: int, go: int, ready: int, status: int) -> None:
        self.stdin, self.out, self.err, self.go, self.ready, self.status = stdin, out, err, go, ready, status


def enter(spec: JobSpec, pipes: Pipes, supervisor: int) -> None:
    """Become bwrap. Only returns by raising: then nothing of the command has run."""
    libc = ctypes.CDLL(None, use_errno=True)
    _join(spec.cgroups)
    _yield_to_others()
    if spec.uid is not None:
        _stage(libc, spec.staged)
        os.setgroups([])
        os.setresgid(spec.uid, spec.uid, spec.uid)
        os.setresuid(spec.uid, spec.uid, spec.uid)
    libc.prctl(_PR_SET_PDEATHSIG, _SIGKILL, 0, 0, 0)  # after the uid change, which clears it
    if os.getppid() != supervisor:
        raise RuntimeError("The supervisor died.")
    _limit(spec)
    # What Python or the worker's starter ignores or blocks, the command must not ignore or block.
    for number in range(1, _LAST_SIGNAL + 1):
        libc.signal(number, None)
    libc.sigprocmask(_SIG_SETMASK, _NO_SIGNALS, None)
    os.umask(0o022)
    # The shell limits the processes, from inside: the same limit on bwrap would count all that the user runs outside.
    processes = spec.processes if spec.bwrap and not spec.capped else 0
    command = ["/bin/sh", "-c", _WRAPPER, "sh", str(processes), spec.cwd, *spec.argv]
    argv = [*_hand_over(spec, pipes), *command]
    os.execve(argv[0], argv, spec.environment)  # noqa: S606  # an argument list, no shell


def _join(cgroups: list[tuple[str, list[tuple[str, str]]]]) -> None:
    for folder, _ in cgroups:
        with open(f"{folder}/cgroup.procs", "w") as procs:
            procs.write("0")


def _stage(libc: ctypes.CDLL, staged: list[tuple[str, str]]) -> None:
    """Show the host folders at paths the spare uid can reach, whatever the modes above them, to this child alone."""
    _check(libc.unshare(_CLONE_NEWNS), "unshare")
    _check(libc.mount(b"none", b"/", None, _MS_REC_PRIVATE, None), "mount private")
    sources = [os.open(source, os.O_PATH | os.O_CLOEXEC) for source, _ in staged]  # before /tmp is covered
    _check(libc.mount(b"pawl", _STAGE.encode(), b"tmpfs", 0, b"mode=0755,size=1m"), "mount tmpfs")
    for source, (path, target) in zip(sources, staged, strict=True):
        if stat.S_ISDIR(os.fstat(source).st_mode):
            os.mkdir(target)
        else:
            os.close(os.open(target, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o644))
        seen = f"/proc/self/fd/{source}".encode()
        _check(libc.mount(seen, target.encode(), None, _MS_BIND_REC, None), f"bind {path}")


def _check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def _yield_to_others() -> None:
    """Whatever precedence the worker has: the command takes no processor from others, and is the first to end when the
    machine runs out of memory."""
    with open("/proc/self/oom_score_adj", "w") as file:
        file.write(_FIRST_TO_DIE)
    if os.sched_getscheduler(0) in _REAL_TIME:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    os.setpriority(os.PRIO_PROCESS, 0, max(0, os.getpriority(os.PRIO_PROCESS, 0)))


def _limit(spec: JobSpec) -> None:
    """Per-process limits. RLIMIT_DATA rather than RLIMIT_AS: runtimes reserve far more addresses than they use."""
    _cap(resource.RLIMIT_CORE, _NO_CORE)
    _cap(resource.RLIMIT_FSIZE, spec.disk)
    _cap(resource.RLIMIT_NOFILE, _OPEN_FILES)
    _cap(resource.RLIMIT_RTPRIO, 0)
    _cap(resource.RLIMIT_NICE, 0)
    if not spec.capped:
        _cap(resource.RLIMIT_DATA, spec.memory)


def _cap(which: int, value: int) -> None:
    hard = resource.getrlimit(which)[1]
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(which, (value, value))


def _hand_over(spec: JobSpec, pipes: Pipes) -> list[str]:
    """Put the pipes where the command and bwrap expect them; what makes the sandbox, to be put before the command."""
    stdin, out, err, go, ready, status = (
        fcntl.fcntl(fd, fcntl.F_DUPFD, 20)
        for fd in (pipes.stdin, pipes.out, pipes.err, pipes.go, pipes.ready, pipes.status)
    )
    sandbox = [*spec.launcher, spec.bwrap, "--args", str(_options(spec, status)), "--"] if spec.bwrap else []
    for source, target in ((stdin, 0), (out, 1), (err, 2), (go, _GO), (ready, _READY)):
        os.dup2(source, target)
        os.close(source)
    return sandbox


def _options(spec: JobSpec, status: int) -> int:
    """The descriptor of bwrap's options: on its command line the sandbox could read them."""
    options = [*spec.options, "--json-status-fd", str(status), "--seccomp", str(_memory_file(socket_filter()))]
    for path, text in spec.files:
        options += ["--perms", "0644", "--file", str(_memory_file(text.encode())), path]
    options += ["--remount-ro", "/"]  # last: every mount point above is made in it
    return _memory_file(b"".join(option.encode() + b"\0" for option in options))


def _memory_file(data: bytes) -> int:
    fd = os.memfd_create("pawl", 0)
    with open(fd, "wb", closefd=False) as file:
        file.write(data)
    os.lseek(fd, 0, os.SEEK_SET)
    moved = fcntl.fcntl(fd, fcntl.F_DUPFD, 20)
    os.close(fd)
    return moved
