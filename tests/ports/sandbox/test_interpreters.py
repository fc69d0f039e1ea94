"""What of an image runs as root in its sandbox: nothing that a command could have put there."""

import os
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from activities.sandbox.remote.sandbox import RemoteSandbox
from activities.sandbox.remote.vendor import Said
from tests.fakes.box_vendor import BoxVendor
from tests.ports.sandbox.providers import MODEST, made, ran
from workflows.ports.sandbox import BadSpec, Command, SandboxRef, SandboxSpec

pytestmark = pytest.mark.sandbox
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="an ordinary user's box has one user, who owns all in it")

_TOOLS = ("cat", "chmod", "mkdir", "mv", "rm")
_LINKED = "ln -s /usr/bin/python3 bin/python3"
_COPIED = "cp /usr/bin/python3 bin; for lib in /usr/lib/python3*; do ln -s $lib lib; done"


class Image(BoxVendor):
    """The system's folders are `/bare`, which holds what was put there, and the image's PATH begins with another."""

    path = "/image/bin"
    others: tuple[str, ...] = ()
    """Variables that the image sets."""

    async def run(self, instance: str, argv: tuple[str, ...], timeout_seconds: float) -> Said:
        words = [word.replace("/usr/local/bin ", "").replace("/usr/sbin:/usr/bin:/sbin:/bin", "/bare") for word in argv]
        return await super().run(instance, ("env", f"PATH={self.path}", *self.others, *words), timeout_seconds)

    async def holds(self, script: str, *programs: str) -> None:
        """Make the box of the key `one`, and in `/image` what the script, run as root, puts there."""
        instance = await self.make(SandboxSpec(key="one", limits=MODEST))
        links = " ".join(f"/usr/bin/{name}" for name in programs)
        script = f"mkdir -p /bare /image/bin /image/lib; ln -s {links} /bare; cd /image; {script}"
        said = await super().run(instance, ("sh", "-ec", script), 20)
        assert said.code == 0, said.err


@pytest.fixture
async def vendor(tmp_path: Path) -> AsyncGenerator[Image]:
    vendor = Image(tmp_path / "sandboxes")
    yield vendor
    await vendor.remove("one")


@pytest.fixture
def sandbox(vendor: Image) -> RemoteSandbox:
    return RemoteSandbox(vendor)


def by_shell(script: str) -> Command:
    return Command(argv=("/bin/sh", "-c", script))


async def works(sandbox: RemoteSandbox) -> SandboxRef:
    ref = await made(sandbox)
    assert (await ran(sandbox, ref, "first", by_shell("echo fine"))).out == b"fine\n"
    return ref


@pytest.mark.parametrize(
    "script", [_LINKED, _COPIED, f"{_LINKED}; chgrp 0 bin; chmod 775 bin", "ln -s ../lib bin/more"]
)
async def test_a_python_that_is_roots(vendor: Image, sandbox: RemoteSandbox, script: str) -> None:
    await vendor.holds(f"{_LINKED}-system; {script}", *_TOOLS, *(() if "python3" in script else ("python3",)))
    await works(sandbox)


@as_root
@pytest.mark.parametrize(
    "script",
    [
        f"{_LINKED}; chown -hR 1000:1000 .",
        f"{_LINKED}; chown 1000 .",
        f"{_LINKED}; chmod 777 bin",
        f"{_LINKED}; chgrp 1000 bin; chmod 775 bin",
        "mkdir u; ln -s /usr/bin/python3 u; chown 1000 u; ln -s ../u/python3 bin/python3",
        f"{_COPIED}; chown 1000 lib",
        f"{_COPIED}; chown -h 1000 lib/*",
        "printf '#!/bin/sh\\nexec /usr/bin/python3 \"$@\"\\n' > bin/python3; chmod 755 bin/python3; chown 1000 bin",
    ],
)
async def test_a_python_that_commands_may_change(vendor: Image, sandbox: RemoteSandbox, script: str) -> None:
    await vendor.holds(script, *_TOOLS)
    with pytest.raises(BadSpec, match="python3"):
        await made(sandbox)


@as_root
async def test_libraries_from_a_folder_that_commands_may_change(vendor: Image, sandbox: RemoteSandbox) -> None:
    vendor.others = ("LD_LIBRARY_PATH=/image/lib",)
    await vendor.holds(f"{_LINKED}; chown 1000 lib", *_TOOLS)
    with pytest.raises(BadSpec, match="others than root may change"):
        await made(sandbox)


@as_root
async def test_what_a_command_puts_into_the_images_path_never_runs_as_root(
    vendor: Image, sandbox: RemoteSandbox
) -> None:
    """The image's own python3 and folder come first, and belong to the commands; the system has another."""
    await vendor.holds(f"{_LINKED}; chown -hR 1000:1000 .", *_TOOLS, "python3", "tar", "dirname", "head")
    ref = await works(sandbox)
    loot = "#!/bin/sh\nid -u >> /work/loot; chmod 666 /work/loot\n"
    names = "python3 sh cat chmod mkdir mv rm test du head tar env"
    script = f"""for name in {names}; do
        /bin/rm -f /image/bin/$name; printf '{loot}' > /image/bin/$name; /bin/chmod 755 /image/bin/$name
    done"""
    assert (await ran(sandbox, ref, "harm", by_shell(script))).code == 0
    other = RemoteSandbox(vendor)
    await other.write(ref, "file", b"x" * 400_000)
    assert await other.read(ref, "file", 400_000) == b"x" * 400_000
    assert await made(other) == ref
    assert (await other.poll(ref, "first")).out == b"fine\n"
    with pytest.raises(FileNotFoundError):
        await other.read(ref, "loot", 100)


async def test_an_image_without_python(vendor: Image, sandbox: RemoteSandbox) -> None:
    await vendor.holds("true", *_TOOLS)
    with pytest.raises(BadSpec, match="no python3"):
        await made(sandbox)


async def test_an_image_without_a_shell(tmp_path: Path) -> None:
    class NoShell(BoxVendor):
        async def run(self, instance: str, argv: tuple[str, ...], timeout_seconds: float) -> Said:
            assert argv[0] == "/bin/sh"
            return await super().run(instance, ("/nowhere/sh", *argv[1:]), timeout_seconds)

    vendor = NoShell(tmp_path / "sandboxes")
    with pytest.raises(BadSpec, match="no `sh`"):
        await made(RemoteSandbox(vendor))
    await vendor.remove("one")
