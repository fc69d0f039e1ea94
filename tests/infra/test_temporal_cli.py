"""Which `temporal` program is taken."""

from pathlib import Path

import pytest

from infra import temporal_cli
from infra.exits import Misused, OutOfReach
from infra.settings import Settings


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with nothing on PATH, nothing in the cache and no way out."""
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for name in ("GOCACHE", "GOMODCACHE"):
        monkeypatch.delenv(name, raising=False)
    for proxy in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(proxy, "http://127.0.0.1:1")
    monkeypatch.setattr(temporal_cli, "GO_PLACES", ())
    return tmp_path


def program(path: Path, says: str = "temporal version 1.5.1 (Server 1.29.1, UI 2.42.1)") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'#!/bin/sh\necho "{says}"\n')
    path.chmod(0o755)
    return path


def test_the_configured_one_then_path_then_cache(machine: Path) -> None:
    assert temporal_cli.found(Settings(home=machine)) is None
    cached = program(machine / "cache" / "pawl" / "bin" / "temporal")
    assert temporal_cli.found(Settings(home=machine)) == cached
    on_path = program(machine / "bin" / "temporal")
    assert temporal_cli.found(Settings(home=machine)) == on_path
    configured = program(machine / "mine")
    assert temporal_cli.found(Settings(home=machine, temporal_bin=configured)) == configured


@pytest.mark.parametrize("says", ["temporal version 1.0.0 (Server 1.24.2, UI 2.28.0)", "GNU temporal 3", ""])
def test_what_cannot_serve_is_passed_over(machine: Path, says: str) -> None:
    program(machine / "bin" / "temporal", says)
    cached = program(machine / "cache" / "pawl" / "bin" / "temporal")
    assert temporal_cli.found(Settings(home=machine)) == cached


def test_a_configured_one_that_cannot_serve_is_refused(machine: Path) -> None:
    configured = program(machine / "mine", "something else")
    with pytest.raises(Misused, match="PAWL_TEMPORAL_BIN names"):
        temporal_cli.found(Settings(home=machine, temporal_bin=configured))


async def test_a_machine_with_no_way_to_one_is_told_what_to_install(machine: Path) -> None:
    with pytest.raises(OutOfReach, match=r"Install the Temporal CLI .* or Go"):
        await temporal_cli.provided(Settings(home=machine), print)


def go(machine: Path, script: str) -> None:
    path = machine / "bin" / "go"
    path.parent.mkdir(parents=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


async def test_go_builds_into_our_cache_and_leaves_no_litter(machine: Path) -> None:
    go(
        machine,
        """
        if [ "$1" = clean ]; then echo "$@ $GOCACHE $GOMODCACHE" >"$GOBIN/cleaned"; exit; fi
        [ "$1 $2" = "install -v" ] || exit 1
        printf '#!/bin/sh\necho "temporal version 1.5.1 (Server 1.29.1)"\n' >"$GOBIN/temporal"
        /bin/chmod +x "$GOBIN/temporal"
        """,
    )
    ours, told = machine / "cache" / "pawl", list[str]()
    assert await temporal_cli.provided(Settings(home=machine), told.append) == ours / "bin" / "temporal"
    cleaned = (ours / "bin" / "cleaned").read_text().split()
    assert cleaned == ["clean", "-cache", "-modcache", str(ours / "build" / "cache"), str(ours / "build" / "mod")]
    assert "Building" in told[0]


async def test_a_failed_build_shows_what_go_said(machine: Path) -> None:
    go(machine, "echo 'no such host'; exit 1")
    with pytest.raises(OutOfReach, match=r"no such host[\s\S]*PAWL_TEMPORAL_BIN"):
        await temporal_cli.provided(Settings(home=machine), print)
