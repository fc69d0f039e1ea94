"""An issue of our own, written anew below the mark by which it is found."""

from activities.errors import stop
from activities.github import GitHub
from activities.github.records import Issue, is_ours
from activities.tracker.github.cards import At, parted
from workflows.domain import written
from workflows.domain.failures import Failure
from workflows.ports.tracker import RewriteTicket

_MOST_BODY = 64_000
"""Characters. GitHub takes 65,536, our mark among them."""
_MOST_TITLE = 250


async def rewritten(github: GitHub, ours: str, at: At, issue: Issue, rewrite: RewriteTicket) -> Issue:
    """The issue as it is then. Raises BadRequest where it is not ours. GitHub has no precondition on an edit: what a
    person writes into the text in the very moment is lost, as in a browser."""
    if issue.pull_request is not None or issue.user is None or not is_ours(issue.user.login, ours):
        cause = f"{at.repository}#{at.number} was not filed by Pawl, which writes into no issue but its own."
        raise stop(Failure.BAD_REQUEST, cause)
    mark, old = parted(issue.text)
    title = rewrite.title.strip()[:_MOST_TITLE]
    body = f"{mark}{written.rewritten(old, rewrite.body, _MOST_BODY)}"
    if (issue.title, issue.text.rstrip()) == (title, body.rstrip()):
        return issue
    return await github.send(at.repository, "PATCH", f"/issues/{at.number}", {"title": title, "body": body}, Issue)
