"""Running git where nothing of the machine, of a repository or of the network can make it run something else."""

import asyncio
import os
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, TypeVar

from infra.children import ended, started
from infra.files import replace_file

_HARMLESS_RELICS = (
    "zeroPaddedFilemode",
    "badTimezone",
    "missingSpaceBeforeDate",
    "missingEmail",
    "missingNameBeforeEmail",
    "badTagName",
    "missingTaggerEntry",
)
"""What old git versions left in honest histories. It harms nobody and cannot be mended any more."""

CONFIG = {
    "core.hooksPath": "/dev/null",
    "core.fsmonitor": "false",
    "core.protectHFS": "true",
    "core.protectNTFS": "true",
    "core.bigFileThreshold": "8m",
    "core.quotePath": "false",
    "fetch.fsckObjects": "true",
    "receive.fsckObjects": "true",
    "transfer.fsckObjects": "true",
    "fetch.recurseSubmodules": "no",
    "submodule.recurse": "false",
    "gc.autoDetach": "false",
    "maintenance.autoDetach": "false",
    "pack.threads": "2",
    "protocol.ext.allow": "never",
    "credential.helper": "",
    "safe.directory": "*",
    **{f"{side}.fsck.{relic}": "ignore" for side in ("fetch", "receive") for relic in _HARMLESS_RELICS},
}
_ENVIRONMENT = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ASKPASS": "",
    "SSH_ASKPASS": "",
    "GIT_SSH_COMMAND": "ssh -o BatchMode=yes",
    "GIT_ALLOW_PROTOCOL": "file:git:http:https:ssh",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_LITERAL_PATHSPECS": "1",
    "LC_ALL": "C",
}
_FROM_THE_MACHINE = ("PATH", "SSH_AUTH_SOCK")
_SECRET_IN_URL = re.compile(r"(?<=://)[^/@\s]*@")
_MOST_ERROR_BYTES = 64 * 1024

Pipe = TypeVar("Pipe")
Access = Callable[[str], Awaitable[Mapping[str, str]]]
"""What git needs in its environment to be let in at a URL: nothing, or the words of `showing`."""


async def as_the_machine(_url: str) -> Mapping[str, str]:
    """No credentials of ours: what this machine's keys let in."""
    return {}


def showing(header: str, at: str) -> Mapping[str, str]:
    """The environment in which git shows a header to the server whose URLs begin with `at`, and follows it nowhere
    else. Only the environment holds it: no file, no argument, no message."""
    told = {f"http.{at}.extraHeader": header, f"http.{at}.followRedirects": "false"}
    pairs = [(f"GIT_CONFIG_{what}_{n}", said) for n, pair in enumerate(told.items())
             for what, said in zip(("KEY", "VALUE"), pair, strict=True)]  # fmt: skip
    return {"GIT_CONFIG_COUNT": str(len(told)), **dict(pairs)}


class GitError(Exception):
    """Git did not do it. The message ends with git's own last lines."""


class GitTimeout(GitError):
    """Git took too long and was killed, with everything it had started."""


class Output(NamedTuple):
    code: int
    out: bytes
    cut: bool
    """Whether there was more than was asked for."""
    said: str
    """The last lines of standard error, without passwords."""


class Git:
    """Runs git with an environment of its own: no user or system configuration, no hooks, no prompts, no helpers.

    `home` is a folder that belongs to Pawl alone. `access` is asked for every command that talks to another place.
    """

    def __init__(self, home: Path, access: Access = as_the_machine) -> None:
        self._home = home
        self.access = access

    async def run(
        self,
        *arguments: str,
        repository: Path | None = None,
        stdin: bytes = b"",
        env: Mapping[str, str] | None = None,
        accept: Sequence[int] = (0,),
        timeout_seconds: float = 120,
        most_bytes: int = 256 * 1024 * 1024,
        keep_open: Sequence[int] = (),
    ) -> Output:
        """Run one command and wait for its end. `keep_open`: descriptors that the child inherits.

        Raises GitError when the exit code is not accepted, GitTimeout.
        """
        where = [f"--git-dir={repository}"] if repository else []
        options = [part for key, value in CONFIG.items() for part in ("-c", f"{key}={value}")]
        process = await self._start([*where, *options, *arguments], dict(env or {}), keep_open)
        try:
            async with asyncio.timeout(timeout_seconds):
                (out, cut), (err, _), _ = await asyncio.gather(
                    _read(_open(process.stdout), most_bytes),
                    _read(_open(process.stderr), _MOST_ERROR_BYTES),
                    _feed(_open(process.stdin), stdin),
                )
                code = await process.wait()
        except TimeoutError:
            raise GitTimeout(f"git {arguments[0]} was stopped after {timeout_seconds:g} s.") from None
        finally:
            await ended(process)
        said = _last_lines(err)
        if code not in accept:
            raise GitError(f"git {arguments[0]} failed ({code}): {said}")
        return Output(code, out, cut, said)

    async def text(self, *arguments: str, repository: Path | None = None, env: Mapping[str, str] | None = None) -> str:
        """Standard output of a command that answers in a few words."""
        return (await self.run(*arguments, repository=repository, env=env)).out.decode(errors="replace").strip()

    async def _start(
        self, arguments: Sequence[str], env: Mapping[str, str], keep_open: Sequence[int]
    ) -> asyncio.subprocess.Process:
        kept = {name: os.environ[name] for name in _FROM_THE_MACHINE if name in os.environ}
        own = {"HOME": str(self._home), "GIT_CONFIG_GLOBAL": str(self._configured())}
        try:
            return await started(
                "git",
                *arguments,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                cwd=self._home,
                env={**kept, **_ENVIRONMENT, **own, **env},
                start_new_session=True,
                pass_fds=tuple(keep_open),
            )
        except FileNotFoundError:
            raise GitError("git is not on PATH. Install git 2.38 or newer.") from None

    def _configured(self) -> Path:
        """The configuration as a file too: git's helpers at the other end of a local path read only that."""
        file = self._home / "config"
        wanted = "".join(_config_lines(key, value) for key, value in CONFIG.items()).encode()
        if not file.exists() or file.read_bytes() != wanted:
            replace_file(file, wanted)
        return file


def without_password(text: str) -> str:
    """The text with the user part of every URL in it removed."""
    return _SECRET_IN_URL.sub("", text)


def _config_lines(key: str, value: str) -> str:
    section, name = key.rsplit(".", 1)
    head, _, sub = section.partition(".")
    title = f'{head} "{sub}"' if sub else head
    return f'[{title}]\n\t{name} = "{value}"\n'


def _open(pipe: Pipe | None) -> Pipe:
    if pipe is None:
        raise RuntimeError("the process was started without this pipe")
    return pipe


async def _read(stream: asyncio.StreamReader, most_bytes: int) -> tuple[bytes, bool]:
    """Everything up to the limit; what comes after it is read and dropped, so that the writer does not hang."""
    kept = bytearray()
    total = 0
    while chunk := await stream.read(1 << 16):
        total += len(chunk)
        kept += chunk[: max(0, most_bytes - len(kept))]
    return bytes(kept), total > most_bytes


async def _feed(stream: asyncio.StreamWriter, data: bytes) -> None:
    with suppress(BrokenPipeError, ConnectionResetError):  # git may have heard enough, or may have died: its code tells
        stream.write(data)
        await stream.drain()
    stream.close()
    with suppress(BrokenPipeError, ConnectionResetError):
        await stream.wait_closed()


def _last_lines(error: bytes) -> str:
    lines = [line for line in error.decode(errors="replace").splitlines() if line.strip() and "hint:" not in line]
    return without_password(" ".join(lines[-4:]))[:1_000] or "it said nothing"
