"""The way out of a sandbox: a listener inside its network, which is otherwise closed, and a proxy outside at it."""

# ruff: noqa: PTH100, PTH116, PTH120, PTH208
# pathlib would double the start-up time of every job

import ctypes
import fcntl
import os
import select
import socket
import sys

_BOOT = "import sys; sys.path.append(sys.argv[1]); from activities.sandbox.egress.main import main; main(sys.argv[2:])"
_ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
PORT = 3128
"""Of the proxy on the sandbox's own loopback address."""
_LISTENER, _LOG = 3, 4
_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000
_NS_GET_USERNS = 0xB701
ROOM = 8 << 20
"""Bytes that all jobs of a sandbox together may have written down of what they asked for."""
_LEAST_SECONDS = 1.0
_SIGKILL, _SIGTERM = 9, 15


def start(init: int, rules: list[str], uid: int | None) -> int:
    """Serve the sandbox whose first process is `init`; the proxy's process id. `uid`: who the proxy becomes, None when
    it stays who we are. Raises OSError: then there is no way out."""
    listener = _listener_inside(init)
    log = os.open("egress", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    who = "-" if uid is None else str(uid)
    told = [str(os.getpid()), who, str(_LISTENER), str(_LOG), str(ROOM - _written()), *rules]
    words = [sys.executable, "-I", "-S", "-c", _BOOT, _ROOT, *told]
    pid = os.fork()
    if pid == 0:
        try:
            kept = [(fcntl.fcntl(fd, fcntl.F_DUPFD, 20), at) for fd, at in ((listener, _LISTENER), (log, _LOG))]
            for fd, at in kept:
                os.dup2(fd, at)
                os.close(fd)
            os.execve(sys.executable, words, {"LANG": "C.UTF-8"})  # noqa: S606  # an argument list, no shell
        finally:
            os._exit(70)
    os.close(listener)
    os.close(log)
    return pid


def stop(pid: int, seconds: float) -> None:
    """It writes down what went through the connections that are open, and ends. That is quick, except on a machine
    that is busy; when it takes too long the last counts are lost."""
    ended = os.pidfd_open(pid)
    os.kill(pid, _SIGTERM)
    if not select.select([ended], [], [], max(seconds, _LEAST_SECONDS))[0]:
        os.kill(pid, _SIGKILL)
    os.close(ended)
    os.waitpid(pid, 0)


def _written() -> int:
    """Bytes that all jobs of this sandbox have written so far."""
    total = 0
    for job in os.listdir(".."):
        try:
            total += os.stat(f"../{job}/egress").st_size
        except FileNotFoundError:  # it may reach nothing, or has not asked
            continue
    return total


def _listener_inside(init: int) -> int:
    """A socket that listens on the loopback of the sandbox's network. A process of its own goes there to open it."""
    ours, theirs = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        try:
            _enter_network(init)
            listener = socket.create_server(("127.0.0.1", PORT), backlog=256)
            socket.send_fds(theirs, [b"+"], [listener.fileno()])
            os._exit(0)
        except OSError as error:
            theirs.send(f"-{error}".encode())
        finally:
            os._exit(70)
    theirs.close()
    said, fds, _, _ = socket.recv_fds(ours, 1_000, 1)
    os.waitpid(pid, 0)
    ours.close()
    if not fds:
        raise OSError(f"the sandbox's network cannot be entered: {said[1:].decode(errors='replace') or 'no answer'}")
    os.set_inheritable(fds[0], False)
    return fds[0]


def _enter_network(init: int) -> None:
    """Root may enter any network; others first become the owner of the user namespace it belongs to."""
    libc = ctypes.CDLL(None, use_errno=True)
    network = os.open(f"/proc/{init}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    if os.geteuid() != 0:
        owner = fcntl.ioctl(network, _NS_GET_USERNS)
        _check(libc.setns(owner, _CLONE_NEWUSER))
    _check(libc.setns(network, _CLONE_NEWNET))


def _check(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
