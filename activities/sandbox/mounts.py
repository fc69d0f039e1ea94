"""What a sandbox sees of the host: its programs, a minimal /etc, and the folders an operator chose. All read-only."""

from pathlib import Path, PurePosixPath

from activities.sandbox.refusals import Refused
from workflows.domain.model import Record
from workflows.ports.sandbox import BadSpec

HOME = "/work/home"
USER_ID = 1000
"""Who the command believes to be, on every host."""

_RESERVED = ("/proc", "/dev", "/tmp", "/work", "/etc", "/run")  # noqa: S108 - paths inside the sandbox
_ETC = (
    "alternatives",
    "ca-certificates",
    "crypto-policies",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "localtime",
    "mime.types",
    "pki/ca-trust",
    "pki/tls",
    "protocols",
    "services",
    "ssl/certs",
    "ssl/openssl.cnf",
)
_ETC_PATTERNS = ("java-*",)
LINKS = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")


_SYSTEM = ("/usr", *(f"/usr/{name}" for name in (*LINKS, "libexec", "share")))
"""What the programs in a sandbox are, or need to start."""


class Mount(Record):
    """A host folder shown read-only at `target` inside every sandbox."""

    source: Path
    target: str


def parse_mounts(text: str) -> tuple[Mount, ...]:
    """`/host/dir[:/inside/dir],...` as operators write it. Raises BadSpec saying which part is wrong."""
    return tuple(_parse_mount(part.strip()) for part in text.split(",") if part.strip())


def _parse_mount(part: str) -> Mount:
    source, _, target = part.partition(":")
    target = target or source
    inside = PurePosixPath(target)
    if not source.startswith("/") or not target.startswith("/") or ".." in inside.parts:
        raise BadSpec(f"The sandbox mount {part!r} is not /host/dir or /host/dir:/inside/dir with absolute paths.")
    if target == "/" or any(inside.is_relative_to(place) for place in _RESERVED):
        raise BadSpec(f"The sandbox mount {part!r} would hide the sandbox's own {target}. Choose another inside path.")
    if str(inside) in _SYSTEM or any(inside.is_relative_to(f"/{name}") for name in LINKS):
        raise BadSpec(
            f"The sandbox mount {part!r} would hide the programs of the system at {target}. Show it elsewhere, such as "
            f"{source}:/opt/{inside.name}, and put that into PAWL_SANDBOX_PATH where it holds programs."
        )
    return Mount(source=Path(source), target=str(inside))


def require_sources(mounts: tuple[Mount, ...]) -> None:
    """Raises Refused when a folder to show is not there."""
    for mount in mounts:
        if not mount.source.exists():
            raise Refused(
                f"The sandbox mount {mount.source} does not exist on this machine.",
                "Correct PAWL_SANDBOX_MOUNTS and start the worker again.",
            )


def system_options(root: Path = Path("/")) -> list[str]:
    """bwrap options for the host's programs and the part of /etc that programs need and that tells nothing."""
    options = ["--ro-bind", str(root / "usr"), "/usr"]
    for name in LINKS:
        path = root / name
        if path.is_symlink():
            options += ["--symlink", str(path.readlink()), f"/{name}"]
        elif path.is_dir():
            options += ["--ro-bind", str(path), f"/{name}"]
    etc = root / "etc"
    shown = [etc / name for name in _ETC] + [path for pattern in _ETC_PATTERNS for path in sorted(etc.glob(pattern))]
    for path in shown:
        if path.exists():
            options += ["--ro-bind", str(path), f"/etc/{path.relative_to(etc)}"]
    return options


def system_files() -> list[tuple[str, str]]:
    """Files of /etc that are made for the sandbox: (path, text)."""
    return [
        (
            "/etc/passwd",
            f"root:x:0:0::/nonexistent:/bin/false\npawl:x:{USER_ID}:{USER_ID}::{HOME}:/bin/sh\n"
            "nobody:x:65534:65534::/nonexistent:/bin/false\n",
        ),
        ("/etc/group", f"root:x:0:\npawl:x:{USER_ID}:\nnogroup:x:65534:\n"),
        ("/etc/hosts", "127.0.0.1 localhost sandbox\n::1 localhost sandbox\n"),
        ("/etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n"),
        ("/etc/resolv.conf", ""),
    ]
