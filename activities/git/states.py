"""What may come out of a sandbox: one commit on the base, with nothing in it that could hurt whoever checks it out."""

import posixpath
import re
from collections.abc import Iterator
from typing import NamedTuple

from activities.git.command import GitError

REF = "refs/pawl/state"
MOST_BUNDLE_BYTES = 128 * 1024 * 1024
MOST_FILE_BYTES = 50 * 1024 * 1024
MOST_CHANGED_BYTES = 256 * 1024 * 1024
MOST_CHANGED_FILES = 20_000
_MOST_NAME_BYTES = 255
_MOST_PATH_BYTES = 1_000
"""What the file systems of Linux and Macs hold: 255 bytes a name, 1,024 a path with the folder it is put into."""
_MOST_HEADER_BYTES = 64 * 1024
_SHA = re.compile(r"[0-9a-f]{40}")


class BadState(GitError):
    """A workspace state that is not taken. The message says what is wrong with it."""


class StateBundle(NamedTuple):
    sha: str
    pack: bytes


class ChangedFile(NamedTuple):
    mode: str
    blob: str
    path: bytes

    @property
    def is_link(self) -> bool:
        return self.mode == "120000"

    @property
    def is_module(self) -> bool:
        return self.mode == "160000"


def opened(bundle: bytes, base_sha: str) -> StateBundle:
    """Take a bundle apart. Raises BadState unless it offers exactly the state and builds on nothing but the base."""
    if len(bundle) > MOST_BUNDLE_BYTES:
        raise BadState(f"The workspace state has {len(bundle):,} bytes; {MOST_BUNDLE_BYTES:,} are taken.")
    end = bundle.find(b"\n\n", 0, _MOST_HEADER_BYTES)
    lines = bundle[: max(end, 0)].decode(errors="replace").split("\n")
    if lines[0] not in ("# v2 git bundle", "# v3 git bundle"):
        raise BadState("The workspace state is not a git bundle.")
    needs = [line[1:].partition(" ")[0] for line in lines[1:] if line.startswith("-")]
    offers = [line.partition(" ") for line in lines[1:] if not line.startswith(("-", "@"))]
    asks = [line for line in lines[1:] if line.startswith("@") and line != "@object-format=sha1"]
    if asks or any(need != base_sha for need in needs):
        raise BadState(f"The workspace state builds on something other than the base commit: {needs + asks}.")
    if len(offers) != 1 or offers[0][2] != REF or not _SHA.fullmatch(offers[0][0]):
        raise BadState(f"The workspace state must hold exactly {REF}; it holds {[offer[2] for offer in offers][:5]}.")
    return StateBundle(offers[0][0], bundle[end + 2 :])


def changed_files(raw: bytes) -> Iterator[ChangedFile]:
    """Read `git diff-tree -r -z --raw --no-renames`; deleted files are left out."""
    parts = raw.split(b"\0")
    for about, path in zip(parts[::2], parts[1::2], strict=False):
        _, mode, _, blob, status = about.decode().split(" ")
        if status != "D":
            yield ChangedFile(mode, blob, path)


def objection(file: ChangedFile, link_target: bytes = b"") -> str:
    """Why a new or changed file is not taken, for people; empty when nothing speaks against it."""
    try:
        path = file.path.decode()
    except UnicodeDecodeError:
        return f"The name of {file.path!r} is not UTF-8."
    parts = path.split("/")
    if any(ord(character) < 0x20 or ord(character) == 0x7F for character in path):
        return f"The name of {path!r} holds control characters."
    if len(file.path) > _MOST_PATH_BYTES or any(len(part.encode()) > _MOST_NAME_BYTES for part in parts):
        return f"The path {path[:80]}... is too long: {_MOST_NAME_BYTES} bytes a name, {_MOST_PATH_BYTES:,} in all."
    if any(part in ("", ".", "..") or part.lower().rstrip(". ") == ".git" for part in parts):
        return f"{path} would be written outside the checkout or into git's own folder."
    if file.is_module:
        return f"{path} is a repository of its own inside the checkout. Remove it or its .git folder."
    if file.is_link and _leads_out(path, link_target):
        return f"{path} is a link that leads out of the checkout, to {link_target.decode(errors='replace')!r}."
    return ""


def _leads_out(path: str, target: bytes) -> bool:
    """Behind a name, which may be a link itself, nobody can tell from where `..` goes up; it is taken only in front."""
    parts = [part for part in target.decode(errors="replace").split("/") if part not in ("", ".")]
    if ".." in parts[parts.count("..") :]:
        return True
    there = posixpath.normpath(posixpath.join(posixpath.dirname(path), target.decode(errors="replace")))
    return there.startswith(("/", "../")) or there == ".." or ".git" in there.lower().split("/")


def too_much(sizes: dict[str, int]) -> str:
    """Why files of these sizes, by name, are not taken; empty when they are."""
    large = next((name for name, size in sizes.items() if size > MOST_FILE_BYTES), None)
    if large is not None:
        return f"{large} has {sizes[large]:,} bytes; a file may have {MOST_FILE_BYTES:,}."
    if sum(sizes.values()) > MOST_CHANGED_BYTES:
        return f"The changed files have {sum(sizes.values()):,} bytes together; {MOST_CHANGED_BYTES:,} are taken."
    return ""
