"""What `pawl doctor` says of a home folder others can look into."""

from pathlib import Path

import pytest

from infra.doctor import Health, home_privacy
from infra.settings import Settings


@pytest.mark.parametrize(
    ("mode", "health", "fix"),
    [
        (0o700, Health.OK, ""),
        (0o755, Health.NOTE, "chmod 700 '{home}'"),
        (0o750, Health.NOTE, "chmod 700 '{home}'"),
        (0o711, Health.NOTE, "chmod 700 '{home}'"),
        (0o1777, Health.NOTE, "Name a folder of your own with PAWL_HOME."),  # /tmp must stay /tmp
    ],
)
def test_who_can_look_into_the_home_is_told_with_the_fix(tmp_path: Path, mode: int, health: Health, fix: str) -> None:
    home = tmp_path / "my home"
    home.mkdir()
    home.chmod(mode)
    found = home_privacy(Settings(home=home))
    assert (found.health, found.fix) == (health, fix.format(home=home))
    assert str(home) in found.what
    assert home.stat().st_mode & 0o7777 == mode, "it is the owner's to change"


def test_a_home_that_is_not_there_yet_is_no_trouble(tmp_path: Path) -> None:
    assert home_privacy(Settings(home=tmp_path / "none")).health is Health.OK
