"""The proxy's process: it becomes nobody, serves the listener it was given and writes down what it decides."""

import asyncio
import ctypes
import os
import resource
import signal
import socket
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from activities.sandbox.egress.log import Log
from activities.sandbox.egress.proxy import Proxy
from workflows.domain import egress

_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS = 1, 38
_MEMORY = 512 << 20
_WRITTEN = 64 << 20
"""Bytes of the log, several times what a job is given. A write beyond fails, and nothing leaves."""


def main(words: Sequence[str]) -> None:
    """Runs until it is told to end. `words`: the supervisor's process id, whose end is ours; the uid to become or `-`;
    the descriptors of listener and log; the bytes that may be logged; the rules."""
    supervisor, uid, listener, log, room, *rules = words
    with ThreadPoolExecutor(1) as threads:  # loads what looking names up needs, while we may still read our program
        threads.submit("localhost".encode, "idna").result()
    _become(None if uid == "-" else int(uid), int(supervisor))
    asyncio.run(_serve([egress.parse(rule) for rule in rules], Log(int(log), int(room)), int(listener)))


async def _serve(rules: Sequence[egress.Rule], log: Log, listener: int) -> None:
    def end() -> None:
        log.close()
        os._exit(0)  # at once: what is written down and what has left stay the same

    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, end)
    await Proxy(rules, log).serve(socket.socket(fileno=listener))


def _become(uid: int | None, supervisor: int) -> None:
    if uid is not None:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    libc = ctypes.CDLL(None)
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)  # after the uid change, which clears it
    if os.getppid() != supervisor:
        raise SystemExit("The supervisor died.")
    resource.setrlimit(resource.RLIMIT_DATA, (_MEMORY, _MEMORY))
    resource.setrlimit(resource.RLIMIT_FSIZE, (_WRITTEN, _WRITTEN))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
