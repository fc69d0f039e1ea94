"""The double's control plane: apps, images, and the lives of sandboxes."""

import asyncio
import base64
import hashlib
import json
import secrets
import time
from contextlib import suppress
from typing import Any

from google.protobuf.empty_pb2 import Empty
from grpclib import GRPCError, Status
from modal_proto import api_pb2

from tests.fakes.modal.sandboxes import Held, Result, Sandboxes
from tests.fakes.modal.service import Headers

_PAGE = 3
"""Sandboxes of one page of a list: few, so that there are pages."""


class Tokens:
    """The credentials and the short-lived tokens that were handed out."""

    def __init__(self) -> None:
        self.id, self.secret = f"ak-{secrets.token_hex(8)}", f"as-{secrets.token_hex(8)}"
        self._valid: set[str] = set()
        self._for_workers: set[str] = set()

    def issue(self) -> str:
        """A token for the control plane."""
        token = _token(3_600)
        self._valid.add(token)
        return token

    def issue_for_worker(self) -> str:
        """A token so short-lived that the client asks for another as soon as it is told to."""
        token = _token(20)
        self._valid.add(token)
        self._for_workers.add(token)
        return token

    def expire_workers(self) -> None:
        self._valid -= self._for_workers

    def require(self, token: str | None) -> None:
        if token not in self._valid:
            raise GRPCError(Status.UNAUTHENTICATED, "Token is expired or was never issued")

    def require_caller(self, headers: Headers) -> None:
        if (headers.get("x-modal-token-id"), headers.get("x-modal-token-secret")) != (self.id, self.secret):
            raise GRPCError(Status.UNAUTHENTICATED, "Token ID or secret is wrong")


def _token(seconds: float) -> str:
    claims = json.dumps({"exp": time.time() + seconds, "id": secrets.token_hex(8)}).encode()
    return f"e30.{base64.urlsafe_b64encode(claims).decode().rstrip('=')}.x"


class ControlPlane:
    def __init__(self, sandboxes: Sandboxes, tokens: Tokens) -> None:
        self.url = ""
        self._sandboxes = sandboxes
        self._tokens = tokens
        self._apps: dict[str, str] = {}

    async def AuthTokenGet(self, request: Any, headers: Headers) -> api_pb2.AuthTokenGetResponse:
        self._tokens.require_caller(headers)
        return api_pb2.AuthTokenGetResponse(token=self._tokens.issue())

    async def EnvironmentGetOrCreate(self, request: Any, headers: Headers) -> api_pb2.EnvironmentGetOrCreateResponse:
        settings = api_pb2.EnvironmentSettings(image_builder_version="2025.06")
        return api_pb2.EnvironmentGetOrCreateResponse(
            environment_id="en-1", metadata=api_pb2.EnvironmentMetadata(name="main", settings=settings)
        )

    async def AppGetOrCreate(
        self, request: api_pb2.AppGetOrCreateRequest, headers: Headers
    ) -> api_pb2.AppGetOrCreateResponse:
        self._tokens.require_caller(headers)
        app_id = self._apps.setdefault(request.app_name, f"ap-{secrets.token_hex(11)}")
        return api_pb2.AppGetOrCreateResponse(app_id=app_id)

    async def ImageGetOrCreate(
        self, request: api_pb2.ImageGetOrCreateRequest, headers: Headers
    ) -> api_pb2.ImageGetOrCreateResponse:
        """Every image is built at once, and none has any files of its own."""
        digest = hashlib.sha256(request.image.SerializeToString(deterministic=True)).hexdigest()
        image_id = f"im-{digest[:22]}"
        self._sandboxes.add_image(image_id)
        return api_pb2.ImageGetOrCreateResponse(
            image_id=image_id, result=Result(status=Result.GENERIC_STATUS_SUCCESS), metadata=api_pb2.ImageMetadata()
        )

    async def ImageFromId(self, request: api_pb2.ImageFromIdRequest, headers: Headers) -> api_pb2.ImageFromIdResponse:
        self._sandboxes.known_image(request.image_id)
        return api_pb2.ImageFromIdResponse(image_id=request.image_id, metadata=api_pb2.ImageMetadata())

    async def ImageDelete(self, request: api_pb2.ImageDeleteRequest, headers: Headers) -> Empty:
        self._tokens.require_caller(headers)
        self._sandboxes.known_image(request.image_id)
        self._sandboxes.add_image(request.image_id, ttl_seconds=-1)
        return Empty()

    async def SandboxCreateV2(
        self, request: api_pb2.SandboxCreateV2Request, headers: Headers
    ) -> api_pb2.SandboxCreateV2Response:
        self._tokens.require(headers.get("x-modal-auth-token"))
        tags = {tag.tag_name: tag.tag_value for tag in request.tags}
        held = self._sandboxes.create(request.app_id, request.definition, tags)
        return api_pb2.SandboxCreateV2Response(
            sandbox_id=held.id,
            task_id=held.task_id,
            metadata=_metadata(held),
            command_router_access=api_pb2.CommandRouterAccess(jwt=self._tokens.issue_for_worker(), url=self.url),
        )

    async def SandboxGetTaskIdV2(
        self, request: api_pb2.SandboxGetTaskIdRequest, headers: Headers
    ) -> api_pb2.SandboxGetTaskIdResponse:
        held = self._authorized(request.sandbox_id, headers)
        if held.result is not None:
            return api_pb2.SandboxGetTaskIdResponse(task_result=held.result)
        return api_pb2.SandboxGetTaskIdResponse(task_id=held.task_id)

    async def SandboxGetCommandRouterAccess(
        self, request: api_pb2.SandboxGetCommandRouterAccessRequest, headers: Headers
    ) -> api_pb2.SandboxGetCommandRouterAccessResponse:
        held = self._authorized(request.sandbox_id, headers)
        if held.result is not None:
            raise GRPCError(Status.FAILED_PRECONDITION, "Sandbox already finished")
        return api_pb2.SandboxGetCommandRouterAccessResponse(jwt=self._tokens.issue_for_worker(), url=self.url)

    async def SandboxWaitV2(self, request: api_pb2.SandboxWaitRequest, headers: Headers) -> api_pb2.SandboxWaitResponse:
        held = self._authorized(request.sandbox_id, headers)
        with suppress(TimeoutError):
            async with asyncio.timeout(request.timeout):
                await held.ended.wait()
        return api_pb2.SandboxWaitResponse(result=held.result, metadata=_metadata(held))

    async def SandboxGetFromNameV2(
        self, request: api_pb2.SandboxGetFromNameRequest, headers: Headers
    ) -> api_pb2.SandboxGetFromNameResponse:
        self._tokens.require(headers.get("x-modal-auth-token"))
        held = self._sandboxes.by_name(self._apps.get(request.app_name, ""), request.sandbox_name)
        if held is None:
            raise GRPCError(Status.NOT_FOUND, f"Sandbox with name {request.sandbox_name} not found")
        return api_pb2.SandboxGetFromNameResponse(sandbox_id=held.id, metadata=_metadata(held))

    async def SandboxGetFromName(self, request: api_pb2.SandboxGetFromNameRequest, headers: Headers) -> None:
        """Where the client looks next: among sandboxes of the older kind, of which there are none."""
        raise GRPCError(Status.NOT_FOUND, f"Sandbox with name {request.sandbox_name} not found")

    async def SandboxListV2(self, request: api_pb2.SandboxListRequest, headers: Headers) -> api_pb2.SandboxListResponse:
        self._tokens.require(headers.get("x-modal-auth-token"))
        wanted = {(tag.tag_name, tag.tag_value) for tag in request.tags}
        found = [
            api_pb2.SandboxInfo(id=held.id, created_at=held.created, app_id=held.app_id, metadata=_metadata(held))
            for held in sorted(self._sandboxes.living(), key=lambda held: -held.created)
            if held.app_id == request.app_id
            and wanted <= set(held.tags.items())
            and (not request.before_timestamp or held.created < request.before_timestamp)
        ]
        return api_pb2.SandboxListResponse(sandboxes=found[:_PAGE])

    async def SandboxTagsGetV2(
        self, request: api_pb2.SandboxTagsGetRequest, headers: Headers
    ) -> api_pb2.SandboxTagsGetResponse:
        held = self._authorized(request.sandbox_id, headers)
        tags = [api_pb2.SandboxTag(tag_name=name, tag_value=value) for name, value in held.tags.items()]
        return api_pb2.SandboxTagsGetResponse(tags=tags)

    async def SandboxTerminateV2(
        self, request: api_pb2.SandboxTerminateRequest, headers: Headers
    ) -> api_pb2.SandboxTerminateResponse:
        held = self._authorized(request.sandbox_id, headers)
        before = held.result
        await self._sandboxes.end(held, Result.GENERIC_STATUS_TERMINATED)
        return api_pb2.SandboxTerminateResponse(existing_result=before)

    async def SandboxGetStats(
        self, request: api_pb2.SandboxGetStatsRequest, headers: Headers
    ) -> api_pb2.SandboxGetStatsResponse:
        return api_pb2.SandboxGetStatsResponse(cost=self._sandboxes.by_id(request.sandbox_id).usd)

    async def ClientHello(self, request: Empty, headers: Headers) -> api_pb2.ClientHelloResponse:
        self._tokens.require_caller(headers)
        return api_pb2.ClientHelloResponse()

    def _authorized(self, sandbox_id: str, headers: Headers) -> Held:
        self._tokens.require(headers.get("x-modal-auth-token"))
        return self._sandboxes.by_id(sandbox_id)


def _metadata(held: Held) -> api_pb2.SandboxHandleMetadata:
    return api_pb2.SandboxHandleMetadata(result=held.result, app_id=held.app_id)
