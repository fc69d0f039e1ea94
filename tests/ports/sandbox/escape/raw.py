"""Attempts as an attacker makes them: system calls by name, without a library that would refuse first."""

import os

from tests.ports.sandbox.providers import python, ran
from workflows.ports.sandbox import ExitReason, Sandbox, SandboxRef

_NUMBERS = {
    "acct": (163, 89),
    "add_key": (248, 217),
    "adjtimex": (159, 171),
    "bpf": (321, 280),
    "chroot": (161, 51),
    "clock_settime": (227, 112),
    "clone3": (435, 435),
    "fanotify_init": (300, 262),
    "finit_module": (313, 273),
    "fsopen": (430, 430),
    "init_module": (175, 105),
    "io_uring_setup": (425, 425),
    "kexec_load": (246, 104),
    "keyctl": (250, 219),
    "mknodat": (259, 33),
    "mount": (165, 40),
    "mount_setattr": (442, 442),
    "move_mount": (429, 429),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "open_tree": (428, 428),
    "perf_event_open": (298, 241),
    "pidfd_open": (434, 434),
    "pivot_root": (155, 41),
    "prlimit64": (302, 261),
    "process_vm_readv": (310, 270),
    "ptrace": (101, 117),
    "quotactl": (179, 60),
    "reboot": (169, 142),
    "renameat2": (316, 276),
    "request_key": (249, 218),
    "setdomainname": (171, 162),
    "sethostname": (170, 161),
    "setns": (308, 268),
    "setrlimit": (160, 164),
    "settimeofday": (164, 170),
    "swapon": (167, 224),
    "syslog": (103, 116),
    "umount2": (166, 39),
    "unshare": (272, 97),
    "userfaultfd": (323, 282),
    "vhangup": (153, 58),
}
"""Name -> its number on x86_64 and on the other machine the sandbox knows."""
_NUMBER = {name: at[0] if os.uname().machine == "x86_64" else at[1] for name, at in _NUMBERS.items()}

_PRELUDE = f"""
import ctypes, errno, os, socket, struct, sys, time
libc = ctypes.CDLL(None, use_errno=True)
number = {_NUMBER}
def call(name, *arguments):
    whole = [ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]
    libc.syscall.restype = ctypes.c_long
    ctypes.set_errno(0)
    result = libc.syscall(ctypes.c_long(number[name]), *whole)
    return result if result >= 0 else -ctypes.get_errno()
tried = 0
def refused(what, result, *because):
    global tried
    tried += 1
    name = errno.errorcode.get(-result, "") if result < 0 else ""
    if result >= 0 or (because and name not in because): print("succeeded:", what, result, name)
def attempt(what, action):
    global tried
    tried += 1
    try: got = action()
    except (OSError, ValueError): return
    print("succeeded:", what, got)
"""
_END = '\nprint("tried", tried)\n'


async def tries(sandbox: Sandbox, ref: SandboxRef, script: str, job: str = "attack") -> int:
    """Run an attack: `refused(what, call(...), errno names)` and `attempt(what, function that raises)`. How many were
    made; a single one that succeeds is a failure of the test."""
    view = await ran(sandbox, ref, job, python(_PRELUDE + script + _END))
    assert (view.reason, view.code, view.err) == (ExitReason.EXITED, 0, b""), view
    *got_through, last = view.out.decode().splitlines()
    assert not got_through, "\n".join(got_through)
    return int(last.removeprefix("tried "))


def raw(script: str) -> str:
    """A script for `python` that may `call` the kernel by name."""
    return _PRELUDE + script
