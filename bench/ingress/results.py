"""What is measured of the ingress, and the targets."""

import math
from collections.abc import Sequence

from bench.report import table, verdict
from bench.results import Target
from workflows.domain.model import Record

P99_MS = 250.0


class Run(Record):
    """Deliveries at a steady rate."""

    name: str
    rate: float
    seconds: float
    deliveries: int
    again: int
    """Of these, sent before: with the same delivery id or as another delivery of the same happening."""
    p50_ms: float
    p99_ms: float
    max_ms: float
    """Of the answer to the first try of each delivery, from the moment it was due."""
    tries: int
    refused: int
    """Tries that were answered with 503, or not at all."""
    tickets: int
    signals: int
    given_up: int
    """Deliveries that no try of the sender's brought in."""
    lost: int
    """These, and what was taken and is not in Temporal."""
    duplicated: int
    """Workflows beyond the first of a ticket."""
    told_twice: int
    """Signals that a ticket got more than once; it knows them by their id."""
    away_seconds: float = 0.0
    caught_up_seconds: float = 0.0
    """From Temporal's return until the last delivery of its absence was taken."""
    cpu_ms: float
    """Of the ingress, per try."""
    resident_mb: float


class IngressResults(Record):
    version: int = 1
    host: dict[str, str]
    runs: tuple[Run, ...]
    targets: tuple[Target, ...] = ()

    def judged(self) -> "IngressResults":
        return self.model_copy(update={"targets": tuple(one for run in self.runs for one in _targets(run))})


def quantile(values: Sequence[float], share: float) -> float:
    """The value that so large a share does not exceed; 0 of none."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else 0.0


def _targets(run: Run) -> list[Target]:
    none = [("lost", run.lost), ("workflows of a ticket twice", run.duplicated)]
    found = [Target(name=f"{run.name}: {name}", wanted="0", measured=str(n), met=n == 0) for name, n in none]
    if not run.away_seconds:
        measured = f"{run.p99_ms:.0f} ms"
        met = run.p99_ms < P99_MS
        found.append(Target(name=f"{run.name}: p99 answer", wanted=f"< {P99_MS:g} ms", measured=measured, met=met))
    return found


def lines(results: IngressResults) -> list[str]:
    runs = results.runs
    rows = [
        ["deliveries", *(f"{one.deliveries:,} in {one.seconds:g} s" for one in runs)],
        ["  of these sent before", *(f"{one.again:,}" for one in runs)],
        ["answer p50, p99, max", *(f"{one.p50_ms:.0f}, {one.p99_ms:.0f}, {one.max_ms:.0f} ms" for one in runs)],
        ["tries, refused", *(f"{one.tries:,}, {one.refused:,}" for one in runs)],
        ["tickets started, signals", *(f"{one.tickets:,}, {one.signals:,}" for one in runs)],
        ["lost, of these given up", *(f"{one.lost}, {one.given_up}" for one in runs)],
        ["workflows of a ticket twice", *(str(one.duplicated) for one in runs)],
        ["signals told twice", *(str(one.told_twice) for one in runs)],
        ["caught up after", *(f"{one.caught_up_seconds:.1f} s" if one.away_seconds else "-" for one in runs)],
        ["ingress, CPU per try", *(f"{one.cpu_ms:.1f} ms" for one in runs)],
        ["ingress, resident", *(f"{one.resident_mb:.0f} MB" for one in runs)],
    ]
    return [
        f"Pawl's ingress, {results.host['cores']} cores shared with the sender and the Temporal server",
        "",
        *table(["", *(one.name for one in runs)], rows),
        "",
        *table(["target", "wanted", "measured", ""], [verdict(target) for target in results.targets]),
    ]
