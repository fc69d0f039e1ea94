"""Looking at a change before anybody else's machine sees it: limits, names, secrets, and what a person must allow."""

import hashlib
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from activities.git import outgoing, patches
from activities.git.clones import TrustedClones
from activities.git.command import Git
from activities.git.outgoing import GITLINK, LINK, Touched
from activities.git.patches import Line
from activities.git.scanning import HIDDEN, ScanFailed, Secret, scanned
from workflows.domain.change import Repository
from workflows.domain.policy import ChangeLimits, ProtectedPaths, SecretScan
from workflows.domain.protected import exempt, is_part_of, led_to, protected
from workflows.domain.shown import code, visible

_MOST_BYTES = 512 * 1024 * 1024
"""Of an answer of git: twice what a policy can let a change have."""
_MOST_NAMED = 20
_MOST_ASKS = 50
_MOST_SHOWN_FILES = 50
_MOST_SHOWN = 6_000
_HOW_TO_MARK = (
    "Take it out: read it from the environment, or make it up while the program runs. If it is no secret, write "
    "`pragma: allowlist secret` in a comment at the end of its line; a person then decides."
)

_HOW_TO_SCAN = "Shorten its lines, or change fewer of them; large files go into a ticket of their own."
_NAMES = ""
"""The path of no file: under it new names are scanned as if they were its lines."""


class Rules(NamedTuple):
    limits: ChangeLimits
    protected: ProtectedPaths
    secrets: SecretScan


class Inspection(NamedTuple):
    problems: tuple[str, ...]
    """Why the change must not leave, a sentence each, for the agent."""
    asks: tuple[str, ...]
    """What a person must allow, a line of Markdown each."""
    digest: str
    """Over the content of what `asks` is about; empty when nothing is asked."""
    shown: str
    """What of the diff a person reads to decide."""
    binaries: tuple[str, ...]


async def inspected(clones: TrustedClones, repository: Repository, commit: str, rules: Rules) -> Inspection:
    """Look at a commit on the base. Nothing of the tree is executed, checked out or converted.

    Raises GitError when git cannot tell.
    """
    return await _Look(clones, repository, commit, rules).whole()


class _Tree(NamedTuple):
    """What is in a commit: path -> object of everything, and path -> target of the links."""

    blobs: dict[str, str]
    links: dict[str, str]


class _Look:
    def __init__(self, clones: TrustedClones, repository: Repository, commit: str, rules: Rules) -> None:
        self._clones, self._repository, self._commit, self._rules = clones, repository, commit, rules
        self._git: Git = clones.git
        self._clone = clones.path(repository.name)

    async def whole(self) -> Inspection:
        changed = list(outgoing.touched(await self._ask(*_RAW, self._repository.base_sha, self._commit)))
        if too_large := await self._too_large(changed):  # then it is not read at all
            return Inspection(tuple(map(visible, too_large)), (), "", "", ())
        before, after = await self._tree(self._repository.base_sha), await self._tree(self._commit)
        contents = await self._contents({one.path: one.blob for one in changed if one.is_file})
        binaries = [path for path, content in contents.items() if outgoing.is_binary(content)]
        added = [one.path for one in changed if one.status == "A"]
        names = list(outgoing.new_names(self._to_scan(added), before.blobs))
        try:
            lines = [*_as_lines(names), *await self._added(binaries, contents, before)]
            secrets, unscanned = await scanned(lines), []
        except ScanFailed as error:
            secrets, unscanned = [], [f"It could not be scanned for secrets: {error}. {_HOW_TO_SCAN}"]
        if told := [_told_of_name(names[one.line].folder, one.kind) for one in secrets if one.path == _NAMES]:
            return Inspection(tuple(dict.fromkeys(told)), (), "", "", ())  # then no path is said at all
        problems = (
            *outgoing.unportable(added, [*before.blobs], [*after.blobs]),
            *_lost_objects(changed, contents, before.blobs.values()),
            *unscanned,
            *(_told(secret) for secret in secrets if not secret.marked),
        )
        asked_for = await self._asked_for(changed, contents, before, after)
        marked = [secret for secret in secrets if secret.marked and not self._rules.secrets.allow_markers]
        asks, digest = _asks(changed, asked_for, marked)
        shown = await self._shown([*asked_for], secrets) if asks and not problems else ""
        return Inspection(tuple(map(visible, problems)), asks, digest, shown, _named(binaries))

    async def _too_large(self, changed: Sequence[Touched]) -> list[str]:
        files = [one for one in changed if one.is_file]
        asked = "".join(f"{one.blob}\n" for one in files).encode()
        answer = await self._ask("cat-file", "--batch-check=%(objectsize)", stdin=asked)
        sizes = dict(zip((one.path for one in files), map(int, answer.split()), strict=True))
        stat = await self._clones.diffstat(self._repository, self._commit)
        return list(outgoing.oversize(sizes, stat.insertions + stat.deletions, stat.files, self._rules.limits))

    async def _tree(self, commit: str) -> _Tree:
        rows = (await self._ask("ls-tree", "-r", "-z", commit)).split(b"\0")
        entries = (row.decode(errors="replace").partition("\t") for row in rows if row)
        about = {path: about.split(" ") for about, _, path in entries}
        links = await self._contents({path: blob for path, (mode, _, blob) in about.items() if mode == LINK})
        return _Tree(
            {path: blob for path, (_, _, blob) in about.items()},
            {path: target.decode(errors="replace") for path, target in links.items()},
        )

    async def _contents(self, blobs: Mapping[str, str]) -> dict[str, bytes]:
        """Path -> content. The limits have seen to it that this fits into memory."""
        if not blobs:
            return {}
        out = await self._ask("cat-file", "--batch", stdin="".join(f"{blob}\n" for blob in blobs.values()).encode())
        contents: dict[str, bytes] = {}
        at = 0
        for path in blobs:
            head = out.index(b"\n", at)
            size = int(out[at:head].split(b" ")[2])
            contents[path], at = out[head + 1 : head + 1 + size], head + size + 2
        return contents

    def _to_scan(self, paths: Iterable[str]) -> list[str]:
        return [path for path in paths if not exempt(path, self._rules.secrets.allow)]

    async def _added(self, binaries: Sequence[str], contents: Mapping[str, bytes], before: _Tree) -> list[Line]:
        """The added lines that are to be scanned. Raises ScanFailed."""
        patch = await self._git.run(
            *_PATCH, "--unified=0", "--text", "--irreversible-delete", self._repository.base_sha, self._commit,
            repository=self._clone,
        )  # fmt: skip
        if patch.cut:
            raise ScanFailed("it is too large")
        added = [line for line in patches.lines_of(patch.out) if line.path and line.path not in binaries]
        texts = {path: text for path in binaries if (text := outgoing.text_in(contents[path]))}
        earlier = await self._contents({path: before.blobs[path] for path in texts if path in before.blobs})
        for path, text in texts.items():
            added += patches.lines_added(path, outgoing.text_in(earlier.get(path, b"")), text)
        wanted = set(self._to_scan({line.path for line in added}))
        return [line for line in added if line.path in wanted]

    async def _asked_for(
        self, changed: Sequence[Touched], contents: Mapping[str, bytes], before: _Tree, after: _Tree
    ) -> dict[str, str]:
        """Path -> why a person must allow it; empty where the name says it."""
        rules = self._rules.protected
        led = led_to(before.links, rules) | led_to(after.links, rules)
        asked_for = {
            one.path: f"{code(link)} leads there"
            for one in changed
            if not exempt(one.path, rules.allow)
            for path, link in led.items()
            if is_part_of(one.path, path)
        }
        asked_for |= dict.fromkeys(protected([one.path for one in changed], rules), "")
        asked_for |= {one.path: "a submodule is removed" for one in changed if one.mode_before == GITLINK}
        if any(path.rpartition("/")[2] == ".gitattributes" for path in after.blobs):
            plain = [path for path, content in contents.items() if not outgoing.is_pointer(content)]
            wanted = await self._wanted_as_pointers(plain)
            asked_for |= dict.fromkeys(wanted, "content, where .gitattributes wants a Git LFS pointer")
        return asked_for

    async def _wanted_as_pointers(self, paths: Sequence[str]) -> list[str]:
        """Those of the files that the change's own .gitattributes want kept as Git LFS pointers."""
        with tempfile.TemporaryDirectory(prefix="pawl-") as folder:
            env = {"GIT_INDEX_FILE": str(Path(folder, "index"))}
            await self._git.run("read-tree", self._commit, repository=self._clone, env=env)
            asked = "".join(f"{path}\0" for path in paths).encode()
            said = await self._git.run(
                "check-attr", "--cached", "-z", "--stdin", "filter", repository=self._clone, env=env, stdin=asked
            )
        parts = said.out.decode(errors="replace").split("\0")
        return [path for path, value in zip(parts[::3], parts[2::3], strict=False) if value == "lfs"]

    async def _shown(self, paths: Sequence[str], secrets: Sequence[Secret]) -> str:
        patch = await self._git.run(
            *_PATCH, self._repository.base_sha, self._commit, "--", *paths[:_MOST_SHOWN_FILES],
            repository=self._clone, most_bytes=8 * _MOST_SHOWN,
        )  # fmt: skip
        hidden = {(secret.path, secret.line) for secret in secrets}
        lines = (
            f"+{HIDDEN}" if (line.path, line.number) in hidden else line.raw.decode(errors="replace")
            for line in patches.lines_of(patch.out)
        )
        text = visible("\n".join(lines))
        if len(text) <= _MOST_SHOWN and not patch.cut and len(paths) <= _MOST_SHOWN_FILES:
            return text
        return f"{text[:_MOST_SHOWN]}\n[cut: read the rest with git --git-dir={self._clone} show {self._commit}]"

    async def _ask(self, *arguments: str, stdin: bytes = b"") -> bytes:
        return (await self._git.run(*arguments, repository=self._clone, stdin=stdin, most_bytes=_MOST_BYTES)).out


_RAW = ("diff-tree", "-r", "-z", "--raw", "--no-renames", "--no-abbrev")
_PATCH = ("diff-tree", "-r", "-p", "--no-renames", "--no-color", "--no-ext-diff", "--no-textconv")


def _lost_objects(changed: Sequence[Touched], contents: Mapping[str, bytes], before: Iterable[str]) -> Iterator[str]:
    """New Git LFS pointers to objects that no pointer of the base names: they were never uploaded."""
    known = set(before)
    for one in changed:
        if one.blob not in known and outgoing.is_pointer(contents.get(one.path, b"")):
            yield (
                f"{one.path} is a Git LFS pointer whose object is not in the repository, and none can be uploaded from "
                "here. Leave it as it was, or leave it out."
            )


def _as_lines(names: Sequence[outgoing.NewName]) -> Iterator[Line]:
    return (Line(f"+{new.name}".encode(), _NAMES, number) for number, new in enumerate(names))


def _told_of_name(folder: str, kind: str) -> str:
    where = f"in {folder}" if folder else "at the root"
    return f"The name of a new file or folder {where} looks like a secret ({kind}). Choose another name."


def _told(secret: Secret) -> str:
    return f"{secret.path}:{secret.line} looks like a secret ({secret.kind}). {_HOW_TO_MARK}"


def _asks(
    changed: Sequence[Touched], asked_for: dict[str, str], marked: Sequence[Secret]
) -> tuple[tuple[str, ...], str]:
    """What a person is asked, and the digest of the files it is about."""
    by_path = {one.path: one for one in changed}
    lines = [
        f"{code(path)}{' (deleted)' if by_path[path].status == 'D' else ''}{f': {why}' if why else ''}"
        for path, why in asked_for.items()
    ]
    lines += [
        f"{code(f'{secret.path}:{secret.line}')} looks like a secret ({secret.kind}); the agent marked it as none"
        for secret in marked
    ]
    if not lines:
        return (), ""
    about = sorted({*asked_for, *(secret.path for secret in marked)})
    text = "\n".join(f"{by_path[path].mode} {by_path[path].blob} {path}" for path in about)
    whole = "\n".join((text, *lines))
    if len(lines) > _MOST_ASKS:
        lines = [*lines[:_MOST_ASKS], f"and {len(lines) - _MOST_ASKS:,} more"]
    return tuple(lines), hashlib.sha256(whole.encode()).hexdigest()[:40]


def _named(paths: Sequence[str]) -> tuple[str, ...]:
    more = len(paths) - _MOST_NAMED
    names = tuple(code(path) for path in paths[:_MOST_NAMED])
    return names if more <= 0 else (*names, f"{more:,} more")
