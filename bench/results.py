"""The numbers, as they are written to JSON."""

from workflows.domain.model import Record


class Throughput(Record):
    tickets: int
    at_once: int
    per_second: float
    worker_cpu_ms: float
    """Per ticket, as all CPU times here."""
    worker_children_cpu_ms: float
    """Processes the worker started and has seen end. Sandboxes outlive the worker and are not in it."""
    server_cpu_ms: float
    gateway_cpu_ms: float
    stored_kb: dict[str, float]
    """Growth per ticket by what is kept."""
    calls_bought_twice: int
    not_done: int
    """Tickets that did not end in Done."""


class History(Record):
    turns: int
    """Of the builder, each with one tool call; the submission is one more."""
    events: int
    """Of the ticket and all its sessions."""
    kb: float
    builder_bytes_per_turn: float
    ms_per_turn_p50: float
    """From one finished turn of the builder to the next, one ticket alone."""
    ms_per_turn_mean: float


class Kills(Record):
    kills: int
    at_once: int
    first_p50: float
    """Seconds from SIGKILL to the first thing done for any ticket in flight, the worker's start included."""
    first_max: float
    ticket_p50: float
    """The same for each ticket in flight, over all kills."""
    ticket_max: float
    tickets: int
    calls_bought_twice: int
    not_done: int


class Configuration(Record):
    throughput: Throughput
    histories: tuple[History, ...]
    kills: Kills


class Parked(Record):
    tickets: int
    worker_mb: float
    server_mb: float
    gateway_mb: float
    worker_busy: float
    """Share of one core while nothing happens."""
    server_busy: float


class Floor(Record):
    """The same model calls by a plain loop that keeps nothing and decides nothing."""

    tickets: int
    at_once: int
    per_second: float
    loop_cpu_ms: float
    gateway_cpu_ms: float
    ms_per_call: float
    """One ticket alone."""


class Target(Record):
    name: str
    wanted: str
    measured: str
    met: bool | None
    """None: not measured."""


class Results(Record):
    version: int = 1
    host: dict[str, str]
    size: str
    """`full` or `quick`."""
    seconds: float
    floor: Floor | None
    """Measured beside `orchestration`, or beside `whole` alone."""
    configurations: dict[str, Configuration]
    parked: tuple[Parked, ...]
    targets: tuple[Target, ...]
