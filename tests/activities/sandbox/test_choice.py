"""PAWL_SANDBOX: every provider can be had by its name, and what is missing is said before anything starts."""

import re
import sys
from pathlib import Path

import pytest

from activities.sandbox import choice
from activities.sandbox.choice import chosen_sandbox
from activities.sandbox.unsafe_host import CONFIRMATION
from infra.settings import Settings
from workflows.ports.sandbox import BadSpec, SandboxError

ROOT = Path(__file__).resolve().parents[3]
IMAGE = {"sandbox_image": "python:3.13-bookworm"}
ENVIRON = {
    "MODAL_TOKEN_ID": "ak-x",
    "MODAL_TOKEN_SECRET": "as-x",
    "E2B_API_KEY": "e2b_0123456789012345678901234567890123456789",
    "DAYTONA_API_KEY": "dtn_x",
    "RUNLOOP_API_KEY": "x",
    "NORTHFLANK_API_TOKEN": "x",
    "NORTHFLANK_PROJECT": "p",
    "NORTHFLANK_POLICY": "q",
}


@pytest.mark.parametrize(
    ("name", "tier", "more"),
    [
        ("bubblewrap", "bubblewrap", {}),
        ("modal", "Modal", {}),
        ("e2b", "E2B", {}),
        ("daytona", "Daytona", {}),
        ("runloop", "Runloop", {}),
        ("northflank", "Northflank", IMAGE),
        ("unsafe-host", "NO SANDBOX", {"unsafe_host": CONFIRMATION}),
    ],
)
async def test_a_provider_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, tier: str, more: dict[str, str]
) -> None:
    for variable, value in ENVIRON.items():
        monkeypatch.setenv(variable, value)
    settings = Settings.model_validate({"home": tmp_path, "sandbox": name, **more})
    sandbox = await chosen_sandbox(settings)
    assert tier.lower() in sandbox.capabilities.tier.lower()


@pytest.mark.parametrize(("name", "variable"), [("modal", "MODAL_EVERY_PORT"), ("runloop", "RUNLOOP_EVERY_PORT")])
async def test_who_accepts_every_port_says_so_and_is_reminded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, variable: str
) -> None:
    for known, value in ENVIRON.items():
        monkeypatch.setenv(known, value)
    settings, tiers = Settings(home=tmp_path, sandbox=name), list[str]()
    for said in ("", "no", "yes"):
        monkeypatch.setenv(variable, said)
        tiers.append((await chosen_sandbox(settings)).capabilities.tier)
    assert ["every port" in tier for tier in tiers] == [False, False, True]
    monkeypatch.setenv(variable, "true")
    with pytest.raises(BadSpec, match=f"{variable}=true says neither yes nor no"):
        await chosen_sandbox(settings)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("bwrap", "names no provider. There are: bubblewrap, modal"),
        ("modal", "needs MODAL_TOKEN_ID"),
        ("e2b", "needs E2B_API_KEY"),
        ("daytona", "needs DAYTONA_API_KEY"),
        ("runloop", "needs RUNLOOP_API_KEY"),
        ("northflank", "needs PAWL_SANDBOX_IMAGE"),
        ("podman", "needs PAWL_SANDBOX_IMAGE"),
        ("unsafe-host", "PAWL_UNSAFE_HOST must be exactly"),
    ],
)
async def test_what_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, says: str) -> None:
    for variable in ENVIRON:
        monkeypatch.delenv(variable, raising=False)
    with pytest.raises(BadSpec, match=says):
        await chosen_sandbox(Settings(home=tmp_path, sandbox=name))


async def test_a_library_that_is_missing_is_named_with_the_way_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "e2b", None)
    monkeypatch.delitem(sys.modules, "activities.sandbox.e2b_vendor", raising=False)
    with pytest.raises(BadSpec, match=r"library e2b.*make setup.*pip install -e '\.\[e2b\]'"):
        await chosen_sandbox(Settings(home=tmp_path, sandbox="e2b"))


def test_every_variable_of_a_vendor_is_in_a_page_for_operators() -> None:
    pages = "".join(page.read_text() for page in (ROOT / "docs" / "operate").glob("*.md"))
    read = re.findall(r'"([A-Z0-9]+_[A-Z_]+)"', Path(choice.__file__).read_text())
    assert "NORTHFLANK_TAGS" in read
    assert [name for name in read if name not in pages] == []


async def test_what_the_operator_gives_sandboxes_is_told_apart(tmp_path: Path) -> None:
    given = [{}, IMAGE, {"sandbox_mounts": "/opt"}, {"sandbox_path": "/opt/bin"}]
    made = [await chosen_sandbox(Settings.model_validate({"home": tmp_path, **more})) for more in given]
    again = await chosen_sandbox(Settings(home=tmp_path))
    assert len({sandbox.surroundings for sandbox in made}) == len(given)
    assert again.surroundings == made[0].surroundings


async def test_a_program_that_is_not_there_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    settings = Settings.model_validate({"home": tmp_path, "sandbox": "docker", **IMAGE})
    with pytest.raises(SandboxError, match="docker"):
        await chosen_sandbox(settings)


async def test_the_installation_keeps_its_name(tmp_path: Path) -> None:
    for _ in range(2):
        await chosen_sandbox(Settings(home=tmp_path))
    name = (tmp_path / "installation").read_text()
    await chosen_sandbox(Settings(home=tmp_path))
    assert (tmp_path / "installation").read_text() == name
