"""A running sandbox and what becomes of it."""

# ruff: noqa: PTH103, PTH104, PTH106, PTH123
# pathlib would double the start-up time of every job

import os
import select
import time

from . import bare, egress, entry, process, watch
from .lease import Lease
from .look import Look
from .output import Output
from .spec import JobSpec
from .store import is_own_store

_SETUP_SECONDS = 30.0
_END_SECONDS = 20.0
_TICK = 0.1
_SIGKILL, _SIGCONT, _SIGXFSZ = 9, 18, 25  # by number: importing `signal` would cost a third of the start-up time


class Job:
    """Starts the sandbox, watches it, and writes the exit record when nothing of it is left."""

    def __init__(self, spec: JobSpec, control: int) -> None:
        self._spec = spec
        self._reason = ""
        """Why we stopped it; empty when it ended by itself."""
        self._said = b""
        """What bwrap reported so far."""
        self._init = 0
        """Process 1 of the sandbox, by its host pid; 0 until known."""
        self._init_fd = -1
        """The same by a descriptor, which never means another process, as a number does when its process has died."""
        self._shell = 0
        """The stopped parent of the command."""
        self._command = 0
        self._proxy = 0
        """The process that lets out what the allowlist names; 0: there is none."""
        self._wait_status: int | None = None
        """The command's own, where it could be read."""
        self._oom_events = spec.oom_events
        self._oom = False
        """Whether the kernel had killed for want of memory when the command ended."""
        self._deadline = time.monotonic() + _SETUP_SECONDS
        self._tick = time.monotonic() + _TICK
        self._poll = select.poll()
        self._handlers = {control: self._on_control}
        self._outputs: list[Output] = []
        self._disk = watch.DiskWatch(spec.work, spec.disk, spec.usage)
        self._lease = Lease(spec.lease, spec.idle)
        self._memory: watch.MemoryWatch | None = None

    def run(self) -> None:
        for folder, values in self._spec.cgroups:
            os.makedirs(folder, exist_ok=True)
            for name, value in values:
                _write(f"{folder}/{name}", value)
        self._launch()
        ended = os.pidfd_open(self._bwrap)
        self._poll.register(ended, select.POLLIN)
        for fd in self._handlers:
            self._poll.register(fd, select.POLLIN)
        while ended not in (ready := self._wait()):
            self._watch()
            for fd in ready:
                self._handlers[fd](fd)
        code = os.waitstatus_to_exitcode(os.waitpid(self._bwrap, 0)[1])
        self._bury()
        _write("exit.new", " ".join(map(str, self._record(code))))
        os.rename("exit.new", "exit")
        self._remove_cgroups()

    def _launch(self) -> None:
        out, out_in = os.pipe()
        err, err_in = os.pipe()
        self._status, status_in = os.pipe()
        ready, ready_in = os.pipe()
        go_out, self._go = os.pipe()
        ends = entry.Pipes(_stdin(self._spec.stdin), out_in, err_in, go_out, ready_in, status_in)
        supervisor = os.getpid()
        if not self._spec.bwrap:
            bare.adopt_orphans()
            self._meet(supervisor)  # what a sandbox's first process is: the ancestor of all of the command
        self._bwrap = os.fork()
        if self._bwrap == 0:
            try:
                entry.enter(self._spec, ends, supervisor)
            except BaseException as error:  # whatever it is, this process must not go on as a second supervisor
                os.write(err_in, f"pawl: {error}\n".encode())
            os._exit(70)
        for fd in (ends.stdin, out_in, err_in, go_out, ready_in, status_in):
            os.close(fd)
        self._outputs = [Output(fd, name, self._spec.output_cap) for fd, name in ((out, "out"), (err, "err"))]
        self._handlers |= {out: self._on_output, err: self._on_output}
        self._handlers |= {self._status: self._on_status, ready: self._on_ready}

    def _wait(self) -> list[int]:
        seconds = max(0.0, min(self._tick, self._deadline) - time.monotonic())
        return [fd for fd, _ in self._poll.poll(seconds * 1_000 + 1)]

    def _watch(self) -> None:
        now = time.monotonic()
        if now >= self._deadline:
            self._stop("timeout")
        if now < self._tick:
            return
        if self._command:
            self._check_limits()
        self._tick = time.monotonic() + _TICK

    def _check_limits(self) -> None:
        if watch.oom_kills(self._oom_events) or (self._memory and self._memory.exceeded()):
            self._stop("oom")
        elif self._disk.exceeded():
            self._stop("disk")
        elif self._lease.is_over():
            self._stop("killed")

    def _stop(self, reason: str) -> None:
        """Kill the tree: bwrap's end ends process 1 of the sandbox, and that ends everything in it."""
        self._reason = self._reason or reason
        os.kill(self._bwrap, _SIGKILL)

    def _forget(self, fd: int) -> None:
        self._poll.unregister(fd)
        del self._handlers[fd]
        os.close(fd)

    def _on_control(self, fd: int) -> None:
        os.read(fd, 1)
        self._stop("killed")

    def _on_output(self, fd: int) -> None:
        if not next(output for output in self._outputs if output.fd == fd).pump():
            self._forget(fd)

    def _on_status(self, fd: int) -> None:
        data = os.read(fd, 4096)
        self._said += data
        _, found, after = self._said.partition(b'"child-pid":')
        if found and not self._init and b"," in after:
            self._meet(int(after.split(b",")[0]))
        if not data:
            self._forget(fd)

    def _meet(self, init: int) -> None:
        try:
            self._init_fd = os.pidfd_open(init)
        except ProcessLookupError:
            return
        self._init = init

    def _on_ready(self, fd: int) -> None:
        """The command's shell has arrived inside and waits for our word."""
        arrived = os.read(fd, 1)
        self._forget(fd)
        while arrived and not self._init and self._status in self._handlers:
            self._on_status(self._status)
        shells = watch.children(self._init) if arrived and self._init else []
        commands = watch.children(shells[0]) if shells else []
        if not commands or not self._holds_its_store() or not self._opened_the_way_out():
            return self._stop("")
        self._shell, self._command = shells[0], commands[0]
        command_fd = os.pidfd_open(self._command)
        self._handlers[command_fd] = self._on_command_end
        self._poll.register(command_fd, select.POLLIN)
        if self._spec.launcher:
            self._oom_events = watch.oom_file(self._spec.scope_root, self._bwrap)
        if not self._spec.capped:
            self._memory = watch.MemoryWatch(self._init, self._spec.memory)
        self._disk.look = Look(self._init, self._init_fd, enter=bool(self._spec.bwrap) and os.geteuid() != 0)
        process.halt(self._shell)
        self._deadline = time.monotonic() + self._spec.timeout
        os.write(self._go, b"\n")
        os.close(self._go)
        return None

    def _holds_its_store(self) -> bool:
        if self._spec.store and not is_own_store(self._init):
            self._outputs[1].keep(b"pawl: /work/nix was replaced while the sandbox started\n")
            return False
        return True

    def _opened_the_way_out(self) -> bool:
        if self._spec.egress:
            try:
                self._proxy = egress.start(self._init, self._spec.egress, self._spec.egress_uid)
            except OSError as error:
                self._outputs[1].keep(f"pawl: {error}\n".encode())
                return False
        return True

    def _on_command_end(self, fd: int) -> None:
        """The command is a zombie while its parent is stopped: read how it ended, then let the parent go on."""
        self._forget(fd)
        self._wait_status = process.wait_status(self._command)
        self._oom = watch.oom_kills(self._oom_events) > 0  # a scope goes with its last process
        if self._shell in watch.children(self._init):  # unless the command has killed it
            os.kill(self._shell, _SIGCONT)

    def _bury(self) -> None:
        """Wait until no process of the sandbox is left and all they wrote is kept."""
        deadline = time.monotonic() + _END_SECONDS
        if not self._spec.bwrap:
            bare.end_descendants(deadline)
        elif self._init:
            process.wait_for_death(self._init_fd, deadline)
        if self._proxy:
            egress.stop(self._proxy, deadline - time.monotonic())
        for output in self._outputs:
            if output.fd in self._handlers:
                output.drain()

    def _record(self, code: int) -> tuple[str, int | str, int]:
        truncated = int(any(output.truncated for output in self._outputs))
        if not self._command and self._reason != "killed":
            return "refused", "-", 0
        if self._reason == "disk":  # it grew until it was dead, which the next command is not to be blamed for
            self._disk.measure()
        if self._reason:
            return self._reason, "-", truncated
        if code != 0 and (self._oom or watch.oom_kills(self._oom_events)):
            return "oom", "-", truncated
        number = -code if code < 0 else code - 128
        by_signal = number > 0 and not self._exited_with(code)
        if self._disk.exceeded_at_end() or (by_signal and number == _SIGXFSZ):
            return "disk", "-", truncated
        return ("signalled", number, truncated) if by_signal else ("exited", code, truncated)

    def _exited_with(self, code: int) -> bool:
        """Whether the command itself is known to have ended with this code, by no signal."""
        status = self._wait_status
        return status is not None and os.WIFEXITED(status) and os.WEXITSTATUS(status) == code

    def _remove_cgroups(self) -> None:
        for folder, _ in self._spec.cgroups:
            for _ in range(50):
                try:
                    os.rmdir(folder)
                    break
                except FileNotFoundError:
                    break
                except OSError:  # the kernel still counts the dead
                    time.sleep(0.02)


def _stdin(data: bytes) -> int:
    if not data:
        return os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    fd = os.memfd_create("stdin", os.MFD_CLOEXEC)
    with open(fd, "wb", closefd=False) as file:
        file.write(data)
    os.lseek(fd, 0, os.SEEK_SET)
    return fd


def _write(path: str, text: str) -> None:
    with open(path, "w") as file:
        file.write(text)
