"""What every forge does before it pushes: make the one commit of a change, and have it looked at from all sides."""

from collections.abc import Sequence

from pydantic import TypeAdapter

from activities.errors import stop
from activities.git import Rules, TrustedClones, inspected
from workflows.domain.change import Change, CheckReport, CheckResult
from workflows.domain.failures import Failure
from workflows.domain.fingerprint import fingerprint
from workflows.domain.words import counted
from workflows.ports.forge import PublishChange
from workflows.ports.journal import Journal

_NAME = "what may leave"
_MOST = 10_000
_EXCERPT = 1_000
_RESULTS = TypeAdapter(tuple[CheckResult, ...])


async def ready(clones: TrustedClones, journal: Journal, change: PublishChange) -> Change:
    """The change as a commit in the trusted clone. `pushed` says whether it may be: only then push it.

    Raises GitError, and WorkspaceBroken when there is no such state or no change in it.
    """
    repository = change.repository
    state = await clones.import_state(repository, await _state(journal, change.state))
    commit = await clones.commit(repository, state, change.message)
    size = await clones.diffstat(repository, commit)
    if size.files == 0:
        raise stop(Failure.WORKSPACE_BROKEN, "The workspace state holds no change.")
    seen = await inspected(clones, repository, commit, Rules(change.limits, change.protected, change.secrets))
    return Change(
        branch=change.branch,
        head_sha=commit,
        binaries=seen.binaries,
        pushed=not seen.problems and seen.digest in ("", change.allowed),
        refused=await _refusal(journal, seen.problems),
        asks=seen.asks,
        asks_digest=seen.digest,
        shown=seen.shown,
        **size._asdict(),
    )


async def _state(journal: Journal, ref: str) -> bytes:
    try:
        return await journal.load(ref)
    except KeyError:
        raise stop(Failure.WORKSPACE_BROKEN, f"The journal does not hold the workspace state {ref!r}.") from None


async def _refusal(journal: Journal, problems: Sequence[str]) -> CheckReport | None:
    """The problems as a failed check, kept in the journal; None when there are none."""
    if not problems:
        return None
    reason = f"{counted(len(problems), 'reason')} not to push the change"
    text = "\n".join(f"- {problem}" for problem in problems)
    output = text if len(text) <= _MOST else f"{text[: _MOST - 100]}\n[cut: mend these first]"
    result = CheckResult(name=_NAME, ok=False, reason=reason, output=output)
    return CheckReport(
        ok=False,
        summary=f"{_NAME}: {reason}",
        log=await journal.keep(_RESULTS.dump_json((result,))),
        excerpt=output[:_EXCERPT],
        fingerprint=fingerprint(text),
    )
