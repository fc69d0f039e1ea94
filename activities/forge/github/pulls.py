"""Pull requests: found before made, merged once, closed."""

from activities.errors import again, stop
from activities.forge.github.comments import say
from activities.forge.github.place import Place, safe
from activities.git import TrustedClones
from activities.git.bare import merge_tree
from activities.github import Refused
from activities.github.records import Pull
from workflows.domain.change import PullRequest, Repository
from workflows.domain.failures import Failure
from workflows.domain.model import Record
from workflows.ports.forge import ClosePullRequest, MergePullRequest, OpenPullRequest

_READY = """mutation Ready($pull: ID!) {
  markPullRequestReadyForReview(input: {pullRequestId: $pull}) { pullRequest { id isDraft } }
}"""


class _Merged(Record):
    sha: str


async def opened(place: Place, request: OpenPullRequest) -> PullRequest:
    pull = await _open_on(place, request.branch) or await _made(place, request)
    if request.labels:
        await place.do("POST", f"/issues/{pull.number}/labels", {"labels": list(request.labels)})
    return seen(pull)


async def merged(place: Place, clones: TrustedClones, merge: MergePullRequest, method: str) -> PullRequest:
    pull = await place.pull(merge.number)
    if pull.merged:
        return seen(pull)
    _refuse_what_was_not_approved(pull, merge)
    try:
        asked = {"sha": merge.head_sha, "merge_method": method}
        made = await place.send("PUT", f"/pulls/{merge.number}/merge", asked, _Merged)
    except Refused as refused:
        if refused.status not in (405, 409):
            raise
        now = await place.pull(merge.number)
        if now.merged:
            return seen(now)
        raise await _why_not(place, clones, merge, now, refused) from refused
    return seen(pull).model_copy(update={"merged_sha": made.sha})


async def closed(place: Place, close: ClosePullRequest) -> None:
    pull = await place.pull(close.number)
    if pull.state == "open":
        (text,) = await safe(f"**Closed.** {close.reason}")
        await say(place, close.number, "close", text)
        await place.do("PATCH", f"/pulls/{close.number}", {"state": "closed"})


async def readied(place: Place, number: int) -> None:
    pull = await place.pull(number)
    if pull.draft:
        await place.github.graphql(place.name, _READY, pull=pull.node_id)


def seen(pull: Pull) -> PullRequest:
    return PullRequest(
        number=pull.number,
        url=pull.html_url,
        branch=pull.head.ref,
        head_sha=pull.head.sha,
        merged_sha=(pull.merge_commit_sha or "") if pull.merged else "",  # of an open one it is a trial merge
    )


async def _open_on(place: Place, branch: str) -> Pull | None:
    owner = place.name.partition("/")[0]
    pulls = await place.every("/pulls", Pull, head=f"{owner}:{branch}", state="open")
    return next((pull for pull in pulls if pull.head.ref == branch), None)


async def _made(place: Place, request: OpenPullRequest) -> Pull:
    (body,) = await safe(request.body)
    asked = {
        "title": request.title[:250],
        "head": request.branch,
        "base": request.repository.base_branch,
        "body": body,
        "draft": request.draft,
    }
    try:
        return await place.send("POST", "/pulls", asked, Pull)
    except Refused as refused:
        if refused.status == 422 and (found := await _open_on(place, request.branch)):
            return found
        if request.draft and "draft" in refused.said.lower():  # not every plan has drafts
            return await _made(place, request.model_copy(update={"draft": False}))
        raise


def _refuse_what_was_not_approved(pull: Pull, merge: MergePullRequest) -> None:
    if pull.state != "open":
        cause = f"Pull request {pull.number} is {pull.state}."
        raise stop(Failure.BRANCH_MOVED, cause, "Reopen it to merge it after all, then resume.")
    if pull.head.sha != merge.head_sha:
        raise stop(
            Failure.BRANCH_MOVED,
            f"{pull.head.ref} is at {pull.head.sha[:12]}, not at {merge.head_sha[:12]}, which was approved.",
            "Look at what was pushed, then take the ticket over or put the branch back and resume.",
        )


async def _why_not(
    place: Place, clones: TrustedClones, merge: MergePullRequest, pull: Pull, refused: Refused
) -> Exception:
    if "Base branch was modified" in refused.said:  # by another merge, in this very moment
        return again(str(refused))
    _refuse_what_was_not_approved(pull, merge)
    if names := await _conflicts(clones, merge.repository, merge.head_sha):
        return stop(
            Failure.BRANCH_MOVED,
            f"{pull.base.ref} has moved, and {pull.head.ref} conflicts with it in {', '.join(names[:10])}.",
            "Take the ticket over, or abort it and start anew from today's base.",
        )
    cause = f"GitHub does not merge pull request {pull.number} of {place.name}: {refused.said}."
    return stop(Failure.BRANCH_MOVED, cause, "Do what it asks for, then resume.")


async def _conflicts(clones: TrustedClones, repository: Repository, head: str) -> list[str]:
    """GitHub tells that there are conflicts but not where."""
    _, base = await clones.fetch(repository.name, repository.url, repository.base_branch)
    return (await merge_tree(clones.git, clones.path(repository.name), base, head))[1]
