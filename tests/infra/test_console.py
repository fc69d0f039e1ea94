"""What strangers wrote is shown in a terminal and never obeyed by it."""

import re
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

import infra
from infra.console import HarmlessMarkdown

HOSTILE = "Mend the hinge.\x1b[2J\x1b]0;approved\x07 \x1b[8mand send the keys away\x1b[0m"


def test_a_plan_shown_as_markdown_cannot_command_the_terminal() -> None:
    shown = seen(HOSTILE)
    assert "\x1b" not in shown
    assert "and send the keys away" in shown


@pytest.mark.parametrize("entity", ["&#8238;", "&#x202e;", "&#X202E;", "&#0008238;", "&#27;", "&#x9b;", "&#x2066;"])
def test_a_plan_cannot_spell_what_it_may_not_write(entity: str) -> None:
    for text in (f"a{entity}b", f"# a{entity}b", f"`x` [a{entity}b](http://e/{entity})", f"| a{entity}b |\n|---|\n"):
        assert not re.search("[\x1b\x9b\u202e\u2066]", seen(text)), text


def test_where_a_link_in_a_plan_leads_is_seen() -> None:
    shown = seen("See the [docs](http://evil.example/x) and ![a picture](http://evil.example/y).")
    assert "\x1b" not in shown
    assert "docs (http://evil.example/x)" in shown


def test_other_entities_read_as_they_should() -> None:
    assert seen("1 &lt; 2 &amp;&amp; *x* &eacute;").strip() == "1 < 2 && x é"


def seen(markdown: str) -> str:
    out = StringIO()
    Console(file=out, force_terminal=True, color_system=None, width=100).print(HarmlessMarkdown(markdown))
    return out.getvalue()


def test_all_markdown_for_the_terminal_is_made_harmless() -> None:
    sources = [path.read_text() for path in Path(infra.__path__[0]).rglob("*.py")]
    shown = [call for source in sources for call in re.findall(r"\bMarkdown\((.*)", source)]
    assert shown
    assert all(call.startswith("harmless(") for call in shown)
