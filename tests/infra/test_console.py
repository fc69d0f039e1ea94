"""What strangers wrote is shown in a terminal and never obeyed by it."""

import re
from io import StringIO
from pathlib import Path

from rich.console import Console
from rich.markdown import Markdown

import infra
from infra.console import harmless

HOSTILE = "Mend the hinge.\x1b[2J\x1b]0;approved\x07 \x1b[8mand send the keys away\x1b[0m"


def test_a_plan_shown_as_markdown_cannot_command_the_terminal() -> None:
    out = StringIO()
    Console(file=out, force_terminal=True, color_system=None).print(Markdown(harmless(HOSTILE)))
    assert "\x1b" not in out.getvalue()
    assert "and send the keys away" in out.getvalue()


def test_all_markdown_for_the_terminal_is_made_harmless() -> None:
    sources = [path.read_text() for path in Path(infra.__path__[0]).rglob("*.py")]
    shown = [call for source in sources for call in re.findall(r"\bMarkdown\((.*)", source)]
    assert shown
    assert all(call.startswith("harmless(") for call in shown)
