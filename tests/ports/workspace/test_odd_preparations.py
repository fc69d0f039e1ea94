"""Preparations that leave odd things behind, fail for good, or are given up."""

import pytest

from activities.git import TrustedClones
from activities.workspace.checkouts import SandboxCheckouts
from tests.ports.workspace.helpers import prepared, sh
from workflows.domain.environment import Prepare
from workflows.domain.session import WorkspaceOrder
from workflows.ports.journal import Journal

pytestmark = pytest.mark.sandbox

ODD = (
    "größe.egg-info",
    r"two\nlines",
    "ends in blanks  ",
    r"cr\r",
    'say "a"',
    r"back\\slash",
    "#a",
    "!b*",
    r"tab\t",
    r"caf\351",
)
"""Names as printf reads them."""


async def test_what_was_added_is_no_change_whatever_its_name(
    checkouts: SandboxCheckouts, clones: TrustedClones, journal: Journal, order: WorkspaceOrder
) -> None:
    lines = tuple(f"""echo > "$(printf '{name}')"; mkdir "src/$(printf '{name}')" """ for name in ODD)
    order = await prepared(clones, order, Prepare(run=(*lines, 'for one in src/*/; do echo > "$one/x"; done')))
    checkout = await checkouts.open(order)
    assert await checkout.keep_state("j") is None
    assert await sh(checkout, "k", "ls -b | wc -l; ls -b src | wc -l") == f"{len(ODD) + 3}\n{len(ODD) + 1}\n"
    await sh(checkout, "l", "echo > größe.py; echo > 'two lines'; echo > b")
    state = await checkout.keep_state("m")
    assert state is not None
    made = await clones.import_state(order.repository, await journal.load(state))
    assert (await clones.diffstat(order.repository, made)).files == 3, "and nothing else is passed over"


async def test_folders_it_has_locked_are_no_change_and_take_later_work(
    checkouts: SandboxCheckouts, clones: TrustedClones, order: WorkspaceOrder
) -> None:
    lines = ("mkdir -p locked/inner; touch locked/f locked/inner/g; chmod 000 locked/inner locked; chmod 500 src",)
    order = await prepared(clones, order, Prepare(run=lines))
    checkout = await checkouts.open(order)
    assert await checkout.keep_state("j") is None
    await sh(checkout, "k", "echo > src/new.py")
    state = await checkout.keep_state("l")
    fresh = order.model_copy(update={"key": "t1.checks", "state": state})
    assert await sh(await checkouts.open(fresh), "j", "git status --short") == "?? src/new.py\n"
