"""Pages that people and Pawl write in turns: front matter, comments found by their keys, whatever the text holds."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra import board
from infra.pages import FrontMatter, Page

words = st.text(st.characters(exclude_categories=["Cs", "Cc"], include_characters="\n"), max_size=40)


@given(title=words, labels=st.lists(words, max_size=4), body=words)
def test_front_matter_reads_back_what_it_wrote(title: str, labels: list[str], body: str) -> None:
    data = Page(FrontMatter.of({"title": title, "labels": labels}), body).render()
    page = Page.parse(data)
    assert page.head.values() == {"title": title, "labels": labels}
    assert page.text == body
    assert page.render() == data


@given(texts=st.lists(words, min_size=1, max_size=5))
def test_every_comment_is_found_by_its_key_and_only_by_it(texts: list[str]) -> None:
    page = Page(FrontMatter.of({}), "body")
    for number, text in enumerate(texts):
        page.add_comment("## Comments", f"key {number} -->", text)
    page = Page.parse(page.render())
    assert all(page.has_comment(f"key {n} -->") for n in range(len(texts)))
    assert not page.has_comment(f"key {len(texts)} -->")
    assert page.body("## Comments") == "body"


@pytest.mark.parametrize(
    "body",
    [
        "```parse(x)``` fails when x is empty.",
        "Log:\n```\nTraceback, and nobody closed the block\n",
        "text\n~~~\ncode\n```\nmore",
        "````\n```\ninner\n```\n````\nouter",
        "```\n## Comments\nnot the heading\n```\ntext",
    ],
)
def test_whatever_code_a_text_holds_a_comment_is_said_once_and_is_no_part_of_it(tmp_path: Path, body: str) -> None:
    board.create_ticket(tmp_path, "T-1", "A title", body)
    for _ in range(2):
        board.comment(tmp_path, "T-1", "a/plan_gate-1", "the plan")
    card = (tmp_path / "T-1.md").read_text()
    assert (card.count("the plan"), card.count("<!-- pawl:a/plan_gate-1 -->")) == (1, 1)
    assert board.read(tmp_path, "T-1").body == body.strip()


def test_many_blocks_that_nobody_closed_are_read_in_one_go(tmp_path: Path) -> None:
    board.create_ticket(tmp_path, "T-1", "A title", "```python\n~~~ruby\n" * 20_000)
    board.comment(tmp_path, "T-1", "key", "found")
    assert board.read(tmp_path, "T-1").body.count("ruby") == 20_000
