"""What comes again counts once, and the memory of it has an end."""

from workflows.domain.heard import Heard


def test_what_comes_again_counts_once() -> None:
    heard = Heard()
    assert [heard.first(name) for name in ("a", "b", "a", "b", "c")] == [True, True, False, False, True]
    assert "c" in heard


def test_only_the_newest_are_remembered() -> None:
    heard = Heard(most=2)
    assert [heard.first(name) for name in ("a", "b", "c")] == [True] * 3
    assert "a" not in heard
    assert "b" in heard
