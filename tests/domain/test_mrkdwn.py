"""Markdown in Slack's markup: readable, escaped, and never longer than a section may be."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflows.domain.mrkdwn import escaped, mrkdwn, one_line, plain, sections


@pytest.mark.parametrize(
    ("markdown", "expected"),
    [
        ("# A **plan** #", "*A plan*"),
        ("**bold** and *it* and __b__", "*bold* and _it_ and *b*"),
        ("~~gone~~ snake_case_name 2*3*4", "~gone~ snake_case_name 2*3*4"),
        ("- one\n* two\n  + three\n1. four", "• one\n• two\n  • three\n1. four"),
        ("[the *log*](https://x.y/a_b?c=1&d=2).", "the _log_ <https://x.y/a_b?c=1&amp;d=2>."),
        ("see https://x.y/z, now", "see <https://x.y/z>, now"),
        ("`a*b*c` and `open", "`a*b*c` and 'open"),
        ("```py\nx = a<b  # **no**\n```", "```\nx = a&lt;b  # **no**\n```"),
        ("```\nnever closed", "```\nnever closed\n```"),
        ("[x](javascript:alert)", "[x](javascript:alert)"),
        ("<!channel> & <@U1>", "&lt;!channel&gt; &amp; &lt;@U1&gt;"),
        ("**not\nacross lines**", "**not\nacross lines**"),
    ],
)
def test_markdown_as_slack_shows_it(markdown: str, expected: str) -> None:
    assert mrkdwn(markdown) == expected


@given(st.text(alphabet="<>&|!@#*_~`[]()-\n\x01 ahtps:/.", max_size=3_000))
def test_no_text_makes_a_token_of_its_own(text: str) -> None:
    for piece in (mrkdwn(text), *sections(text, 3), one_line(text, 50)):
        for token in piece.split("<")[1:]:
            address, closed, _ = token.partition(">")
            assert closed
            assert address.startswith(("http://", "https://"))
            assert "|" not in address


@given(st.text(alphabet="&<`\n x", max_size=9_000), st.integers(1, 5))
def test_sections_fit_and_keep_code_closed(text: str, most: int) -> None:
    pieces = sections(text * 3, most)
    assert len(pieces) <= most
    assert all(0 < len(piece) <= 3_000 for piece in pieces)
    assert all(piece.split("\n").count("```") % 2 == 0 for piece in pieces)


@pytest.mark.parametrize("text", ["a < b && c > d", "https://x.y/?a=1&b=2", "&lt;b&gt;"])
def test_what_was_escaped_reads_as_it_was(text: str) -> None:
    assert plain(escaped(text)) == text


def test_what_people_write_in_slack_is_read_as_text() -> None:
    said = "<@U1> see <https://a.b/c?d&amp;e|a.b> in <#C1|shop> <!here> <mailto:a@b.c|a@b.c> &lt;x&gt;"
    assert plain(said) == "@U1 see https://a.b/c?d&e in #C1 here a@b.c <x>"


@pytest.mark.parametrize("part", ["[", "[a", "[](", "[a](http://a "])
def test_no_text_takes_long(part: str) -> None:
    begun = time.process_time()
    sections(part * (60_000 // len(part)), most=20)
    assert time.process_time() - begun < 2
