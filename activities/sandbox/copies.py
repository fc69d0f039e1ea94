"""Copies of untrusted trees: same names, modes, times and links, owned by whom we say, sharing no inode.

`cp` follows no link it finds, but whoever changes the tree meanwhile can put one on its way. So it runs where nothing
is in reach but the host's programs, the tree (read-only) and the copy.
"""

import os
import subprocess
from pathlib import Path

from activities.sandbox import mounts
from workflows.ports.sandbox import BadSpec, Capacity

_ALONE = [
    "--unshare-ipc",
    "--unshare-pid",
    "--unshare-net",
    "--unshare-uts",
    "--die-with-parent",
    "--new-session",
    "--clearenv",
    "--proc",
    "/proc",
    "--setenv",
    "LC_ALL",
    "C",
]
_OWNER = ["--unshare-user", "--uid", "0", "--gid", "0", "--cap-drop", "ALL", "--cap-add", "CAP_DAC_OVERRIDE"]
"""For an ordinary user, whose own files may be locked by their modes."""
_COPY = ["cp", "--archive", "--no-preserve=ownership", "--reflink=auto", "/from/.", "/to/"]
_SECONDS = 900


def copy_tree(bwrap: str, source: Path, target: Path, uid: int | None) -> None:
    """Fill the empty folder `target`; all in it belongs to `uid`, None: to us.

    The file system shares the blocks where it can (btrfs, xfs). Raises Capacity (no room), BadSpec (a tree that
    cannot be copied).
    """
    if uid is not None:
        os.chown(target, uid, uid)
    argv = [bwrap, *mounts.system_options(), "--ro-bind", str(source), "/from", "--bind", str(target), "/to", *_ALONE]
    argv += [*(_OWNER if uid is None else ()), "--", *(() if uid is None else _become(uid)), *_COPY]
    try:
        ran = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=_SECONDS, check=False)
    except subprocess.TimeoutExpired as error:
        raise BadSpec(f"The files of the sandbox take more than {_SECONDS} s to copy. Snapshot less.") from error
    if ran.returncode != 0:
        said = ran.stderr.decode(errors="replace").strip()[-500:]
        if "No space left" in said or "quota exceeded" in said:
            raise Capacity(f"There is no room for a copy of the sandbox's files below {target.parent}: {said}")
        raise BadSpec(f"The files of the sandbox cannot be copied: {said}")


def _become(uid: int) -> list[str]:
    """Root's files-only shadow: whatever is made belongs to `uid`, and modes keep nobody out."""
    capabilities = "-all,+dac_override"
    return [
        *("setpriv", "--reuid", str(uid), "--regid", str(uid), "--clear-groups", "--no-new-privs"),
        *("--inh-caps", capabilities, "--ambient-caps", capabilities, "--bounding-set", capabilities),
    ]
