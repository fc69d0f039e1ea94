"""`pawl doctor`: everything Pawl needs, looked at one by one, each with the exact fix."""

import os
import shlex
import shutil
import stat
import subprocess
import sys
from collections.abc import Awaitable, Callable

from rich.console import Console as Terminal

from infra import board, gateway_client, home, temporal, temporal_cli
from infra.connections_check import look_at_connections
from infra.console import Console, safe, understood
from infra.errands import errand
from infra.exits import Misused, OutOfReach, PawlError, Told
from infra.findings import Finding, Health
from infra.gateway.prices import PriceList
from infra.gateway.providers import providers
from infra.gateway.settings import GatewaySettings
from infra.parts import absolute, server_is_elsewhere
from infra.settings import Settings
from workflows import names
from workflows.domain.model import Record
from workflows.domain.words import counted

_NEEDED_DISK_MB = 1_000
_UP = "Start everything with `pawl up`."


class _Tried(Record):
    """What activities/errands.py prints."""

    ok: bool
    message: str
    fix: str = ""


async def doctor(console: Console, settings: Settings) -> None:
    """Look at everything, tell all of it. Ends as a failure when something is broken."""
    settings = absolute(home.located(settings))
    findings = [finding for name, check in _CHECKS.items() for finding in await _found(name, check, settings)]
    broken = [finding for finding in findings if finding.health is Health.BROKEN]
    console.result({"ok": not broken, "findings": findings}, lambda terminal: _show(terminal, findings))
    if broken:
        raise Told(OutOfReach.exit)


async def _found(name: str, check: "_Check", settings: Settings) -> list[Finding]:
    """What the check finds, or why it could not look: one broken setting must not hide what the others tell."""
    try:
        found = check(settings)
        found = found if isinstance(found, Finding | list) else await found
    except Exception as error:
        problem = understood(error)
        return [Finding(check=name, health=Health.BROKEN, what=problem.cause, fix=problem.next_step)]
    return [found] if isinstance(found, Finding) else found


def _show(terminal: Terminal, findings: list[Finding]) -> None:
    styles = {Health.OK: "green", Health.NOTE: "yellow", Health.BROKEN: "bold red"}
    for finding in findings:
        style = styles[finding.health]
        terminal.print(f"[{style}]{finding.health:>6}[/]  {finding.check}: {safe(finding.what)}")
        if finding.fix:
            terminal.print(f"        {safe(finding.fix)}")


def _python(_: Settings) -> Finding:
    version = ".".join(str(part) for part in sys.version_info[:3])
    return Finding(check="python", health=Health.OK, what=f"{version} ({sys.executable})")


def _git(_: Settings) -> Finding:
    said = _output("git", "--version")
    if said is None:
        return Finding(check="git", health=Health.BROKEN, what="not found", fix="sudo apt-get install -y git")
    return Finding(check="git", health=Health.OK, what=said)


def home_privacy(settings: Settings) -> Finding:
    """Plans, transcripts and code lie there: who can look?"""
    folder = settings.home
    if not folder.is_dir():
        return Finding(check="home", health=Health.OK, what=f"{folder} does not exist yet; it is made for you only")
    about = folder.stat()
    mode = stat.S_IMODE(about.st_mode)
    if not mode & 0o077:
        return Finding(check="home", health=Health.OK, what=f"{folder}, for its owner only")
    ours = about.st_uid == os.geteuid() and not mode & stat.S_ISVTX
    fix = f"chmod 700 {shlex.quote(str(folder))}" if ours else "Name a folder of your own with PAWL_HOME."
    return Finding(check="home", health=Health.NOTE, what=f"others can look into {folder} (mode {mode:o})", fix=fix)


def _sandbox(settings: Settings) -> Finding:
    """A process of its own tries a real sandbox: this side never loads the adapters."""
    try:
        ran = errand(settings, "check-sandbox")
    except subprocess.TimeoutExpired:
        return Finding(check="sandbox", health=Health.BROKEN, what="no answer within 60 s", fix="Try it again.")
    try:
        tried = _Tried.model_validate_json(ran.stdout.strip().rpartition("\n")[2])
    except ValueError:
        what = (ran.stderr.strip() or ran.stdout.strip()).rpartition("\n")[2][:300]
        return Finding(check="sandbox", health=Health.BROKEN, what=what, fix="Mend what it says.")
    if tried.ok and settings.sandbox == "unsafe-host":
        what = "There is none: commands of tickets run on the bare host, with the worker's rights."
        fix = "Leave PAWL_SANDBOX and PAWL_UNSAFE_HOST away, unless you would run all that code yourself."
        return Finding(check="sandbox", health=Health.NOTE, what=what, fix=fix)
    return Finding(check="sandbox", health=Health.OK if tried.ok else Health.BROKEN, what=tried.message, fix=tried.fix)


def _temporal_program(settings: Settings) -> Finding:
    if server_is_elsewhere():
        return Finding(check="temporal program", health=Health.OK, what="not needed: the environment names a server")
    try:
        program = temporal_cli.found(settings)
    except PawlError as error:
        return Finding(check="temporal program", health=Health.BROKEN, what=error.cause, fix=error.next_step)
    if program is None:
        fix = (
            "Run `make setup`, which downloads or builds it, or install the Temporal CLI: https://docs.temporal.io/cli"
        )
        return Finding(check="temporal program", health=Health.BROKEN, what="not found", fix=fix)
    return Finding(check="temporal program", health=Health.OK, what=str(program))


def _board(settings: Settings) -> Finding:
    folder = settings.board_folder
    if not folder.is_dir():
        fix = "`pawl run FILE.md` makes it, or name yours with PAWL_BOARD."
        return Finding(check="board", health=Health.NOTE, what=f"{folder} does not exist", fix=fix)
    listing = board.list_tickets(folder)
    if listing.unreadable:
        what = "; ".join(str(error) for error in listing.unreadable[:3])
        return Finding(check="board", health=Health.NOTE, what=what, fix="Mend these cards; the others work.")
    return Finding(check="board", health=Health.OK, what=f"{counted(len(listing.tickets), 'card')} in {folder}")


def _disk(settings: Settings) -> Finding:
    folder = next(path for path in (settings.home, *settings.home.absolute().parents) if path.is_dir())
    free = shutil.disk_usage(folder).free // 1_000_000
    if not os.access(folder, os.W_OK):
        fix = "Choose another folder with PAWL_HOME."
        return Finding(check="disk", health=Health.BROKEN, what=f"{folder} cannot be written", fix=fix)
    if free < _NEEDED_DISK_MB:
        fix = f"Free some space, or choose another folder with PAWL_HOME. {_NEEDED_DISK_MB} MB are little enough."
        return Finding(check="disk", health=Health.BROKEN, what=f"{free} MB free in {folder}", fix=fix)
    return Finding(check="disk", health=Health.OK, what=f"{free:,} MB free in {folder}")


async def _server_and_worker(settings: Settings) -> list[Finding]:
    try:
        client = await temporal.connect(settings, wait_seconds=5)
        missing = await temporal.missing_search_attributes(client)
    except Misused:
        raise
    except PawlError as error:
        fix = error.next_step or _UP
        return [Finding(check="temporal server", health=Health.NOTE, what=error.cause, fix=fix)]
    address = str(temporal.connection(settings).get("target_host", ""))
    findings = [Finding(check="temporal server", health=Health.OK, what=f"{address}, namespace {client.namespace}")]
    if missing:
        fix = "A worker adds them when it starts; if it may not, ask the namespace's operator to."
        what = f"{', '.join(sorted(missing))} missing"
        findings.append(Finding(check="search attributes", health=Health.NOTE, what=what, fix=fix))
    else:
        findings.append(Finding(check="search attributes", health=Health.OK, what="all there"))
    pollers = await temporal.pollers(client, names.WORK)
    if pollers:
        findings.append(Finding(check="worker", health=Health.OK, what=", ".join(sorted(pollers))))
    else:
        findings.append(Finding(check="worker", health=Health.NOTE, what="none asks for work", fix=_UP))
    return findings


async def _gateway(settings: Settings) -> Finding:
    if await gateway_client.is_healthy(settings):
        return Finding(check="gateway", health=Health.OK, what=settings.gateway_url)
    return Finding(check="gateway", health=Health.NOTE, what=f"nobody answers at {settings.gateway_url}", fix=_UP)


def _model(settings: Settings) -> Finding:
    """Key and price of the default model, as a gateway started from this shell would see them."""
    own = GatewaySettings()
    if not settings.model:
        fix = "Set PAWL_MODEL=provider:model, or name one with --model. A tape needs none."
        return Finding(check="model", health=Health.NOTE, what="no default model", fix=fix)
    vendor = providers(own).get(settings.model.partition(":")[0])
    if vendor is None:
        fix = f"Name it as provider:model, with a provider of {', '.join(providers(own))}."
        return Finding(check="model", health=Health.BROKEN, what=f"{settings.model} is not known", fix=fix)
    if not vendor.key:
        fix = f"Set {vendor.key_variable} where the gateway is started."
        return Finding(check="model", health=Health.NOTE, what=f"no key for {vendor.name} in this shell", fix=fix)
    if not PriceList(own.prices).knows(settings.model):
        fix = "Set PAWL_PRICES, or a ceiling in tokens instead of dollars."
        return Finding(check="model", health=Health.BROKEN, what=f"{settings.model} has no known price", fix=fix)
    return Finding(check="model", health=Health.OK, what=f"{settings.model}: key and price are there")


_Check = Callable[[Settings], Finding | list[Finding] | Awaitable[Finding | list[Finding]]]
_CHECKS: dict[str, _Check] = {
    "python": _python,
    "git": _git,
    "home": home_privacy,
    "sandbox": _sandbox,
    "temporal program": _temporal_program,
    "board": _board,
    "disk": _disk,
    "temporal server": _server_and_worker,
    "gateway": _gateway,
    "model": _model,
    "connections": look_at_connections,
}
"""By the name under which a check is told that could not look."""


def _output(*argv: str) -> str | None:
    """The first line a program prints; None when it cannot be run."""
    try:
        said = subprocess.run(argv, capture_output=True, text=True, timeout=10, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    return said.partition("\n")[0].strip()
