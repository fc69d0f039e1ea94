"""Equal fingerprints for the same failure at another time and place, different ones for different failures."""

import pytest

from workflows.domain.fingerprint import fingerprint


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("FAILED in 0.12s", "FAILED in 14.3s"),
        ("took 12 ms", "took 9 ms"),
        ("1 failed in 61.20 seconds", "1 failed in 7 seconds"),
        ("<Foo object at 0x7f3a12>", "<Foo object at 0xdeadBEEF>"),
        ("File /tmp/pytest-of-x/pytest-3/test_a0/out.txt missing", "File /tmp/pytest-of-y/pytest-9/test_a0/o missing"),
        ("2024-01-02T03:04:05.678Z ERROR boom", "2025-11-12T13:14:15Z ERROR boom"),
        ("12:00:01,5 ERROR boom", "9:59:59 ERROR boom"),
        ("run 123e4567-e89b-12d3-a456-426614174000", "run 00000000-0000-0000-0000-000000000000"),
        ("pid=12 port 8080", "pid=99999 port 31337"),
        ("\x1b[31mFAILED\x1b[0m", "FAILED"),
        ("a\n[1,234 characters cut]\nb", "a\n[9 characters cut]\nb"),
        ("E  assert 1 == 2   ", "E  assert 1 == 2"),
    ],
)
def test_what_differs_from_run_to_run_does_not_count(one: str, other: str) -> None:
    assert fingerprint(one) == fingerprint(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("E  assert 1 == 2", "E  assert 1 == 3"),
        ("2 failed, 1 passed in 1s", "1 failed, 2 passed in 1s"),
        ("src/a.py:12: error", "src/a.py:13: error"),
        ("", "x"),
    ],
)
def test_what_a_change_can_make_different_counts(one: str, other: str) -> None:
    assert fingerprint(one) != fingerprint(other)
