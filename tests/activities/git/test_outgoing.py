"""What speaks against a change that is about to leave: tables for its size and its names."""

from collections.abc import Mapping

import pytest

from activities.git.outgoing import is_binary, is_pointer, oversize, touched, unportable
from workflows.domain.policy import ChangeLimits

LIMITS = ChangeLimits(max_files=2, max_lines=10, max_file_mb=1, max_mb=2)
MIB = 1024 * 1024
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 12\n"


@pytest.mark.parametrize(
    ("sizes", "lines", "files", "says"),
    [
        ({"a": MIB, "b": MIB}, 10, 2, None),  # limits are inclusive
        ({}, 10, 3, "It changes 3 files; 2 may be."),
        ({}, 11, 1, "It changes 11 lines; 10 may be."),
        ({"a": MIB + 1}, 1, 1, "a has 1,048,577 bytes; a file may have 1 MiB."),
        ({"a": MIB, "b": MIB, "c": 1}, 1, 2, "Its files have 2,097,153 bytes together; 2 MiB may leave."),
    ],
)
def test_a_size_that_is_too_large_is_said_with_the_limit(
    sizes: Mapping[str, int], lines: int, files: int, says: str | None
) -> None:
    said = list(oversize(sizes, lines, files, LIMITS))
    assert said == [] if says is None else len(said) == 1 and said[0].startswith(says)


@pytest.mark.parametrize(
    ("added", "before", "says"),
    [
        ("src/new.py", ["src/app.py"], None),
        ("-rf", [], None),  # a leading dash is a name: every command of ours is told where options end
        ("--output=x", [], None),
        ("con.md", [], "con.md is a name that Windows cannot hold"),
        ("src/AUX/x.py", [], "src/AUX is a name that Windows cannot hold"),
        ("COM1", [], "Windows cannot hold"),
        ("lpt¹.txt", [], "Windows cannot hold"),
        ("console.py", [], None),
        ("com10", [], None),
        ("a:b", [], "Windows cannot hold"),
        (".git::$INDEX_ALLOCATION", [], "Windows cannot hold"),
        ("what?.txt", [], "Windows cannot hold"),
        ("back\\slash", [], "Windows cannot hold"),
        ("dot.", [], "Windows cannot hold"),
        ("blank /x", [], "blank  is a name that Windows cannot hold"),
        ("readme.md", ["README.md"], "readme.md and README.md are one file to Windows and Macs"),
        ("SRC/new.py", ["src/app.py"], "SRC and src are one file"),
        ("stra\u00dfe", ["STRASSE"], "one file"),
        ("cafe\u0301", ["caf\u00e9"], "one file"),  # two spellings of one word
        ("Foo/new.txt", ["Foo/a", "foo/b"], None),  # they were there before: nobody's work to mend them
        ("aux/new.txt", ["aux/old.txt"], None),
    ],
)
def test_names_new_to_the_repository_can_be_checked_out_everywhere(
    added: str, before: list[str], says: str | None
) -> None:
    said = list(unportable([added], before, [*before, added]))
    assert said == [] if says is None else len(said) == 1 and says in said[0]


def test_a_file_that_only_changes_its_case_collides_with_nothing() -> None:
    assert list(unportable(["readme.md"], ["README.md"], ["readme.md"])) == []


def test_the_raw_listing_is_read() -> None:
    raw = (
        b":100644 000000 " + b"a" * 40 + b" " + b"0" * 40 + b" D\0gone\0"
        b":000000 160000 " + b"0" * 40 + b" " + b"b" * 40 + b" A\0sub\0"
        b":100644 120000 " + b"a" * 40 + b" " + b"c" * 40 + b" T\0a\tb\0"
    )
    found = list(touched(raw))
    assert [(one.path, one.status, one.is_file) for one in found] == [
        ("gone", "D", False),
        ("sub", "A", False),
        ("a\tb", "T", False),
    ]


@pytest.mark.parametrize(
    ("content", "pointer", "binary"),
    [
        (POINTER, True, False),
        (POINTER + b"x" * 2_000, False, False),
        (b"version https://git-lfs.github.com/spec/v1\n", False, False),
        (b"text\n", False, False),
        (b"", False, False),
        (b"PNG\0", False, True),
        (b"x" * 9_000 + b"\0", False, False),  # git looks at the beginning as well
    ],
)
def test_what_a_file_is_by_its_content(content: bytes, pointer: bool, binary: bool) -> None:
    assert (is_pointer(content), is_binary(content)) == (pointer, binary)
