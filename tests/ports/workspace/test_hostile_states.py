"""Bundles packed by hand, small to send and large to look at: refused in words, in time, and without a trace."""

import hashlib
import struct
import time
import zlib
from pathlib import Path

import pytest

from activities.git import BadState, TrustedClones
from tests.repos import Box
from workflows.domain.change import Repository

pytestmark = pytest.mark.sandbox

_COMMIT, _TREE, _BLOB = 1, 2, 3
_SECONDS = 60


@pytest.fixture
async def box(tmp_path: Path, clones: TrustedClones, repository: Repository) -> Box:
    return Box(tmp_path / "box", repository, await clones.bundle(repository))


def packed(kind: int, body: bytes, claimed: int | None = None) -> bytes:
    """An object as a pack holds it; `claimed` is the size it is said to have."""
    size = len(body) if claimed is None else claimed
    first, size = kind << 4 | size & 15, size >> 4
    head = bytearray()
    while size:
        head.append(first | 0x80)
        first, size = size & 0x7F, size >> 7
    head.append(first)
    return bytes(head) + zlib.compress(body, 9)


def named(kind: str, body: bytes) -> str:
    return hashlib.sha1(f"{kind} {len(body)}\0".encode() + body, usedforsecurity=False).hexdigest()


def bundle(base: str, tip: str, objects: list[bytes], count: int | None = None) -> bytes:
    pack = b"PACK" + struct.pack(">II", 2, len(objects) if count is None else count) + b"".join(objects)
    digest = hashlib.sha1(pack, usedforsecurity=False).digest()
    return f"# v2 git bundle\n-{base} base\n{tip} refs/pawl/state\n\n".encode() + pack + digest


def commit_of(tree: str, base: str) -> bytes:
    who = b"Pawl <pawl@localhost> 946684800 +0000"
    return f"tree {tree}\nparent {base}\n".encode() + b"author " + who + b"\ncommitter " + who + b"\n\nx\n"


def tree_bomb(base: str, wide: int, levels: int) -> bytes:
    """Folders in folders, all the same one: `wide` to the power of `levels` files."""
    blob = named("blob", b"x")
    objects = [packed(_BLOB, b"x")]
    tree = b"".join(b"100644 f%04d\0" % n + bytes.fromhex(blob) for n in range(wide))
    for _ in range(levels - 1):
        objects.append(packed(_TREE, tree))
        inner = bytes.fromhex(named("tree", tree))
        tree = b"".join(b"40000 d%04d\0" % n + inner for n in range(wide))
    commit = commit_of(named("tree", tree), base)
    objects += [packed(_TREE, tree), packed(_COMMIT, commit)]
    return bundle(base, named("commit", commit), objects)


@pytest.mark.parametrize(("wide", "levels"), [(30, 3), (2, 60)])
async def test_folders_that_multiply(clones: TrustedClones, repository: Repository, wide: int, levels: int) -> None:
    state = tree_bomb(repository.base_sha, wide, levels)
    assert len(state) < 600_000
    started = time.monotonic()
    with pytest.raises(BadState):
        await clones.import_state(repository, state)
    assert time.monotonic() - started < _SECONDS
    await untouched(clones, repository)


async def test_objects_that_are_not_what_they_say(clones: TrustedClones, repository: Repository) -> None:
    base = repository.base_sha
    large = b"\0" * 60_000_000
    zeros = packed(_TREE, large)
    blob = packed(_BLOB, large)
    tree = b"100644 zeros\0" + bytes.fromhex(named("blob", large))
    commit = commit_of(named("tree", tree), base)
    tip = named("commit", commit)
    delta = b"\xff\xff\xff\xff\x7f" + b"\xff\xff\xff\xff\x7f" + b"\x80"  # turns gigabytes into gigabytes
    ends = [packed(_TREE, tree), packed(_COMMIT, commit)]
    of_base = bytes([7 << 4 | len(delta)]) + bytes.fromhex(base) + zlib.compress(delta)
    hostile = {
        "a file of many zeros": bundle(base, tip, [blob, *ends]),
        "a folder of many zeros": bundle(base, tip, [zeros, *ends]),
        "a size that is a lie": bundle(base, tip, [packed(_BLOB, b"x", 1 << 60), *ends]),
        "more objects than there are": bundle(base, tip, ends, 1 << 31),
        "a difference that unfolds": bundle(base, tip, [of_base, *ends]),
        "nothing": bundle(base, tip, []),
    }
    for case, state in hostile.items():
        started = time.monotonic()
        with pytest.raises(BadState):
            await clones.import_state(repository, state)
        assert time.monotonic() - started < _SECONDS, case
    await untouched(clones, repository)


async def test_headers_that_ask_for_more_than_a_state(clones: TrustedClones, repository: Repository, box: Box) -> None:
    """Other references, other bases, filters, links in names, and options for a command line."""
    state = box.state({"mine": "x"})
    end = state.index(b"\n\n")
    pack = state[end + 2 :]
    tip = state[:end].split(b"\n")[-1].split(b" ")[0]
    base = b"-" + repository.base_sha.encode() + b" base\n"
    for header in (
        b"# v3 git bundle\n@filter=blob:none\n" + base + tip + b" refs/pawl/state",
        b"# v3 git bundle\n@object-format=sha256\n" + base + tip + b" refs/pawl/state",
        b"# v2 git bundle\n" + base + tip + b" refs/heads/trunk",
        b"# v2 git bundle\n" + base + tip + b" refs/pawl/state\n" + tip + b" refs/replace/" + tip,
        b"# v2 git bundle\n" + base + tip + b" refs/pawl/state/../../heads/trunk",
        b"# v2 git bundle\n" + base + tip + b" --upload-pack=touch",
        b"# v2 git bundle\n" + base + b"--output=x refs/pawl/state",
        b"# v2 git bundle\n" + base + b"HEAD refs/pawl/state",
        b"# v2 git bundle\n-" + tip + b" other\n" + tip + b" refs/pawl/state",
        b"# v2 git bundle\n" + base * 2_000 + tip + b" refs/pawl/state",
    ):
        with pytest.raises(BadState):
            await clones.import_state(repository, header + b"\n\n" + pack)
    await untouched(clones, repository)


async def untouched(clones: TrustedClones, repository: Repository) -> None:
    """The trusted clone holds no state, no remains, and still knows its base."""
    clone = clones.path(repository.name)
    refs = await clones.git.text("for-each-ref", "--format=%(refname)", repository=clone)
    assert sorted(refs.split()) == [f"refs/pawl/bases/{repository.base_sha}", "refs/remotes/origin/trunk"]
    assert not list(clone.glob("objects/incoming-*"))
    assert sum(file.stat().st_size for file in clone.rglob("*") if file.is_file()) < 1 << 20
