"""Having a patch's added lines scanned for secrets, by a process that may be killed."""

import asyncio
import json
import sys
from collections.abc import Iterable, Mapping
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from activities.git.command import GitError
from activities.git.patches import Line
from infra.children import ended, started

HIDDEN = "[not shown: it looks like a secret]"
_PROGRAM = Path(__file__).with_name("scanner.py")
_SECONDS = 150


class Secret(NamedTuple):
    """Where something looks like a secret, and what kind. Never the secret itself."""

    path: str
    line: int
    kind: str
    marked: bool
    """Whether a marker on its line says that it is none."""


class ScanFailed(GitError):
    """The lines could not be scanned; the message says why, without quoting them."""


async def scanned(added: Iterable[Line]) -> list[Secret]:
    """Raises ScanFailed."""
    files: dict[str, list[tuple[int, str]]] = {}
    for line in added:
        files.setdefault(line.path, []).append((line.number, line.text))
    if not files:
        return []
    return [Secret(*found) for found in json.loads(await _run(files))]


async def without_secrets(text: str) -> str:
    """The text with every line left out that looks like a secret, as agents may quote one. Raises ScanFailed."""
    (clean,) = await each_without_secrets(text)
    return clean


async def each_without_secrets(*texts: str) -> list[str]:
    """Several texts, looked at in one go. Raises ScanFailed."""
    lines = "\n".join(texts).split("\n")
    hidden = await scanned(Line(f"+{line}".encode(), "text.md", number) for number, line in enumerate(lines))
    for secret in hidden:
        lines[secret.line] = _hidden(lines[secret.line])
    rest = iter(lines)
    return ["\n".join(islice(rest, text.count("\n") + 1)) for text in texts]


def _hidden(line: str) -> str:
    """As deep as the line stood: what follows in a block of code stays code."""
    return f"{line[: len(line) - len(line.lstrip())]}{HIDDEN}"


async def _run(files: Mapping[str, list[tuple[int, str]]]) -> bytes:
    process = await started(
        sys.executable, "-I", str(_PROGRAM),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
        cwd="/", env={"PYTHONUTF8": "1"}, start_new_session=True,
    )  # fmt: skip
    try:
        async with asyncio.timeout(_SECONDS):
            out, _ = await process.communicate(json.dumps(files).encode())
    except TimeoutError:
        raise ScanFailed(f"the scan took more than {_SECONDS} s") from None
    finally:
        await ended(process)
    if process.returncode:
        raise ScanFailed(f"the scanner ended with {process.returncode}")
    return out
