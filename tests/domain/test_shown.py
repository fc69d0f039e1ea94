"""Words of untrusted origin: seen in full, taken for what they are."""

import pytest

from workflows.domain.environment import Environment, EnvironmentKind
from workflows.domain.shown import code, fenced, indented, visible
from workflows.domain.words import sandbox_words, strike_comment


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("two\nlines\tand größe", "two\nlines\tand größe"),
        ("\x1b]0;owned\x07\x1b[2J", r"\u001b]0;owned\u0007\u001b[2J"),
        ("img\u202egnp.exe\u2028", r"img\u202egnp.exe\u2028"),
    ],
)
def test_what_a_screen_would_not_show_is_written_out(text: str, seen: str) -> None:
    assert visible(text) == seen


def test_a_name_stays_in_its_span() -> None:
    assert code("x` **Approved**\n\n# y\x1b") == r"`x' **Approved**  # y\u001b`"


def test_output_stays_a_block_without_its_colours() -> None:
    assert indented("\x1b[31mred\x1b[0m\r\n# no heading\n") == "    red\n    # no heading"
    joined = " ".join(fenced("a\n```\n**Approved**\n![x](http://evil.example)").split())
    assert joined == "``` a ''' **Approved** ![x](http://evil.example) ```"


def test_nothing_of_a_repository_is_an_order_to_the_screen() -> None:
    made = Environment(kind=EnvironmentKind.DEVCONTAINER, image="x\n\n**Approved** \x1b[2J <img src=y>")
    said = sandbox_words("bubblewrap", made.words, 1, 0, ())
    assert said.endswith(r"environment: devcontainer (image `x  **Approved** \u001b[2J <img src=y>`).")
    assert strike_comment("Strike 1", "\x1b[2Joops") == "Strike 1\n\n    \\u001b[2Joops"
