"""Which sockets the command may open: a network namespace does not keep it from the machine that hosts this one.

Linux routes vsock past every namespace, so a virtual machine's host would be reachable. The filter is a seccomp
program: `socket(AF_VSOCK, ...)` fails, and so do the ways around the check (io_uring, foreign system call tables).
"""

from __future__ import annotations  # Python 3.8: this also runs inside of remote sandboxes

import os
import struct

_AF_VSOCK = 40
_IO_URING_SETUP = 425
_ARCHITECTURES = {"x86_64": (0xC000003E, 41), "aarch64": (0xC00000B7, 198)}
"""Machine -> its audit number, and its number of `socket` (linux/audit.h, asm/unistd.h)."""

_FOREIGN_TABLE = 0x40000000
_CALL, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16
_LOAD, _IF_EQUAL, _IF_AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_ALLOW, _EPERM = 0x7FFF0000, 0x00050000 | 1


def socket_filter() -> bytes:
    """The program as bwrap's `--seccomp` reads it. Raises RuntimeError on a machine it is not known for."""
    machine = os.uname().machine
    if machine not in _ARCHITECTURES:
        raise RuntimeError(f"On {machine} the sandbox cannot be kept from the machine that hosts this one.")
    audit, socket = _ARCHITECTURES[machine]
    program = (
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_IF_EQUAL, 0, 7, audit),
        (_LOAD, 0, 0, _CALL),
        (_IF_AT_LEAST, 5, 0, _FOREIGN_TABLE),
        (_IF_EQUAL, 4, 0, _IO_URING_SETUP),
        (_IF_EQUAL, 0, 2, socket),
        (_LOAD, 0, 0, _FIRST_ARGUMENT),
        (_IF_EQUAL, 1, 0, _AF_VSOCK),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _EPERM),
    )
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in program)
