"""Host folders in sandboxes that are elsewhere: there as in a local one, and programs of them are found first."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from activities.sandbox.mounts import Mount
from activities.sandbox.remote.sandbox import RemoteSandbox
from tests.fakes.box_vendor import BoxVendor
from tests.ports.sandbox.providers import made, ran

pytestmark = pytest.mark.sandbox


@pytest.fixture
async def shown(tmp_path: Path) -> AsyncGenerator[RemoteSandbox]:
    folder = tmp_path / "tools"
    (folder / "bin").mkdir(parents=True)
    (folder / "bin/ls").write_text("#!/bin/sh\necho ours\n")
    (folder / "bin/ls").chmod(0o755)
    (folder / "link").symlink_to("bin/ls")
    sandbox = RemoteSandbox(
        BoxVendor(tmp_path / "boxes"), (Mount(source=folder, target="/opt/our tools"),), "/opt/our tools/bin"
    )
    yield sandbox
    for info in await sandbox.list({}):
        await sandbox.destroy(info.ref.key)


async def test_they_are_there_once_and_first(shown: RemoteSandbox) -> None:
    ref = await made(shown)
    assert await made(shown) == ref
    view = await ran(
        shown,
        ref,
        "j",
        "ls; readlink '/opt/our tools/link'; echo x 2>/dev/null > '/opt/our tools/bin/ls'; ls; /bin/ls /opt",
    )
    out = view.out.decode().splitlines()
    assert out[:2] == ["ours", "bin/ls"]
    assert [name for name in out if name.startswith("our tools")] == ["our tools"]
