"""How commands speak: sentences and tables for people, JSON for programs, one place for every way to fail."""

import json
import re
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import click
from pydantic import BaseModel, ValidationError
from rich.console import Console as Terminal
from rich.console import ConsoleOptions, RenderResult
from rich.markup import escape
from rich.segment import Segment

from infra.exits import Exit, Misused, OutOfReach, PawlError, Told

_UNSAFE = re.compile(r"[^\S \n\t]|[\x00-\x08\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
Json = Mapping[str, Any] | BaseModel


class Console:
    """Where a command's results go. Results go to standard output, remarks on the way to standard error."""

    def __init__(self, as_json: bool) -> None:
        self.as_json = as_json
        self.terminal = Terminal(highlight=False, soft_wrap=True)
        self._remarks = Terminal(stderr=True, highlight=False, soft_wrap=True)

    def result(self, data: Json, show: Callable[[Terminal], None]) -> None:
        """The command's answer: one line of JSON, or what `show` prints for people."""
        if self.as_json:
            self.line(data)
        else:
            show(self.terminal)

    def line(self, data: Json) -> None:
        """One JSON object on a line of its own, at once."""
        print(_json(data), flush=True)

    def remark(self, sentence: str) -> None:
        """Something to know on the way, for people only."""
        if not self.as_json:
            self._remarks.print(safe(sentence), style="dim")

    def failure(self, code: Exit, cause: str, next_step: str) -> None:
        if self.as_json:
            self.line({"error": {"code": int(code), "kind": code.name.lower(), "message": cause, "next": next_step}})
            return
        self._remarks.print(f"[bold red]{safe(cause)}[/]")
        if next_step:
            self._remarks.print(safe(next_step))


def safe(text: str) -> str:
    """Text of unknown origin as a terminal may show it: no markup, no escape sequences, nothing that turns the
    direction of writing."""
    return escape(harmless(text))


def harmless(text: str) -> str:
    """The same where markup means nothing, as inside Markdown."""
    return _UNSAFE.sub("\N{REPLACEMENT CHARACTER}", text)


class HarmlessMarkdown:
    """Markdown of unknown origin as a terminal may show it: as `harmless`, also where it spells a character as an
    entity, and with every link's address in sight."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __rich_console__(self, terminal: Terminal, options: ConsoleOptions) -> RenderResult:
        from rich.markdown import Markdown  # here, because few commands show any

        for segment in terminal.render(Markdown(harmless(self._text), hyperlinks=False), options):
            yield segment if segment.control else Segment(harmless(segment.text), segment.style)


def wants_json(arguments: list[str]) -> bool:
    """Asked for with `--json`, or when nobody looks: standard output is not a terminal."""
    return "--json" in arguments or not sys.stdout.isatty()


def run_cli(cli: click.Command, arguments: list[str]) -> Exit:
    """Run a command line to its end; the exit code. Whatever goes wrong is told once, as cause and next step."""
    console = Console(wants_json(arguments))
    try:
        _refuse_undecodable(arguments)
        cli.main(arguments, prog_name="pawl", standalone_mode=False, obj=console)
    except click.exceptions.NoArgsIsHelpError as error:
        print(error.format_message())
        return Exit.USAGE
    except (KeyboardInterrupt, click.Abort):
        return Exit.INTERRUPTED
    except Told as told:
        return told.code
    except BrokenPipeError:  # the reader of our output had enough
        return Exit.OK
    except Exception as error:
        if "--debug" in arguments:
            traceback.print_exc()
        problem = understood(error)
        console.failure(problem.exit, problem.cause, problem.next_step)
        return problem.exit
    return Exit.OK


def _refuse_undecodable(arguments: Sequence[str]) -> None:
    """Bytes of the command line that are no UTF-8 arrive as surrogates, which no server, file or terminal takes."""
    for place, argument in enumerate(arguments, start=1):
        try:
            argument.encode()
        except UnicodeEncodeError:
            raise Misused(f"Argument {place} is not UTF-8.", "Type it again in a terminal that speaks UTF-8.") from None


def understood(error: Exception) -> PawlError:
    """Any error in our terms: who is to blame, and what can be done."""
    match error:
        case PawlError():
            return error
        case click.ClickException():
            where = error.ctx if isinstance(error, click.UsageError) else None
            return Misused(error.format_message(), f"See `{where.command_path} --help`." if where else "")
        case ValidationError():
            return _invalid(error)
        case TimeoutError():
            return OutOfReach("An answer did not come in time.", "`pawl doctor` looks for the cause.")
        case OSError():
            return OutOfReach(f"This machine refused: {error}.", "Check the path and its permissions.")
        case _:
            return _of_a_library(error)


def _invalid(error: ValidationError) -> PawlError:
    if error.title.endswith("Settings"):
        from infra.settings import unusable  # read by then, and not needed to say `pawl --help`

        return unusable(error)
    first = error.errors()[0]
    name = ".".join(str(part) for part in first["loc"])
    return Misused(f"{name} cannot be used: {first['msg']}.")


def _of_a_library(error: Exception) -> PawlError:
    from httpx import HTTPError, InvalidURL  # here, because a command that needs none should not wait for them
    from sqlalchemy.exc import SQLAlchemyError
    from temporalio.service import RPCError

    from infra.temporal import in_our_words, misread

    if isinstance(error, RPCError):
        return in_our_words("what was asked for", error)
    if isinstance(error, RuntimeError) and type(error).__name__ == "ConfigError":  # the SDK's; it has no public name
        return misread(error)
    if isinstance(error, InvalidURL):
        return Misused(f"A URL cannot be used: {error}.", "Correct PAWL_GATEWAY_URL.")
    if isinstance(error, HTTPError):
        return OutOfReach(f"A service cannot be reached: {error}.", "`pawl doctor` looks for the cause.")
    if isinstance(error, SQLAlchemyError):
        return OutOfReach(f"The database failed: {error.args[0]}.", "Check PAWL_HOME and the database URLs.")
    return PawlError(f"Pawl made a mistake: {type(error).__name__}: {error}", "Run it again with --debug.")


def _json(data: Json) -> str:
    if isinstance(data, BaseModel):
        return data.model_dump_json()
    return json.dumps(data, default=_plain, ensure_ascii=False)


def _plain(value: object) -> object:
    return value.model_dump(mode="json") if isinstance(value, BaseModel) else str(value)
