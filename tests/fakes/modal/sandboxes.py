"""The double's sandboxes: their names, tags and ends, and the images that were kept of them."""

import asyncio
import secrets
import time
from dataclasses import dataclass, field
from pathlib import Path

from grpclib import GRPCError, Status
from modal_proto import api_pb2

from activities.sandbox import folders
from tests.fakes.box import Box
from tests.fakes.modal.execs import Exec

Result = api_pb2.GenericResult
_TICK = 0.05
_USD_PER_SECOND = 0.0001


@dataclass
class Held:
    """One sandbox, living or ended."""

    id: str
    task_id: str
    app_id: str
    definition: api_pb2.Sandbox
    tags: dict[str, str]
    box: Box
    created: float
    used: float
    """When a command last ended, by the steady clock."""
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    """It was started, or could not be."""
    execs: dict[str, Exec] = field(default_factory=dict[str, Exec])
    result: api_pb2.GenericResult | None = None
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    keeper: asyncio.Task[None] | None = None
    """Starts it and watches over it."""

    @property
    def usd(self) -> str:
        return f"{(time.time() - self.created) * _USD_PER_SECOND:.6f}"


class Sandboxes:
    """All sandboxes of the workspace, below `root`."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._held: dict[str, Held] = {}
        self._images: dict[str, tuple[Path | None, float]] = {}
        """Where a kept file system is, none for a built image, and until when."""

    def known_image(self, image_id: str) -> Path | None:
        """Where its files are; None for an image without any of its own. NOT_FOUND for no image, or none any more."""
        folder, until = self._images.get(image_id, (None, 0.0))
        if until < time.time():
            raise GRPCError(Status.NOT_FOUND, f"Image {image_id} not found")
        return folder

    def add_image(self, image_id: str, folder: Path | None = None, ttl_seconds: float = float("inf")) -> None:
        self._images[image_id] = (folder, time.time() + ttl_seconds)

    def create(self, app_id: str, definition: api_pb2.Sandbox, tags: dict[str, str]) -> Held:
        """ALREADY_EXISTS for the name of one that lives in the app."""
        name = definition.name
        if name and self.by_name(app_id, name):
            raise GRPCError(Status.ALREADY_EXISTS, f"Sandbox with name {name} already exists")
        image = self.known_image(definition.image_id)
        number = secrets.token_hex(13)
        created = max([time.time(), *(held.created + 1e-6 for held in self._held.values())])
        held = Held(
            id=f"sb-{number}",
            task_id=f"ta-{number}V",
            app_id=app_id,
            definition=definition,
            tags=tags,
            box=Box(self._root / number),
            created=created,
            used=time.monotonic(),
        )
        self._held[held.id] = held
        held.keeper = asyncio.create_task(self._keep(held, image))
        return held

    def by_id(self, sandbox_id: str) -> Held:
        held = self._held.get(sandbox_id)
        if held is None:
            raise GRPCError(Status.NOT_FOUND, f"Sandbox {sandbox_id} not found")
        return held

    def by_task(self, task_id: str) -> Held:
        """A living one."""
        held = next((held for held in self.living() if held.task_id == task_id), None)
        if held is None:
            raise GRPCError(Status.NOT_FOUND, f"Task {task_id} not found or has finished")
        return held

    def by_name(self, app_id: str, name: str) -> Held | None:
        return next((held for held in self.living() if (held.app_id, held.definition.name) == (app_id, name)), None)

    def living(self) -> list[Held]:
        return [held for held in self._held.values() if held.result is None]

    async def snapshot(self, held: Held, ttl_seconds: int) -> str:
        image_id = f"im-{secrets.token_hex(11)}"
        folder = self._root / image_id
        await held.box.snapshot(folder)
        self.add_image(image_id, folder, float("inf") if ttl_seconds < 0 else ttl_seconds)
        return image_id

    async def end(self, held: Held, status: "Result.GenericStatus.ValueType") -> None:
        """Its first end is the one that counts; whoever asks for another waits for that."""
        if held.result is None:
            held.result = Result(status=status)
            await held.ready.wait()
            await held.box.destroy()  # with all that commands have started, and that holds their pipes
            for command in held.execs.values():
                await command.end()
            held.ended.set()
        await held.ended.wait()

    async def close(self) -> None:
        await asyncio.gather(*(self.end(held, Result.GENERIC_STATUS_TERMINATED) for held in self._held.values()))
        await asyncio.gather(*(held.keeper for held in self._held.values() if held.keeper))
        await asyncio.to_thread(folders.remove, self._root)

    async def _keep(self, held: Held, image: Path | None) -> None:
        """Start it, and end it when its time is over, when nobody used it for too long, or when it died."""
        try:
            await held.box.start(image)
        finally:
            held.used = time.monotonic()
            held.ready.set()
        while held.result is None:
            await asyncio.sleep(_TICK)
            status = self._over(held)
            if status is not None:
                await self.end(held, status)

    def _over(self, held: Held) -> "Result.GenericStatus.ValueType | None":
        definition = held.definition
        if time.time() - held.created > definition.timeout_secs:
            return Result.GENERIC_STATUS_TIMEOUT
        if any(command.running for command in held.execs.values()):
            held.used = time.monotonic()
        idle = definition.idle_timeout_secs
        if idle and time.monotonic() - held.used > idle:
            return Result.GENERIC_STATUS_IDLE_TIMEOUT
        return None if held.box.running else Result.GENERIC_STATUS_FAILURE
