"""Host folders in sandboxes that are elsewhere: copied in once, where a local sandbox shows them read-only."""

import io
import secrets
import tarfile
from pathlib import PurePosixPath

from activities.sandbox.mounts import Mount
from activities.sandbox.remote.install import SECONDS, Place
from activities.sandbox.remote.vendor import Vendor, shell
from workflows.ports.sandbox import BadSpec, Transient

_MOST_BYTES = 256 << 20
_UNPACK = """
set -eu
[ ! -e "$1" ] || exit 0
mkdir -p "$(dirname "$1")" "$1.$3"
tar -xf "$2" -C "$1.$3" --no-same-owner
mv -T "$1.$3" "$1" 2>/dev/null || rm -rf "$1.$3"
rm -f "$2"
[ -e "$1" ]
"""
"""Arguments: where it goes, the archive, a word of ours. Of two at once, one is the first."""


async def copy_in(vendor: Vendor, instance: str, place: Place, mounts: tuple[Mount, ...]) -> None:
    """Raises BadSpec for a folder that is too large or that the image has no room for."""
    for mount in mounts:
        there = await vendor.run(instance, shell('test -e "$1"', mount.target), SECONDS)
        if there.code == 0:
            continue
        staged = place.new_file()
        await vendor.put(instance, staged, _archive(mount))
        words = shell(_UNPACK, mount.target, staged, secrets.token_hex(4))
        said = await vendor.run(instance, words, SECONDS)
        if said.code != 0:
            raise Transient(f"{mount.source} could not be copied into the sandbox: {(said.err or said.out)[-500:]}")


def _archive(mount: Mount) -> bytes:
    """The folder as it is now."""
    size = sum(path.lstat().st_size for path in mount.source.rglob("*"))
    if size > _MOST_BYTES:
        raise BadSpec(
            f"The sandbox mount {mount.source} holds {size >> 20} MB; into sandboxes that are elsewhere at most "
            f"{_MOST_BYTES >> 20} MB are copied. Put it into an image (PAWL_SANDBOX_IMAGE)."
        )
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:") as archive:
        archive.add(mount.source, arcname=str(PurePosixPath(".")))
    return data.getvalue()
