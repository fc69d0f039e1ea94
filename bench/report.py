"""The numbers as a table, each target beside what was measured."""

from bench.machine import Kind
from bench.results import Configuration, Floor, History, Parked, Results, Target

HISTORY_KB, MS_PER_TURN, PER_SECOND, KILL_SECONDS, PARKED_MB = 60, 50, 8, 2, 300
LINEAR = 1.1
"""A builder of 60 turns may keep this much more per turn than one of 20."""

_INCLUDES = {
    Kind.WHOLE: "bubblewrap sandboxes, git checkouts, bundles and pushes, the checks: everything a ticket really does",
    Kind.ORCHESTRATION: "Temporal, worker, gateway, agent, journal, board; workspace and forge are plain files, so "
    "that a step is comparable with one HTTP call",
}


def targets(configurations: dict[str, Configuration], parked: tuple[Parked, ...]) -> tuple[Target, ...]:
    made = configurations.get(Kind.ORCHESTRATION)
    found: list[Target] = []
    if made:
        few, many = made.histories
        growth = many.builder_bytes_per_turn / few.builder_bytes_per_turn
        slow = few.ms_per_turn_p50
        found = [
            _target("history linear in turns", f"<= {LINEAR} x", f"{growth:.2f} x", growth <= LINEAR),
            _target("history of 20 turns", f"< {HISTORY_KB} KB", f"{few.kb:.1f} KB", few.kb < HISTORY_KB),
            _target("orchestration per turn", f"< {MS_PER_TURN} ms", f"{slow:.1f} ms", slow < MS_PER_TURN),
            _target(
                "tickets with one worker",
                f">= {PER_SECOND}/s",
                f"{made.throughput.per_second:.1f}/s",
                made.throughput.per_second >= PER_SECOND,
            ),
            _target(
                "kill to next progress",
                f"< {KILL_SECONDS} s",
                f"p50 {made.kills.first_p50:.1f}, max {made.kills.first_max:.1f} s",
                made.kills.first_max < KILL_SECONDS,
            ),
        ]
    most = parked[-1] if parked else None
    return (
        *found,
        Target(
            name="worker with 10,000 parked",
            wanted=f"< {PARKED_MB} MB",
            measured=f"{most.worker_mb:.0f} MB with {most.tickets:,}" if most else "not measured",
            met=most.worker_mb < PARKED_MB if most and most.tickets >= 10_000 else None,
        ),
    )


def lines(results: Results) -> list[str]:
    said = [f"Pawl's benchmark ({results.size}), {results.host['cores']} cores, {results.seconds:.0f} s in all", ""]
    if results.configurations:
        said += table(["", *results.configurations], _rows(results.configurations))
        said += ["", *(f"{name}: {_INCLUDES[Kind(name)]}" for name in results.configurations), ""]
    said += _floor(results.floor) if results.floor else []
    if results.parked:
        said += ["", *table(["parked tickets", *(f"{one.tickets:,}" for one in results.parked)], _waiting(results))]
    said += ["", *table(["target", "wanted", "measured", ""], [verdict(target) for target in results.targets])]
    return said


def _rows(configurations: dict[str, Configuration]) -> list[list[str]]:
    every = list(configurations.values())
    pulled = [one.throughput for one in every]
    names = {name for one in pulled for name in one.stored_kb}
    rows = [
        ["tickets", *(f"{one.tickets}, {one.at_once} at once" for one in pulled)],
        ["tickets/s", *(f"{one.per_second:.2f}" for one in pulled)],
        ["CPU per ticket: worker", *(f"{one.worker_cpu_ms:.0f} ms" for one in pulled)],
        ["  its git and starters", *(f"{one.worker_children_cpu_ms:.0f} ms" for one in pulled)],
        ["  server", *(f"{one.server_cpu_ms:.0f} ms" for one in pulled)],
        ["  gateway", *(f"{one.gateway_cpu_ms:.0f} ms" for one in pulled)],
        ["stored per ticket", *(f"{sum(one.stored_kb.values()):.0f} KB" for one in pulled)],
    ]
    rows += [[f"  {name}", *(f"{one.stored_kb[name]:.1f} KB" for one in pulled)] for name in sorted(names)]
    for histories in zip(*(one.histories for one in every), strict=True):
        rows += _history_rows(list(histories))
    kills = [one.kills for one in every]
    return [
        *rows,
        ["kills, tickets in flight", *(f"{one.kills}, {one.at_once}" for one in kills)],
        ["  any ticket goes on after", *(f"p50 {one.first_p50:.1f}, max {one.first_max:.1f} s" for one in kills)],
        ["  each ticket goes on after", *(f"p50 {one.ticket_p50:.1f}, max {one.ticket_max:.1f} s" for one in kills)],
        ["calls bought twice", *(str(o.throughput.calls_bought_twice + o.kills.calls_bought_twice) for o in every)],
        ["tickets not done", *(str(one.throughput.not_done + one.kills.not_done) for one in every)],
    ]


def _history_rows(of: list[History]) -> list[list[str]]:
    return [
        [f"history of {of[0].turns} turns", *(f"{one.events} events, {one.kb:.1f} KB" for one in of)],
        ["  builder, per turn", *(f"{one.builder_bytes_per_turn:.0f} bytes" for one in of)],
        ["  alone, per turn", *(f"p50 {one.ms_per_turn_p50:.1f}, mean {one.ms_per_turn_mean:.1f} ms" for one in of)],
    ]


def _floor(floor: Floor) -> list[str]:
    return [
        f"The plain floor, the same model calls by a loop that keeps nothing: {floor.per_second:.1f} tickets/s "
        f"({floor.at_once} at once), {floor.ms_per_call:.1f} ms per call alone, "
        f"CPU per ticket: loop {floor.loop_cpu_ms:.0f} ms, gateway {floor.gateway_cpu_ms:.0f} ms.",
    ]


def _waiting(results: Results) -> list[list[str]]:
    return [
        ["worker, resident", *(f"{one.worker_mb:.0f} MB" for one in results.parked)],
        ["server, resident", *(f"{one.server_mb:.0f} MB" for one in results.parked)],
        ["gateway, resident", *(f"{one.gateway_mb:.0f} MB" for one in results.parked)],
        ["worker, idle CPU", *(f"{one.worker_busy:.2f} cores" for one in results.parked)],
        ["server, idle CPU", *(f"{one.server_busy:.2f} cores" for one in results.parked)],
    ]


def _target(name: str, wanted: str, measured: str, met: bool) -> Target:
    return Target(name=name, wanted=wanted, measured=measured, met=met)


def verdict(target: Target) -> list[str]:
    """The row of a target."""
    words = {True: "met", False: "NOT MET", None: "not measured"}
    return [target.name, target.wanted, target.measured, words[target.met]]


def table(head: list[str], rows: list[list[str]]) -> list[str]:
    """Aligned lines, the first cell of each row naming it."""
    whole = [head, *rows]
    widths = [max(len(row[place]) for row in whole) for place in range(len(head))]
    aligned = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in whole]
    return [aligned[0], "-" * len(aligned[0]), *aligned[1:]]
