"""What the demo plays on: a home of its own with its processes and sandboxes, cleared before and left empty after."""

import asyncio
import os
import shutil
import subprocess
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from infra import home
from infra.demo.project import KEPT, Project
from infra.demo.screen import Screen
from infra.demo.terms import Terms
from infra.errands import errand
from infra.exits import Refused
from infra.gateway.player import TAPE
from infra.gateway.tape import read_tape
from infra.gateway_client import keep_tape
from infra.secrets import INSTALLATION
from infra.settings import Settings
from infra.stack import Stack

_STOP_SECONDS = 5.0
_STAYS = frozenset({*KEPT, INSTALLATION, home.LOCK})
"""What is fetched once, and the name by which a sandbox vendor knows this home."""


def leave_others_alone() -> None:
    """The demo kills and forgets: never on a Temporal server or at a gateway that the environment names."""
    for name in [name for name in os.environ if name.startswith("TEMPORAL_") or name == "PAWL_GATEWAY_URL"]:
        del os.environ[name]
    os.environ["TEMPORAL_CONFIG_FILE"] = os.devnull


def own_home(operators: Settings, root: Path) -> Settings:
    """The operator's settings in a home, with board, forge, journal, gateway and sandboxes, of the demo's own."""
    places = {
        "home": root,
        "board": root / "board",
        "forge": root / "forge",
        "triage": root / "triage",
        "gateway_secret": "",
        "installation": "",
        "journal_url": "",
        "objects_url": "",
        "gateway_db_url": "",
    }
    return operators.model_copy(update=places)


def settings_for(own: Settings, project: Project, agreed: Terms) -> Settings:
    chosen = {
        "model": agreed.model,
        "reviewer_model": agreed.reviewer_model,
        "sandbox_mounts": project.sandbox_mounts,
        "sandbox_path": project.sandbox_path,
    }
    return own.model_copy(update=chosen)


def clear(own: Settings, tell: Callable[[str], None]) -> None:
    """Forget the last demo, except what was fetched, and end what it left when it was killed. Raises Refused while that
    one still runs."""
    with home.only_one(own):
        if (own.home / INSTALLATION).exists() or (own.home / "sandboxes").exists():
            _end_sandboxes(own, tell)
        for old in own.home.iterdir():
            if old.name not in _STAYS:
                shutil.rmtree(old, ignore_errors=True) if old.is_dir() else old.unlink()


async def handed_in(settings: Settings, tape: str) -> str:
    """Hand a tape of this folder to the gateway; the name of the model that plays it."""
    data = (Path(__file__).parent / tape).read_bytes()
    await keep_tape(settings, data)
    return f"{TAPE}:{read_tape(data).digest}"


@asynccontextmanager
async def running(settings: Settings, screen: Screen) -> AsyncGenerator[Stack]:
    """Server, gateway and worker, as processes of their own. Neither they nor sandboxes are left, unless somebody loses
    patience with their end."""
    stack = Stack(settings, tell=screen.heard)
    await stack.start(screen.line)
    try:
        yield stack
    finally:
        await asyncio.shield(_stopped(stack, screen))


async def _stopped(stack: Stack, screen: Screen) -> None:
    await stack.stop(_STOP_SECONDS)
    try:
        with home.only_one(stack.settings):
            await asyncio.to_thread(_end_sandboxes, stack.settings, lambda trouble: screen.text(trouble, "yellow"))
    except Refused:  # the next demo has begun, and does it itself
        return


def _end_sandboxes(settings: Settings, tell: Callable[[str], None]) -> None:
    try:
        ran = errand(settings, "end-sandboxes")
    except (subprocess.SubprocessError, OSError, UnicodeError) as error:
        trouble = str(error)
    else:
        trouble = ran.returncode and (ran.stderr.strip()[-500:] or f"exit code {ran.returncode}")
    if trouble:
        tell(f"Sandboxes of a demo may be left, until their time is over: {trouble}")
