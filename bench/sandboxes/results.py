"""What is measured of sandboxes, and the targets."""

from bench.report import table, verdict
from bench.results import Target
from workflows.domain.model import Record

OVERHEAD_MS, WARM_SECONDS, WARM_MB = 80, 1.0, 100


class Exec(Record):
    """One command that does nothing, from its start to its known end; medians."""

    bare_ms: float
    """A plain subprocess."""
    sandbox_ms: float

    @property
    def overhead_ms(self) -> float:
        return self.sandbox_ms - self.bare_ms


class Start(Record):
    """From an order to a checkout an agent can work in."""

    repository_mb: int
    files: int
    copy_seconds: float
    """`cp -a` of the same files: the plain floor."""
    first_seconds: float
    """Nothing of the repository is there: its history is packed once."""
    cold_seconds: float
    """The pack is there, a new sandbox is filled from it."""
    warm_seconds: float
    """From the prepared image."""


class Out(Record):
    """The way of work out of a sandbox: measured, bundled, looked at, kept."""

    repository_mb: int
    changed_kb: int
    seconds: float
    bundle_kb: float


class Many(Record):
    """So many sandboxes made, used for one command and removed, all at once."""

    sandboxes: int
    seconds: float
    p50_seconds: float
    max_seconds: float
    bare_seconds: float
    """The same number of plain subprocesses at once."""


class SandboxResults(Record):
    version: int = 1
    host: dict[str, str]
    size: str
    tier: str
    command: Exec
    starts: tuple[Start, ...]
    out: tuple[Out, ...]
    many: Many
    targets: tuple[Target, ...] = ()

    def judged(self) -> "SandboxResults":
        overhead = self.command.overhead_ms
        large = next((start for start in self.starts if start.repository_mb == WARM_MB), None)
        warm = f"{large.warm_seconds:.2f} s" if large else "not measured"
        return self.model_copy(
            update={
                "targets": (
                    Target(
                        name="command, beyond a plain one",
                        wanted=f"< {OVERHEAD_MS} ms",
                        measured=f"{overhead:.0f} ms",
                        met=overhead < OVERHEAD_MS,
                    ),
                    Target(
                        name=f"warm start of {WARM_MB} MB",
                        wanted=f"< {WARM_SECONDS:g} s",
                        measured=warm,
                        met=large.warm_seconds < WARM_SECONDS if large else None,
                    ),
                )
            }
        )


def lines(results: SandboxResults) -> list[str]:
    command, many = results.command, results.many
    starts = [
        [
            f"{start.repository_mb} MB, {start.files:,} files",
            *(
                f"{seconds:.2f} s"
                for seconds in (start.copy_seconds, start.first_seconds, start.cold_seconds, start.warm_seconds)
            ),
        ]
        for start in results.starts
    ]
    out = [
        [f"{one.repository_mb} MB", f"{one.changed_kb:,} KB", f"{one.seconds:.2f} s", f"{one.bundle_kb:,.1f} KB"]
        for one in results.out
    ]
    return [
        f"Pawl's sandboxes ({results.size}), {results.tier}, {results.host['cores']} cores",
        "",
        f"One command: {command.sandbox_ms:.0f} ms in a sandbox, {command.bare_ms:.1f} ms as a plain subprocess.",
        f"{many.sandboxes} sandboxes at once: {many.seconds:.1f} s in all, each p50 {many.p50_seconds:.1f}, "
        f"max {many.max_seconds:.1f} s; {many.sandboxes} plain subprocesses: {many.bare_seconds:.2f} s.",
        "",
        *table(["start of a checkout", "cp -a", "first", "cold", "warm"], starts),
        "",
        *table(["work taken out", "changed", "time", "bundle"], out),
        "",
        *table(["target", "wanted", "measured", ""], [verdict(target) for target in results.targets]),
    ]
