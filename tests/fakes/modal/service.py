"""From plain methods named as RPCs to a gRPC service that serves them and refuses all others by name."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, cast

from grpclib import GRPCError, Status
from grpclib.const import Cardinality, Handler
from grpclib.exceptions import StreamTerminatedError
from grpclib.server import Stream

from tests.fakes.modal.faults import Faults

Headers = Mapping[str, str]
Unary = Callable[[Any, Headers], Awaitable[Any]]
Streaming = Callable[[Any, Headers], AsyncIterator[Any]]


class Service:
    """`methods` has the RPCs it serves as methods of a request and its metadata; `stub` is the service's base class."""

    def __init__(self, stub: type, methods: object, faults: Faults) -> None:
        abstract = cast("frozenset[str]", getattr(stub, "__abstractmethods__"))  # noqa: B009
        complete: Any = type(f"Every{stub.__name__}", (stub,), dict.fromkeys(abstract, _nothing))
        self._known: dict[str, Any] = complete().__mapping__()
        self._methods = methods
        self._faults = faults

    def __mapping__(self) -> dict[str, Handler]:
        return {path: self._handler(path, known) for path, known in self._known.items()}

    def _handler(self, path: str, known: Any) -> Handler:
        rpc = path.rpartition("/")[2]
        method = getattr(self._methods, rpc, None)
        if method is None:
            serve = self._refusing(rpc)
        elif known.cardinality is Cardinality.UNARY_STREAM:
            serve = self._streaming(rpc, method)
        else:
            serve = self._unary(rpc, method)
        return Handler(serve, known.cardinality, known.request_type, known.reply_type)

    def _unary(self, rpc: str, method: Unary) -> Callable[[Stream[Any, Any]], Awaitable[None]]:
        async def serve(stream: Stream[Any, Any]) -> None:
            self._faults.calls[rpc] += 1
            request = await stream.recv_message()
            await self._faults.strike(rpc, after=False)
            reply = await method(request, _headers(stream))
            await self._faults.strike(rpc, after=True)
            await stream.send_message(reply)

        return serve

    def _streaming(self, rpc: str, method: Streaming) -> Callable[[Stream[Any, Any]], Awaitable[None]]:
        async def serve(stream: Stream[Any, Any]) -> None:
            self._faults.calls[rpc] += 1
            request = await stream.recv_message()
            await self._faults.strike(rpc, after=False)
            async for reply in method(request, _headers(stream)):
                await stream.send_message(reply)
                if self._faults.cuts_stream():
                    await stream.cancel()
                    raise StreamTerminatedError

        return serve

    def _refusing(self, rpc: str) -> Callable[[Stream[Any, Any]], Awaitable[None]]:
        async def serve(stream: Stream[Any, Any]) -> None:
            self._faults.unforeseen.append(rpc)
            raise GRPCError(Status.UNIMPLEMENTED, f"The double of Modal does not serve {rpc}.")

        return serve


def _headers(stream: Stream[Any, Any]) -> Headers:
    return cast("Headers", stream.metadata or {})


def _nothing(self: object, stream: object) -> None:
    """Stands for a method while the service's list of them is read."""
