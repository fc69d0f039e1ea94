"""Words of untrusted origin: seen in full, taken for what they are."""

import sys
from unicodedata import category, name

import pytest

from workflows.domain.environment import Environment, EnvironmentKind
from workflows.domain.shown import code, fenced, indented, visible
from workflows.domain.words import sandbox_words, strike_comment

READABLE = "Größe, 日本語, नमस्ते, \u26a0\ufe0f \U0001f44d\U0001f3fd"


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("two\nlines\tand größe", "two\nlines\tand größe"),
        ("\x1b]0;owned\x07\x1b[2J", r"\u001b]0;owned\u0007\u001b[2J"),
        ("img\u202egnp.exe\u2028", r"img\u202egnp.exe\u2028"),
        ("ok\U000e0069\U000e0067", r"ok\U000e0069\U000e0067"),
        ("a\ufe0fb\U000e0101\u00adc\u061c\u3164", r"a\ufe0fb\U000e0101\u00adc\u061c\u3164"),
        (READABLE, READABLE),
        ("\u26a0\ufe0f\ufe0f", "\u26a0\ufe0f" + r"\ufe0f"),
    ],
)
def test_what_a_screen_would_not_show_is_written_out(text: str, seen: str) -> None:
    assert visible(text) == seen


def test_nothing_of_unicode_that_formats_or_controls_is_left() -> None:
    every = [chr(number) for number in range(sys.maxunicode + 1)]
    hidden = [
        one for one in every if category(one) in ("Cc", "Cf", "Zl", "Zp") or "VARIATION SELECTOR" in name(one, "")
    ]
    assert [one for one in hidden if visible(f"x{one}") == f"x{one}"] == ["\t", "\n"]
    assert all(visible(visible(f"x{one}")) == visible(f"x{one}") for one in hidden)


def test_a_name_stays_in_its_span() -> None:
    assert code("x` **Approved**\n\n# y\x1b") == r"`x' **Approved**  # y\u001b`"


def test_output_stays_a_block_without_its_colours() -> None:
    assert indented("\x1b[31mred\x1b[0m\r\n# no heading\n") == "    red\n    # no heading"
    joined = " ".join(fenced("a\n```\n**Approved**\n![x](http://evil.example)").split())
    assert "```" not in fenced("`\x1b[0m``").strip("`")
    assert joined == "``` a ''' **Approved** ![x](http://evil.example) ```"


def test_nothing_of_a_repository_is_an_order_to_the_screen() -> None:
    made = Environment(kind=EnvironmentKind.DEVCONTAINER, image="x\n\n**Approved** \x1b[2J <img src=y>")
    said = sandbox_words("bubblewrap", made.words, 1, 0, ())
    assert said.endswith(r"environment: devcontainer (image `x  **Approved** \u001b[2J <img src=y>`).")
    assert strike_comment("Strike 1", "\x1b[2Joops") == "Strike 1\n\n    \\u001b[2Joops"
