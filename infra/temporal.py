"""The one place that knows how Pawl talks to Temporal: connecting, converting, running workflows, leaving."""

import asyncio
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from typing import NoReturn, cast

from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest, ListSearchAttributesRequest
from temporalio.client import Client, Plugin
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.envconfig import ClientConfig, ClientConnectConfig
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from infra import home
from infra.exits import NoAccess, OutOfReach
from infra.settings import Settings
from workflows import names

LOCAL_ADDRESS = "127.0.0.1:7233"
CONNECT_SECONDS = 10.0
PASSED_THROUGH = ("workflows.domain", "workflows.ports", "workflows.names")
"""Loaded once per worker instead of once per ticket: they hold no state, and `make check` holds them to purity."""

_CALL = timedelta(seconds=CONNECT_SECONDS)
_NO_ACCESS = ("Unauthenticated", "PermissionDenied", "InvalidCertificate", "certificate required")


async def connect(
    settings: Settings, *, plugins: Sequence[Plugin] = (), wait_seconds: float = CONNECT_SECONDS
) -> Client:
    """A client of the Temporal server that the SDK's environment configuration names (`TEMPORAL_*`, profiles); when it
    names none, of this home's dev server. Raises OutOfReach and NoAccess."""
    config = connection(settings)
    address = config.get("target_host", LOCAL_ADDRESS)
    try:
        async with asyncio.timeout(wait_seconds):
            return await Client.connect(**config, data_converter=pydantic_data_converter, plugins=plugins)
    except TimeoutError as error:
        raise _out_of_reach(address, f"no answer in {wait_seconds:g} s") from error
    except RuntimeError as error:  # what the SDK's core raises for every failed connection
        said = str(error)
        if any(sign in said for sign in _NO_ACCESS):
            raise NoAccess(
                f"The Temporal server at {address} does not let us in.",
                "Check TEMPORAL_API_KEY or the TLS settings of the profile (TEMPORAL_PROFILE).",
            ) from error
        raise _out_of_reach(address, _reason(said)) from error


def connection(settings: Settings) -> ClientConnectConfig:
    """Arguments for `Client.connect`: the environment configuration, completed with this home's address."""
    config = ClientConfig.load_client_connect_config()
    if not config.get("target_host"):
        server = home.server_file(settings)
        config["target_host"] = server.address if server else LOCAL_ADDRESS
    return config


def workflow_runner(strict: bool = False) -> SandboxedWorkflowRunner:
    """The workflow sandbox. Strict reloads our own modules for every run, which also refuses clocks and randomness
    inside them: slower, for tests."""
    if strict:
        return SandboxedWorkflowRunner()
    return SandboxedWorkflowRunner(SandboxRestrictions.default.with_passthrough_modules(*PASSED_THROUGH))


async def ensure_search_attributes(client: Client) -> list[str]:
    """Register what `names.SEARCH_ATTRIBUTES` lists and the namespace lacks; the names that were added."""
    operator = client.operator_service
    try:
        known = await operator.list_search_attributes(
            ListSearchAttributesRequest(namespace=client.namespace), timeout=_CALL
        )
        missing = {
            key.name: cast("IndexedValueType.ValueType", int(key.indexed_value_type))
            for key in names.SEARCH_ATTRIBUTES
            if key.name not in known.custom_attributes
        }
        if missing:
            await operator.add_search_attributes(
                AddSearchAttributesRequest(namespace=client.namespace, search_attributes=missing), timeout=_CALL
            )
    except RPCError as error:
        if error.status is RPCStatusCode.ALREADY_EXISTS:
            return []
        wanted = ", ".join(f"{key.name} ({key.indexed_value_type.name})" for key in names.SEARCH_ATTRIBUTES)
        raise OutOfReach(
            f"The search attributes of namespace {client.namespace} cannot be set: {error.message}.",
            f"Ask its operator to add {wanted}.",
        ) from error
    return sorted(missing)


def exit_now(code: int) -> NoReturn:
    """Leave without interpreter shutdown, in which the SDK's native threads abort one exit in five."""
    with suppress(OSError):  # whoever read our output has gone
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)


def _out_of_reach(address: str, reason: str) -> OutOfReach:
    return OutOfReach(
        f"The Temporal server at {address} cannot be reached ({reason}).",
        "Start one with `pawl up`, or point TEMPORAL_ADDRESS at yours.",
    )


def _reason(said: str) -> str:
    """The kernel's words out of the SDK's nested error text, when they are there."""
    for words in ("Connection refused", "No route to host", "failed to lookup address", "timed out"):
        if words.lower() in said.lower():
            return words[0].lower() + words[1:]
    return said[:200]
