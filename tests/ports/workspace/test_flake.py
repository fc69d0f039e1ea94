"""Flakes: evaluated and built in the sandbox only, entered offline, with a store of the repository's own.

Offered where `nix` is on PATH (see conftest.py).
"""

from pathlib import Path

import pytest

from activities.git import TrustedClones
from activities.workspace.checkouts import SandboxCheckouts
from activities.workspace.errors import NotPrepared
from tests.ports.workspace.helpers import sh
from tests.repos import commit
from workflows.domain.environment import EnvironmentKind, Prepare, environment
from workflows.domain.session import WorkspaceOrder

pytestmark = pytest.mark.sandbox

FLAKE = """
{
  outputs = { self }: let shell = system: derivation {
    inherit system; name = "shell"; outputs = [ "out" ];
    builder = "/bin/bash"; args = [ "-c" "%s" ];
    MARK = "from the flake";
  }; in {
    devShells.x86_64-linux.default = shell "x86_64-linux";
    devShells.aarch64-linux.default = shell "aarch64-linux";
  };
}
"""


async def with_flake(clones: TrustedClones, order: WorkspaceOrder, flake: str) -> WorkspaceOrder:
    commit(Path(order.repository.url), {"flake.nix": flake})
    _, sha = await clones.fetch("origin", order.repository.url)
    repository = order.repository.model_copy(update={"base_sha": sha})
    made = environment(EnvironmentKind.NIX, Prepare(network=()), await clones.blobs(repository, sha))
    return order.model_copy(update={"repository": repository, "environment": made})


async def test_commands_run_in_the_shell_of_the_flake(
    checkouts: SandboxCheckouts, clones: TrustedClones, order: WorkspaceOrder
) -> None:
    checkout = await checkouts.open(await with_flake(clones, order, FLAKE % "echo > $out"))
    ran = await checkout.run("j", "echo $MARK; exit 7", 20)
    assert (ran.code, ran.output.splitlines()[-1]) == (7, "from the flake")
    assert await checkout.keep_state("k") is None
    await checkout.write("new file", b"data")
    assert "new file" in await sh(checkout, "l", "ls"), "and a tree that differs from the flake's is no matter"


async def test_a_flake_that_cannot_be_built_says_why(
    checkouts: SandboxCheckouts, clones: TrustedClones, order: WorkspaceOrder
) -> None:
    with pytest.raises(NotPrepared, match=r"(?s)nix develop.*undefined variable"):
        await checkouts.open(
            await with_flake(clones, order, "{ outputs = { self }: { x = nothing; devShells = y; }; }")
        )


async def test_what_an_agent_does_to_its_store_stays_with_it(
    checkouts: SandboxCheckouts, clones: TrustedClones, order: WorkspaceOrder
) -> None:
    order = await with_flake(clones, order, FLAKE % "echo > $out")
    poisoned = await checkouts.open(order)
    await sh(poisoned, "j", "chmod -R u+w /nix/store; for f in /nix/store/*; do echo bad > $f; done; touch /nix/mark")
    checkout = await checkouts.open(order.model_copy(update={"key": "t2"}))
    script = "ls /nix | grep -c mark || true; grep -rl ^bad /nix/store | wc -l; echo $MARK"
    assert (await sh(checkout, "j", script)).splitlines()[-3:] == ["0", "0", "from the flake"]
