"""The least vendor there is: boxes of this machine. It exists to judge what Pawl puts into remote sandboxes."""

import asyncio
import json
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from activities.sandbox import folders
from activities.sandbox.remote.vendor import Said, Vendor
from tests.fakes.box import Box
from workflows.ports.sandbox import (
    BadSpec,
    Capabilities,
    Gone,
    Network,
    SandboxInfo,
    SandboxRef,
    SandboxSpec,
    Transient,
)

_IMAGE = "box-"


class BoxVendor(Vendor):
    """Boxes below `root`: two vendors of the same root offer the same boxes, in whatever process.

    `<root>/<key>` a link to the box's folder `<root>/boxes/<instance>`: whoever makes the link first wins.
    """

    name = "box"

    def __init__(self, root: Path) -> None:
        self._root = root

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(network=Network.NONE, kill=True, snapshot=True, hard_limits=False, tier="box")

    async def make(self, spec: SandboxSpec) -> str:
        image = self._image(spec.snapshot) if spec.snapshot else None
        if image and not image.is_dir():
            raise Gone(f"There is no image {spec.snapshot} any more.")
        link = self._root / "keys" / spec.key
        if link.is_symlink():
            return link.readlink().name
        instance = secrets.token_hex(8)
        box = self._box(instance)
        await box.start(image)
        about = {"labels": spec.labels, "created": datetime.now(UTC).isoformat()}
        (box.folder / "about.json").write_text(json.dumps(about))
        link.parent.mkdir(exist_ok=True)
        try:
            link.symlink_to(box.folder)
        except FileExistsError:
            await box.destroy()
        return link.readlink().name

    async def run(self, instance: str, argv: tuple[str, ...], timeout_seconds: float) -> Said:
        try:
            ended = await self._living(instance).exec(argv, timeout_seconds=timeout_seconds)
        except TimeoutError:
            raise Transient(f"{argv[0]} takes longer than {timeout_seconds} s.") from None
        self._living(instance)
        return Said(code=ended.code, out=ended.out.decode("ascii"), err=ended.err.decode())

    async def put(self, instance: str, path: str, data: bytes) -> None:
        await asyncio.to_thread(self._living(instance).host(path).write_bytes, data)

    async def get(self, instance: str, path: str, max_bytes: int) -> bytes:
        with self._living(instance).host(path).open("rb") as file:
            return file.read(max_bytes)

    async def snapshot(self, instance: str) -> str:
        name = f"{_IMAGE}{secrets.token_hex(8)}"
        (self._root / "images").mkdir(exist_ok=True)
        await self._living(instance).snapshot(self._root / "images" / name)
        return name

    async def forget(self, reference: str) -> None:
        await asyncio.to_thread(folders.remove, self._image(reference))

    async def remove(self, key: str) -> None:
        link = self._root / "keys" / key
        try:
            box = self._box(link.readlink().name)
            link.unlink()
        except FileNotFoundError:
            return
        await box.destroy()

    async def list(self, labels: Mapping[str, str]) -> list[SandboxInfo]:
        found: list[SandboxInfo] = []
        for link in sorted((self._root / "keys").glob("*")):
            about = json.loads((link / "about.json").read_text())
            if labels.items() <= about["labels"].items():
                ref = SandboxRef(key=link.name, instance=link.readlink().name)
                created = datetime.fromisoformat(about["created"])
                found.append(SandboxInfo(ref=ref, labels=about["labels"], created=created))
        return found

    def _image(self, reference: str) -> Path:
        if not reference.startswith(_IMAGE):
            raise BadSpec(f"{reference!r} is no image of a box.")
        return self._root / "images" / reference

    def box_of(self, key: str) -> Box:
        return self._box((self._root / "keys" / key).readlink().name)

    def _box(self, instance: str) -> Box:
        return Box(self._root / "boxes" / instance, outlives=True)

    def _living(self, instance: str) -> Box:
        box = self._box(instance)
        if not box.running:
            raise Gone(f"There is no box {instance} any more.")
        return box
