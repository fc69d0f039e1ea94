"""What speaks against a change that is about to leave: its size, its names, its large files. Pure rules over facts."""

import codecs
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from workflows.domain.policy import ChangeLimits

GITLINK, LINK = "160000", "120000"
_MIB = 1024 * 1024
_RESERVED = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9\u00b9\u00b2\u00b3])\s*(\..*)?", re.IGNORECASE)
_LFS = b"version https://git-lfs.github.com/spec/v1\n"
_MOST_POINTER_BYTES = 1024
_LOOKED_AT = 8_000
"""Bytes at the beginning of a file that tell what kind it is, as git has it."""
_WIDE = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_PRINTED = bytes([*b"\t\n\r\f", *range(0x20, 0x7F)])
_MOSTLY = 7 / 8


class Touched(NamedTuple):
    """An entry of the tree that is another one, or none, after the change."""

    path: str
    mode_before: str
    mode: str
    blob: str
    status: str
    """`A`dded, `M`odified, `D`eleted or `T`urned into another type."""

    @property
    def is_file(self) -> bool:
        return self.status != "D" and self.mode not in (GITLINK, LINK)


def touched(raw: bytes) -> Iterator[Touched]:
    """Read `git diff-tree -r -z --raw --no-renames --no-abbrev`."""
    parts = raw.split(b"\0")
    for about, path in zip(parts[::2], parts[1::2], strict=False):
        before, mode, _, blob, status = about.decode().removeprefix(":").split(" ")
        yield Touched(path.decode(errors="replace"), before, mode, blob, status)


def oversize(sizes: Mapping[str, int], lines: int, files: int, limits: ChangeLimits) -> Iterator[str]:
    """What is too large. `sizes`: bytes of new and changed files; `lines`: added and deleted ones of text files."""
    if files > limits.max_files:
        yield f"It changes {files:,} files; {limits.max_files:,} may be. Leave out what the ticket does not need."
    if lines > limits.max_lines:
        yield f"It changes {lines:,} lines; {limits.max_lines:,} may be. Leave out what is generated."
    for path, size in sizes.items():
        if size > limits.max_file_mb * _MIB:
            yield f"{path} has {size:,} bytes; a file may have {limits.max_file_mb} MiB. Leave it out or shrink it."
    if (total := sum(sizes.values())) > limits.max_mb * _MIB:
        yield f"Its files have {total:,} bytes together; {limits.max_mb} MiB may leave. Leave large ones out."


def unportable(added: Iterable[str], before: Sequence[str], after: Sequence[str]) -> Iterator[str]:
    """Names new to the repository that Windows or a Mac could not check out beside the others."""
    known = {part for path in before for part in _prefixes(path)}
    new = dict.fromkeys(part for path in added for part in _prefixes(path) if part not in known)
    if not new:
        return
    spellings: dict[str, set[str]] = {}
    for path in after:
        for part in _prefixes(path):
            spellings.setdefault(_folded(part), set()).add(part)
    for path in new:
        name = path.rpartition("/")[2]
        if _RESERVED.fullmatch(name) or name != name.rstrip(". ") or re.search(r'[<>:"|?*\\]', name):
            yield f"{path} is a name that Windows cannot hold. Choose another one."
        if others := spellings.get(_folded(path), set()) - {path}:
            twin = min(others)
            yield f"{path} and {twin} are one file to Windows and Macs. Choose another name."


def _prefixes(path: str) -> Iterator[str]:
    """The path and every folder above it."""
    while path:
        yield path
        path = path.rpartition("/")[0]


def _folded(path: str) -> str:
    return unicodedata.normalize("NFC", path).casefold()


def is_pointer(content: bytes) -> bool:
    """Whether a file's content is a Git LFS pointer, of an object kept elsewhere."""
    return len(content) < _MOST_POINTER_BYTES and content.startswith(_LFS) and b"\noid sha256:" in content


def is_binary(content: bytes) -> bool:
    """As git decides, whatever the repository's attributes say."""
    return b"\0" in content[:_LOOKED_AT]


def text_in(content: bytes) -> str:
    """The text of a binary file that is mostly one: UTF-16 with a mark, or plain characters with NUL bytes anywhere
    between them, as UTF-16 without a mark has them. Empty for any other."""
    if content.startswith(_WIDE):
        return content.decode("utf-16", errors="replace")
    narrow = content.replace(b"\0", b"")
    start = narrow[:_LOOKED_AT]
    printed = len(start) - len(start.translate(None, _PRINTED))
    return narrow.decode(errors="replace") if printed >= _MOSTLY * max(len(start), 1) else ""


class NewName(NamedTuple):
    folder: str
    """The nearest folder that was there before; empty: the root."""
    name: str
    """The rest of the path, which is new."""


def new_names(added: Iterable[str], before: Iterable[str]) -> Iterator[NewName]:
    """What the added paths bring in of names that nobody had before."""
    known = {part for path in before for part in _prefixes(path)}
    for path in added:
        folder = next((part for part in _prefixes(path) if part in known), "")
        yield NewName(folder, path.removeprefix(f"{folder}/"))
