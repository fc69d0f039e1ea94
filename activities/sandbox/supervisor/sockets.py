"""Which calls a command may not make, though a sandbox of namespaces would let it.

Linux routes vsock past every namespace, so a virtual machine's host would be reachable: opening such a socket fails,
and so do the ways around the check (io_uring, foreign system call tables). A tracer may ask that the traced waits for
it on its way out, even when it is killed, so that process 1 of a sandbox would never die and all in it live on: that
option fails, the rest of ptrace works. The kernel's keyrings know no namespace and are inherited from the worker: all
of their calls fail. A crash may start a program on the host, as root, unless the limit of core files is exactly one
byte: who sets that limit is told that it is done, and it stays.
"""

from __future__ import annotations  # Python 3.8: this also runs inside of remote sandboxes

import os
import struct

_AF_VSOCK = 40
_IO_URING_SETUP = 425
_WITH_OPTIONS = (0x4206, 0x4200, 21)
"""PTRACE_SEIZE, PTRACE_SETOPTIONS and its old number on x86_64: their last argument is the options."""
_TRACEEXIT = 0x40
_RLIMIT_CORE = 4
_ARCHITECTURES = {
    "x86_64": (0xC000003E, 41, 101, (248, 249, 250), 160, 302),
    "aarch64": (0xC00000B7, 198, 117, (217, 218, 219), 164, 261),
}
"""Machine -> its audit number, and its numbers of `socket`, `ptrace`, of `add_key`, `request_key`, `keyctl`, and of
`setrlimit` and `prlimit64` (linux/audit.h, asm/unistd.h)."""

_FOREIGN_TABLE = 0x40000000
_CALL, _ARCHITECTURE = 0, 4
_FIRST_ARGUMENT, _SECOND_ARGUMENT, _THIRD_ARGUMENT, _REST_OF_THIRD, _FOURTH_ARGUMENT = 16, 24, 32, 36, 40
_LOAD, _IF_EQUAL, _IF_AT_LEAST, _IF_ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOWED = (_RETURN, 0, 0, 0x7FFF0000)
_REFUSED = (_RETURN, 0, 0, 0x00050000 | 1)  # with EPERM
_PRETENDED = (_RETURN, 0, 0, 0x00050000)


def socket_filter() -> bytes:
    """The program as bwrap's `--seccomp` reads it. Raises RuntimeError on a machine it is not known for."""
    machine = os.uname().machine
    if machine not in _ARCHITECTURES:
        raise RuntimeError(f"On {machine} the sandbox cannot be kept from the machine that hosts this one.")
    audit, socket, ptrace, keys, setrlimit, prlimit = _ARCHITECTURES[machine]
    vsock = ((_LOAD, 0, 0, _FIRST_ARGUMENT), *_refuse_if(_IF_EQUAL, _AF_VSOCK), _ALLOWED)
    options = ((_LOAD, 0, 0, _FOURTH_ARGUMENT), *_refuse_if(_IF_ANY_BIT, _TRACEEXIT), _ALLOWED)
    to_options = [(_IF_EQUAL, len(_WITH_OPTIONS) - n, 0, request) for n, request in enumerate(_WITH_OPTIONS)]
    own_limit = ((_LOAD, 0, 0, _FIRST_ARGUMENT), (_IF_EQUAL, 0, 1, _RLIMIT_CORE), _PRETENDED, _ALLOWED)
    any_limit = (
        (_LOAD, 0, 0, _SECOND_ARGUMENT),
        (_IF_EQUAL, 1, 0, _RLIMIT_CORE),
        _ALLOWED,
        (_LOAD, 0, 0, _THIRD_ARGUMENT),  # where the new limit is; nowhere: this call only asks
        (_IF_EQUAL, 0, 3, 0),
        (_LOAD, 0, 0, _REST_OF_THIRD),
        (_IF_EQUAL, 0, 1, 0),
        _ALLOWED,
        _PRETENDED,
    )
    program = (
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_IF_EQUAL, 1, 0, audit),
        _REFUSED,
        (_LOAD, 0, 0, _CALL),
        *_refuse_if(_IF_AT_LEAST, _FOREIGN_TABLE),
        *(step for call in (_IO_URING_SETUP, *keys) for step in _refuse_if(_IF_EQUAL, call)),
        (_IF_EQUAL, 0, len(vsock), socket),
        *vsock,
        (_IF_EQUAL, 0, len(own_limit), setrlimit),
        *own_limit,
        (_IF_EQUAL, 0, len(any_limit), prlimit),
        *any_limit,
        (_IF_EQUAL, 1, 0, ptrace),
        _ALLOWED,
        (_LOAD, 0, 0, _FIRST_ARGUMENT),
        *to_options,
        _ALLOWED,
        *options,
    )
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in program)


def _refuse_if(test: int, value: int) -> tuple[tuple[int, int, int, int], ...]:
    return ((test, 0, 1, value), _REFUSED)
