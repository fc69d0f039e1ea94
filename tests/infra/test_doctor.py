"""What `pawl doctor` says of a home folder others can look into, and of settings that make no sense."""

from pathlib import Path

import pytest

from activities.sandbox.unsafe_host import CONFIRMATION
from infra.doctor import Health, home_privacy
from infra.exits import Exit
from infra.settings import Settings
from tests.infra.command_line import pawl


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


def test_one_broken_setting_does_not_hide_the_others(tmp_path: Path) -> None:
    broken = {"TEMPORAL_PROFILE": "nope", "PAWL_SANDBOX_MOUNTS": "foo", "PAWL_PRICES": "foo"}
    answer = pawl(tmp_path, "doctor", cwd=None, **broken, PAWL_GATEWAY_URL="http://127.0.0.1:x")
    assert (answer.code, answer.err) == (Exit.OUTSIDE, "")
    found = {one["check"]: one for one in answer.json["findings"]}
    named = {
        "sandbox": "PAWL_SANDBOX_MOUNTS",
        "temporal program": "TEMPORAL_PROFILE",
        "temporal server": "TEMPORAL_PROFILE",
        "gateway": "PAWL_GATEWAY_URL",
        "model": "PAWL_PRICES",
    }
    for check, name in named.items():
        assert found[check]["health"] == "broken"
        assert name in found[check]["what"] + found[check]["fix"]
    assert {found[check]["health"] for check in ("python", "git", "disk")} == {"ok"}


def sandbox_finding(home: Path, **env: str) -> dict[str, str]:
    [found] = [one for one in pawl(home, "doctor", cwd=None, **env).json["findings"] if one["check"] == "sandbox"]
    return found


def test_a_provider_that_does_not_work_here_is_told_in_its_words(tmp_path: Path) -> None:
    found = sandbox_finding(tmp_path, PAWL_SANDBOX="podman", PAWL_SANDBOX_IMAGE="x", PATH="/nowhere")
    assert (found["health"], found["what"]) == ("broken", "The program podman is not on PATH.")
    assert found["fix"] == "Install podman."


def test_a_setting_that_is_missing_is_told_with_the_fix(tmp_path: Path) -> None:
    found = sandbox_finding(tmp_path, PAWL_SANDBOX="podman")
    assert found["health"] == "broken"
    assert "needs PAWL_SANDBOX_IMAGE" in found["what"]
    assert "Correct the setting" in found["fix"]


@pytest.mark.sandbox
def test_the_bare_host_is_no_sandbox_that_is_well(tmp_path: Path) -> None:
    found = sandbox_finding(tmp_path, PAWL_SANDBOX="unsafe-host", PAWL_UNSAFE_HOST=CONFIRMATION)
    assert found["health"] == "note"
    assert "bare host" in found["what"]
    assert "PAWL_UNSAFE_HOST" in found["fix"]
