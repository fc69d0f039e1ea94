"""What can be made to go wrong in the double, call by call."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from google.protobuf.message import Message
from grpclib import GRPCError, Status
from modal_proto import api_pb2


@dataclass
class Fault:
    """Strikes calls of one RPC. `hangs`: no answer ever. `late_seconds`: a good answer that takes its time. `after`:
    the work is done and its answer lost, or late."""

    rpc: str
    status: Status = Status.UNAVAILABLE
    times: int = 1
    after: bool = False
    hangs: bool = False
    late_seconds: float = 0
    retry_after: float | None = None
    """The server's advice to come again in so many seconds, as Modal sends it with RESOURCE_EXHAUSTED."""


@dataclass
class Faults:
    calls: Counter[str] = field(default_factory=Counter[str])
    """How often each RPC was called."""
    unforeseen: list[str] = field(default_factory=list[str])
    """RPCs that were called and that the double does not serve. None, in a test that means what it says."""
    cut_streams: int = 0
    """So many streams of output are reset when they have sent their first piece."""
    _armed: list[Fault] = field(default_factory=list[Fault])

    def arm(self, *faults: Fault) -> None:
        self._armed.extend(faults)

    def clear(self) -> None:
        self._armed.clear()
        self.calls.clear()
        self.cut_streams = 0

    async def strike(self, rpc: str, after: bool) -> None:
        fault = next((f for f in self._armed if f.rpc == rpc and f.after is after and f.times > 0), None)
        if fault is None:
            return
        fault.times -= 1
        if fault.hangs:
            await asyncio.Event().wait()
        if fault.late_seconds:
            await asyncio.sleep(fault.late_seconds)
            return
        details: Sequence[Message] | None = None
        if fault.retry_after is not None:
            details = [api_pb2.RPCRetryPolicy(retry_after_secs=fault.retry_after)]
        raise GRPCError(fault.status, f"{fault.rpc}: a fault that was asked for", details)

    def cuts_stream(self) -> bool:
        if self.cut_streams == 0:
            return False
        self.cut_streams -= 1
        return True
