"""The one place that knows how Pawl talks to Temporal: connecting, search attributes, errors in our words."""

import asyncio
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import cast

from temporalio.api.enums.v1 import IndexedValueType, TaskQueueType
from temporalio.api.errordetails.v1 import NamespaceNotFoundFailure
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest, ListSearchAttributesRequest
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client, Plugin
from temporalio.envconfig import ClientConfig, ClientConnectConfig
from temporalio.service import RPCError, RPCStatusCode

from infra import home
from infra.exits import Misused, NoAccess, NotFound, OutOfReach, PawlError, RateLimited
from infra.exits import exit_now as exit_now  # beside `connect`, for whoever holds a client
from infra.payloads import DATA_CONVERTER
from infra.settings import Settings
from workflows import names

LOCAL_ADDRESS = "127.0.0.1:7233"
CONNECT_SECONDS = 10.0
_CALL = timedelta(seconds=CONNECT_SECONDS)
_NO_ACCESS = ("Unauthenticated", "PermissionDenied", "InvalidCertificate", "certificate required")


async def connect(
    settings: Settings, *, plugins: Sequence[Plugin] = (), wait_seconds: float = CONNECT_SECONDS
) -> Client:
    """A client of the Temporal server that the SDK's environment configuration names (`TEMPORAL_*`, profiles); when it
    names none, of this home's dev server. Raises OutOfReach, NoAccess, and Misused for settings that make no sense."""
    config = connection(settings)
    address = config.get("target_host", LOCAL_ADDRESS)
    try:
        async with asyncio.timeout(wait_seconds):
            return await Client.connect(**config, data_converter=DATA_CONVERTER, plugins=plugins)
    except TimeoutError as error:
        raise _out_of_reach(address, f"no answer in {wait_seconds:g} s") from error
    except ValueError as error:
        raise Misused(
            f"TEMPORAL_ADDRESS, or the address of the profile, cannot be used: {address!r} ({error}).",
            "It must read host:port.",
        ) from error
    except RuntimeError as error:  # what the SDK's core raises for every failed connection
        said = str(error)
        if any(sign in said for sign in _NO_ACCESS):
            raise NoAccess(
                f"The Temporal server at {address} does not let us in.",
                "Check TEMPORAL_API_KEY or the TLS settings of the profile (TEMPORAL_PROFILE).",
            ) from error
        raise _out_of_reach(address, _reason(said)) from error


def connection(settings: Settings) -> ClientConnectConfig:
    """Arguments for `Client.connect`: the environment configuration, completed with this home's address. Raises Misused
    when it cannot be read."""
    try:
        config = ClientConfig.load_client_connect_config()
    except (RuntimeError, OSError) as error:  # the SDK's own class for it is a RuntimeError without a public name
        raise misread(error) from error
    if not config.get("target_host"):
        server = home.server_file(settings)
        config["target_host"] = server.address if server else LOCAL_ADDRESS
    return config


def misread(error: Exception) -> Misused:
    """What a person can do when the SDK cannot read its environment configuration."""
    reason = str(error).strip().replace("\n", " ")
    return Misused(
        f"The Temporal settings of the environment cannot be read: {reason}.",
        "Correct TEMPORAL_PROFILE, TEMPORAL_CONFIG_FILE or the file it names, or the TEMPORAL_TLS_ paths.",
    )


async def missing_search_attributes(client: Client) -> dict[str, "IndexedValueType.ValueType"]:
    """Of `names.SEARCH_ATTRIBUTES`, those that the namespace lacks."""
    asked = ListSearchAttributesRequest(namespace=client.namespace)
    with translated("the search attributes"):
        known = await client.operator_service.list_search_attributes(asked, timeout=_CALL)
    return {
        key.name: cast("IndexedValueType.ValueType", int(key.indexed_value_type))
        for key in names.SEARCH_ATTRIBUTES
        if key.name not in known.custom_attributes
    }


async def ensure_search_attributes(client: Client) -> list[str]:
    """Register the search attributes that the namespace lacks; the names that were added."""
    missing = await missing_search_attributes(client)
    if not missing:
        return []
    order = AddSearchAttributesRequest(namespace=client.namespace, search_attributes=missing)
    try:
        await client.operator_service.add_search_attributes(order, timeout=_CALL)
    except RPCError as error:
        if error.status is not RPCStatusCode.ALREADY_EXISTS:  # another worker was faster
            wanted = ", ".join(f"{key.name} ({key.indexed_value_type.name})" for key in names.SEARCH_ATTRIBUTES)
            raise OutOfReach(
                f"The search attributes of namespace {client.namespace} cannot be set: {error.message}.",
                f"Ask its operator to add {wanted}.",
            ) from error
    return sorted(missing)


async def pollers(client: Client, queue: str) -> set[str]:
    """The workers that asked for steps within the last minutes, as `pid@host`."""
    asked = DescribeTaskQueueRequest(
        namespace=client.namespace,
        task_queue=TaskQueue(name=queue),
        task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
    )
    with translated(f"the task queue {queue}"):
        described = await client.workflow_service.describe_task_queue(asked, timeout=_CALL)
    return {poller.identity for poller in described.pollers}


@contextmanager
def translated(what: str) -> Generator[None]:
    """Turn the server's errors into ours. `what` names what was asked for: `ticket ENG-1`."""
    try:
        yield
    except RPCError as error:
        raise in_our_words(what, error) from error


def in_our_words(what: str, error: RPCError) -> PawlError:
    """The server's error as ours. `what` names what was asked for."""
    match error.status:
        case RPCStatusCode.NOT_FOUND if _lacks_namespace(error):
            return Misused(
                f"The Temporal server answers: {error.message.rstrip('.')}.",
                "Correct TEMPORAL_NAMESPACE or the namespace of the profile (TEMPORAL_PROFILE), or create it there.",
            )
        case RPCStatusCode.NOT_FOUND:
            return NotFound(f"Temporal does not know {what}.", "See `pawl list`.")
        case RPCStatusCode.UNAUTHENTICATED | RPCStatusCode.PERMISSION_DENIED:
            return NoAccess(f"Temporal does not let us at {what}: {error.message}.", "Check the credentials.")
        case RPCStatusCode.RESOURCE_EXHAUSTED:
            return RateLimited(f"Temporal is asked too often: {error.message}.", "Try again in a moment.")
        case RPCStatusCode.DEADLINE_EXCEEDED | RPCStatusCode.CANCELLED | RPCStatusCode.FAILED_PRECONDITION:
            return OutOfReach(f"Nobody answers for {what}.", "Is a worker running? `pawl doctor` tells.")
        case _:
            return OutOfReach(f"Temporal failed on {what}: {error.message}.", "`pawl doctor` looks for the cause.")


def _lacks_namespace(error: RPCError) -> bool:
    """Whether it is the namespace that is not there, and not what was asked for in it."""
    status = error.grpc_status
    return any(detail.Is(NamespaceNotFoundFailure.DESCRIPTOR) for detail in status.details)


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
