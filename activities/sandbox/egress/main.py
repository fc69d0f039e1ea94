"""The proxy's process: it becomes nobody, serves the listener it was given and writes down what it decides."""

import asyncio
import ctypes
import os
import resource
import socket
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from activities.sandbox.egress.log import Log
from activities.sandbox.egress.proxy import Proxy
from workflows.domain import egress

_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS = 1, 38
_SIGKILL = 9
_MEMORY = 512 << 20
_WRITTEN = 64 << 20
"""Bytes of the log, several times what all decisions of a job need. A write beyond fails, and nothing leaves."""


def main(words: Sequence[str]) -> None:
    """Runs until it is killed. `words`: the supervisor's process id, whose end is ours; the uid to become or `-`; the
    descriptors of listener and log; the rules."""
    supervisor, uid, listener, log, *rules = words
    with ThreadPoolExecutor(1) as threads:  # loads what looking names up needs, while we may still read our program
        threads.submit("localhost".encode, "idna").result()
    _become(None if uid == "-" else int(uid), int(supervisor))
    proxy = Proxy([egress.parse(rule) for rule in rules], Log(int(log)))
    asyncio.run(proxy.serve(socket.socket(fileno=int(listener))))


def _become(uid: int | None, supervisor: int) -> None:
    if uid is not None:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    libc = ctypes.CDLL(None)
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    libc.prctl(_PR_SET_PDEATHSIG, _SIGKILL, 0, 0, 0)  # after the uid change, which clears it
    if os.getppid() != supervisor:
        raise SystemExit("The supervisor died.")
    resource.setrlimit(resource.RLIMIT_DATA, (_MEMORY, _MEMORY))
    resource.setrlimit(resource.RLIMIT_FSIZE, (_WRITTEN, _WRITTEN))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
