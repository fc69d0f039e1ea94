"""What Runloop is asked for in the double, and its devboxes: boxes of this machine with a life and with commands."""

import asyncio
import time
from pathlib import Path
from typing import Any, Literal
from uuid import UUID, uuid4

from pydantic import BaseModel, ConfigDict, Field, model_validator

from tests.fakes.box import Box, Ended

_CPUS = (0.5, 1, *range(2, 17, 2))
_MEMORY = (1, *range(2, 65, 2))
_DISK = tuple(range(2, 65, 2))


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class User(Strict):
    username: str
    uid: int


class AfterIdle(Strict):
    idle_time_seconds: int = Field(gt=0)
    on_idle: str = Field(pattern="^shutdown$")


class Lifecycle(Strict):
    after_idle: AfterIdle


class Launch(Strict):
    """What Pawl may ask for at all, with the bounds Runloop writes about in its client."""

    resource_size_request: str = Field(pattern="^CUSTOM_SIZE$")
    custom_cpu_cores: float
    custom_gb_memory: int
    custom_disk_size: int
    network_policy_id: str
    user_parameters: User
    lifecycle: Lifecycle

    @model_validator(mode="after")
    def _is_sold(self) -> "Launch":
        if self.custom_cpu_cores not in _CPUS or self.custom_gb_memory not in _MEMORY:
            raise ValueError("no such amount of CPU or memory is sold")
        if self.custom_disk_size not in _DISK or not 2 <= self.custom_gb_memory / self.custom_cpu_cores <= 8:
            raise ValueError("no such disk, or no such ratio of memory to CPU, is sold")
        return self


class Create(Strict):
    name: str
    metadata: dict[str, str]
    launch_parameters: Launch
    blueprint_name: str | None = None
    snapshot_id: str | None = None


class Port(Strict):
    port: int = Field(ge=1, le=65_535)
    protocol: str = Field(pattern="^(TCP|UDP)$")
    end_port: int | None = None


class Cidr(Strict):
    cidr: str
    ports: list[Port]


class Policy(Strict):
    name: str
    allow_all: bool
    allow_agent_gateway: bool
    allow_devbox_to_devbox: bool
    allow_mcp_gateway: bool
    allow_runloop_mirrors: bool
    allowed_hostnames: list[str]
    allowed_cidrs: list[Cidr]


class Execute(Strict):
    command: str
    command_id: UUID
    optimistic_timeout: int = Field(le=25)


class Wait(Strict):
    statuses: list[Literal["completed"]]
    timeout_seconds: int = Field(le=25)


class Execution:
    def __init__(self, ending: "asyncio.Task[Ended]") -> None:
        self.id = f"exec_{uuid4().hex}"
        self.ending = ending

    async def ended(self, seconds: float) -> Ended | None:
        done, _ = await asyncio.wait([self.ending], timeout=seconds)
        return self.ending.result() if done else None


class Devbox:
    def __init__(self, asked: Create, folder: Path, status: str) -> None:
        self.id = f"dbx_{uuid4().hex}"
        self.asked = asked
        self.status = status
        self.created_ms = int(time.time() * 1000)
        self.used = time.monotonic()
        self.executions: dict[str, Execution] = {}
        self.box = Box(folder / self.id)
        self._changing = asyncio.Lock()

    async def boot(self, image: Path | None) -> None:
        async with self._changing:
            if self.status != "shutdown":
                self.status = "initializing"
                await self.box.start(image)
                self.status, self.used = "running", time.monotonic()

    async def shut_down(self) -> None:
        async with self._changing:
            self.status = "shutdown"
            await self.box.destroy()
        endings = [execution.ending for execution in self.executions.values()]
        await asyncio.gather(*endings, return_exceptions=True)

    @property
    def idle(self) -> bool:
        most = self.asked.launch_parameters.lifecycle.after_idle.idle_time_seconds
        return self.status == "running" and time.monotonic() - self.used > most

    def execute(self, command: str) -> Execution:
        # a login shell of the root user, as Runloop describes it
        ending = self.box.exec(["sh", "-lc", command], cwd="/root", timeout_seconds=600)
        execution = Execution(asyncio.create_task(ending))
        self.executions[execution.id] = execution
        return execution

    def view(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "name": self.asked.name,
            "status": self.status,
            "create_time_ms": self.created_ms,
            "capabilities": [],
            "state_transitions": [],
            "metadata": self.asked.metadata,
            "launch_parameters": self.asked.launch_parameters.model_dump(),
        }
