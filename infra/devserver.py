"""The embedded Temporal server: the CLI's dev server on a SQLite file, with the settings that make it fast."""

import asyncio
import random
import socket
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path

from google.protobuf.duration_pb2 import Duration
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.namespace.v1 import NamespaceConfig
from temporalio.api.workflowservice.v1 import DescribeWorkflowExecutionRequest, UpdateNamespaceRequest
from temporalio.client import Client
from temporalio.common import SearchAttributeIndexedValueType
from temporalio.service import RPCError, RPCStatusCode

from infra.payloads import DATA_CONVERTER
from infra.settings import Settings
from workflows import names
from workflows.domain.model import Record

RETENTION = timedelta(days=90)
"""How long the story of a ticket that has ended can be read in the Temporal UI."""

_DYNAMIC_CONFIG = (
    # Without it every timer and every retry waits at least a second.
    'history.timerProcessorMaxTimeShift="10ms"',
    # The dev server has one shard, whose queue is otherwise read 20 times a second: 50 ms for every step, twice.
    "history.transferProcessorMaxPollRPS=2000",
    # The same for its timers. At 20 times a second a busy server's timers come 150 ms late, and those of a busy second,
    # which it hands to a second reader that gets what the first one leaves, by minutes: tasks that a worker did not
    # take in time then lie there as long.
    "history.timerProcessorMaxPollRPS=2000",
    # A step goes to the worker with the answer that asked for it, instead of through the queue.
    "system.enableActivityEagerExecution=true",
    # One worker needs no partitions; with four of them each poll waits at the wrong one.
    "matching.numTaskqueueReadPartitions=1",
    "matching.numTaskqueueWritePartitions=1",
    # Priorities are ignored without these two.
    "matching.useNewMatcher=true",
    "matching.enableFairness=true",
)
_PRAGMAS = (
    # Two to three times the tickets per second. Both survive the death of the process at any moment. Power loss may
    # take the last moments from Temporal's file, never from journal and gateway, which sync every commit: the steps
    # are then sent out once more and find what they did, so nothing is bought or opened twice.
    "journal_mode=wal",
    "synchronous=normal",
)
_TYPES = {
    SearchAttributeIndexedValueType.KEYWORD: "Keyword",
    SearchAttributeIndexedValueType.BOOL: "Bool",
    SearchAttributeIndexedValueType.DOUBLE: "Double",
}
_QUIET_PORTS = range(12_000, 30_000)
"""Below the range the kernel takes ports of outgoing connections from, so that none is taken between look and use."""


class Ports(Record):
    """Loopback ports of one stack."""

    temporal: int
    ui: int
    gateway: int
    ingress: int


WELL_KNOWN = Ports(temporal=7233, ui=8233, gateway=8377, ingress=8378)


def free_ports(settings: Settings) -> Ports:
    """The well-known ports for the default home, the same ones of its own for any other home, or free ones where
    somebody else has those."""
    if settings.home == Settings.model_fields["home"].get_default(call_default_factory=True):
        wanted = [WELL_KNOWN.temporal, WELL_KNOWN.ui, WELL_KNOWN.gateway, WELL_KNOWN.ingress]
    else:
        wanted = random.Random(str(settings.home.resolve())).sample(_QUIET_PORTS, 4)  # noqa: S311
    temporal, ui, gateway, ingress = _free(wanted)
    return Ports(temporal=temporal, ui=ui, gateway=gateway, ingress=ingress)


def command(program: Path, ports: Ports, database: Path | None) -> tuple[str, ...]:
    """The command line of the server. Without a database file it forgets everything when it ends."""
    return (
        str(program),
        "server",
        "start-dev",
        *("--ip", "127.0.0.1", "--port", str(ports.temporal), "--ui-port", str(ports.ui)),
        *(("--db-filename", str(database)) if database else ()),
        *_each("--sqlite-pragma", _PRAGMAS if database else ()),
        *_each("--dynamic-config-value", _DYNAMIC_CONFIG),
        *_each("--search-attribute", (f"{k.name}={_TYPES[k.indexed_value_type]}" for k in names.SEARCH_ATTRIBUTES)),
        *("--log-level", "error", "--color", "never"),
    )


async def serves(address: str) -> bool:
    """Whether workflows can be started there."""
    try:
        async with asyncio.timeout(2):
            client = await Client.connect(address, data_converter=DATA_CONVERTER)
            return await client.service_client.check_health()
    except (RuntimeError, RPCError, TimeoutError):
        return False


async def works(client: Client) -> bool:
    """Whether the server still reaches its database, shown by asking for a workflow that does not exist.

    A call that is cancelled at the wrong moment leaves the server's one SQLite connection interrupted for good: it
    then answers every call with `interrupted (9)`, says it is healthy, and works again after a restart. One that only
    takes its time works.
    """
    nobody = DescribeWorkflowExecutionRequest(
        namespace=client.namespace, execution=WorkflowExecution(workflow_id="nobody")
    )
    try:
        await client.workflow_service.describe_workflow_execution(nobody, retry=False, timeout=timedelta(seconds=10))
    except RPCError as error:
        if error.status is RPCStatusCode.DEADLINE_EXCEEDED:
            return True
        return error.status is RPCStatusCode.NOT_FOUND and "workflow" in error.message.lower()
    return True


async def keep_stories(client: Client) -> None:
    """Raise the namespace's retention from the dev server's one day."""
    retention = Duration()
    retention.FromTimedelta(RETENTION)
    await client.workflow_service.update_namespace(
        UpdateNamespaceRequest(
            namespace=client.namespace, config=NamespaceConfig(workflow_execution_retention_ttl=retention)
        ),
        timeout=timedelta(seconds=10),
    )


def _each(flag: str, values: Iterable[str]) -> list[str]:
    return [word for value in values for word in (flag, value)]


def _free(wanted: list[int]) -> list[int]:
    ports: list[int] = []
    for first in wanted:
        port = first
        while port in ports or not _is_free(port):
            port = random.choice(_QUIET_PORTS)  # noqa: S311
        ports.append(port)
    return ports


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
