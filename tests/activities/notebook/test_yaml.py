"""What is written is read back as it was, whatever it holds; what cannot be read says where."""

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from activities.notebook.reading import Unreadable, read_yaml
from activities.notebook.writing import pair, scalar

_texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
_lines = st.lists(st.sampled_from(["", " ", "  x", "x", "# no comment", "- x", "a: b", "\tx", "---", "x "])).map(
    "\n".join
)
_values = st.recursive(
    _texts | _lines,
    lambda inner: st.lists(inner, min_size=1, max_size=3) | st.dictionaries(_texts, inner, min_size=1, max_size=3),
    max_leaves=8,
)


def read(lines: list[str]) -> object:
    return read_yaml("\n".join(lines) + "\n").plain


@given(_values)
def test_what_is_written_is_read_back(value: object) -> None:
    assert read([*pair("a", value, 0), *pair("b", "end", 0)]) == {"a": value, "b": "end"}


@given(_texts | _lines | st.sampled_from(["0123456789", "12345e6789", "no", "NULL", "~", "1_0", "0x1f", "2026-11-22"]))
def test_other_programs_read_the_same_text(text: str) -> None:
    said: object = yaml.safe_load("\n".join([*pair("a", text, 0), *pair("b", "end", 0)]) + "\n")
    assert said == {"a": text, "b": "end"}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("tests/test_a.py::test_two[x-1]", "tests/test_a.py::test_two[x-1]"),
        ("3f2a9c10ab", "3f2a9c10ab"),
        ("0123456789", '"0123456789"'),
        ("12345e6789", '"12345e6789"'),
        ("a: b", '"a: b"'),
        ("no", '"no"'),
        ("hidden\u200b", '"hidden\\u200b"'),
        ("half \ud83d", '"half \ufffd"'),
    ],
)
def test_only_what_could_be_misread_is_quoted(text: str, shown: str) -> None:
    assert scalar(text) == shown


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: 1\nb: [1", "line 3: this is not YAML"),
        ("a: 1\n\tb: 1", "line 2: this is not YAML"),
        ("a: 1\nb: \x01", "line 2: it holds a character that no YAML may hold"),
        ("a: &x 1\nb: *x", "line 2: anchors and aliases are not read here: write it out"),
        ("a: 1\na: 2", "line 2: 'a' is written twice"),
        ("[a]: 1", "line 1: a key must be a word"),
        ("a: 1\n---\nb: 1", "line 2: there is a second document here"),
        ("[" * 3_000_000, "line 1: there is more in this than a state file can mean"),
        ("- - - - - - - - - - - - - - - - - - - - - - - - a", "line 1: there is more in this"),
    ],
)
def test_what_cannot_be_read_says_where_and_why(text: str, says: str) -> None:
    with pytest.raises(Unreadable) as caught:
        read_yaml(text)
    assert str(caught.value).startswith(says)


def test_nothing_is_an_empty_mapping() -> None:
    assert read_yaml("# only a comment\n").plain == {}
