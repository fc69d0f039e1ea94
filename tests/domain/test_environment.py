"""Which environment holds, what it runs, and when it is prepared anew."""

import pytest

from workflows.domain.environment import (
    NIX_CACHES,
    PACKAGE_INDEXES,
    Devcontainer,
    EnvironmentKind,
    Prepare,
    chosen,
    environment,
)

AUTO, NIX, DEVCONTAINER, PLAIN = EnvironmentKind
FLAKE, CONTAINER, ROOT_CONTAINER = "flake.nix", ".devcontainer/devcontainer.json", ".devcontainer.json"


@pytest.mark.parametrize(
    ("asked", "says_itself", "paths", "kind"),
    [
        (AUTO, False, [], PLAIN),
        (AUTO, False, ["a.py", "sub/flake.nix"], PLAIN),
        (AUTO, False, [FLAKE], NIX),
        (AUTO, False, [FLAKE, CONTAINER], NIX),
        (AUTO, False, [CONTAINER], DEVCONTAINER),
        (AUTO, False, [ROOT_CONTAINER], DEVCONTAINER),
        (AUTO, True, [FLAKE, CONTAINER], PLAIN),
        (NIX, True, [], NIX),
        (PLAIN, False, [FLAKE], PLAIN),
        (DEVCONTAINER, False, [FLAKE], DEVCONTAINER),
    ],
)
def test_the_first_that_fits(
    asked: EnvironmentKind, says_itself: bool, paths: list[str], kind: EnvironmentKind
) -> None:
    assert chosen(asked, says_itself, paths) is kind


def test_nothing_to_prepare_has_no_digest() -> None:
    plain = environment(PLAIN, Prepare(), {"a.py": "1"})
    assert (plain.digest, plain.wrapper, plain.words) == ("", (), "plain")
    container = environment(DEVCONTAINER, Prepare(), {}, Devcontainer(image="python:3.13", variables={"A": "b"}))
    assert (container.digest, container.variables) == ("", {"A": "b"})
    assert container.words == "devcontainer (image `python:3.13`)"


def test_a_flake_is_entered_online_once_and_offline_by_every_command() -> None:
    nix = environment(NIX, Prepare(run=("pip install .",)), {FLAKE: "1"})
    assert nix.install[-1].startswith("nix develop ")
    assert "--offline" not in nix.install[-1]
    assert nix.wrapper[:2] == ("nix", "develop")
    assert "--offline" in nix.wrapper
    assert nix.wrapper[-1] == "--command"
    assert nix.prepare == ("pip install .",)
    assert set(NIX_CACHES) < set(nix.network)


def test_commands_of_the_container_come_before_ours() -> None:
    made = environment(DEVCONTAINER, Prepare(run=("two",)), {}, Devcontainer(commands=("one",)))
    assert made.prepare == ("one", "two")


@pytest.mark.parametrize(
    ("asked", "network"),
    [(None, PACKAGE_INDEXES), ((), ()), (("mirror.example.org:8443",), ("mirror.example.org:8443",))],
)
def test_the_network_of_a_preparation(asked: tuple[str, ...] | None, network: tuple[str, ...]) -> None:
    assert environment(PLAIN, Prepare(run=("x",), network=asked), {}).network == network


PREPARE = Prepare(run=("pip install -r base.pip",), lock_files=("vendor/*.txt",))
BLOBS = {"uv.lock": "1", "web/package-lock.json": "1", "vendor/deps.txt": "1", "src/a.py": "1", "notes.txt": "1"}


@pytest.mark.parametrize(
    "other",
    [
        environment(PLAIN, PREPARE.model_copy(update={"run": ("make other",)}), BLOBS),
        environment(PLAIN, PREPARE.model_copy(update={"network": ("pypi.org",)}), BLOBS),
        environment(NIX, PREPARE, BLOBS),
        environment(DEVCONTAINER, PREPARE, BLOBS, Devcontainer(image="python:3.13")),
        environment(PLAIN, PREPARE, {path: blob for path, blob in BLOBS.items() if path != "uv.lock"}),
    ],
)
def test_and_when_what_is_run_changes(other: object) -> None:
    assert getattr(other, "digest", "") != environment(PLAIN, PREPARE, BLOBS).digest


def test_a_longer_time_is_no_other_preparation() -> None:
    patient = PREPARE.model_copy(update={"seconds": 7_200})
    assert environment(PLAIN, patient, BLOBS).digest == environment(PLAIN, PREPARE, BLOBS).digest
