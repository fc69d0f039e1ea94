"""The double's pull requests, reviews and commits."""

from typing import Any

from tests.fakes.github.calls import Call, Table
from tests.fakes.github.world import Comment, Issue, Pull, Review, Thread
from tests.fakes.github.written import files_json, pull_json, reply_json, review_json
from tests.fakes.service import Refused

_REPO = "/repos/{owner}/{repo}"
_PULL = f"{_REPO}/pulls/{{pull_number}}"
Answer = tuple[int, Any]


def _shown(call: Call, issue: Issue) -> dict[str, Any]:
    return pull_json(call.world, call.repo, issue, call.url)


def about(call: Call) -> Answer:
    return 200, {"full_name": call.repo.name, "name": call.params["repo"], "default_branch": "main"}


def listed(call: Call) -> Answer:
    """The newest first, unless asked for by when they were touched, the oldest first."""
    wanted, state = call.query.get("head", "").partition(":")[2], call.query.get("state", "open")
    base = call.query.get("base", "")
    found = [issue for issue in call.repo.issues.values() if issue.pull and state in ("all", issue.state)]
    key = "updated" if call.query.get("sort") == "updated" else "created"
    found.sort(key=lambda issue: str(getattr(issue, key)), reverse=call.query.get("direction", "desc") == "desc")
    shown = [one for one in found if one.pull and wanted in ("", one.pull.head) and base in ("", one.pull.base)]
    return 200, [_shown(call, issue) for issue in shown]


def created(call: Call) -> Answer:
    head, base = call.body["head"], call.body["base"]
    opened = [issue.pull for issue in call.repo.issues.values() if issue.pull and issue.state == "open"]
    if any((pull.head, pull.base) == (head, base) for pull in opened):
        raise Refused(422, f"A pull request already exists for {call.params['owner']}:{head}.")
    if not call.repo.sha(head):
        raise Refused(422, "Validation Failed: head is invalid")
    if call.body.get("draft") and not call.repo.drafts:
        raise Refused(422, "Draft pull requests are not supported in this repository.")
    pull = Pull(head, base, bool(call.body.get("draft")))
    return 201, _shown(call, call.world.issue(call.repo, call.by, call.body["title"], call.body.get("body", ""), pull))


def read(call: Call) -> Answer:
    return 200, _shown(call, call.pull[0])


def edited(call: Call) -> Answer:
    issue, _ = call.pull
    if call.body.get("state") == "closed" and issue.state == "open":
        call.world.close(issue, call.by, call.repo)
    return 200, _shown(call, issue)


def files(call: Call) -> Answer:
    _, pull = call.pull
    return 200, files_json(call.repo, call.repo.sha(pull.base), call.repo.head(pull))


def merged(call: Call) -> Answer:
    issue, pull = call.pull
    if issue.state != "open" or pull.draft:
        raise Refused(405, "Pull Request is not mergeable")
    if call.body.get("sha") not in (None, call.repo.head(pull)):
        raise Refused(409, "Head branch was modified. Review and try the merge again.")
    if call.repo.conflicts(pull):
        raise Refused(405, "Pull Request is not mergeable")
    return 200, {"sha": merge(call, issue, pull, call.body.get("merge_method", "merge")), "merged": True}


def merge(call: Call, issue: Issue, pull: Pull, method: str) -> str:
    pull.frozen, pull.base_sha = call.repo.head(pull), call.repo.sha(pull.base)
    pull.merge_sha = call.repo.merge(pull, method, f"Merge pull request #{issue.number}")
    call.world.close(issue, call.by, call.repo)
    pull.merged_at, pull.merged_by = call.world.now(), call.by
    return pull.merge_sha


def reviews(call: Call) -> Answer:
    return 200, [review_json(review) for review in call.pull[1].reviews]


def reviewed(call: Call) -> Answer:
    issue, pull = call.pull
    states = {"COMMENT": "COMMENTED", "APPROVE": "APPROVED", "REQUEST_CHANGES": "CHANGES_REQUESTED"}
    head = call.repo.head(pull)
    shown = {file["filename"]: file.get("patch", "") for file in files_json(call.repo, call.repo.sha(pull.base), head)}
    asked = call.body.get("comments", [])
    if any(not _in_diff(shown.get(one["path"], ""), one["line"]) for one in asked):
        raise Refused(422, "Unprocessable Entity: Pull request review thread line must be part of the diff")
    review = Review(
        call.world.next_id(), call.by, call.body.get("body", ""), states[call.body["event"]],
        call.body.get("commit_id", head), call.world.now(),
    )  # fmt: skip
    pull.reviews.append(review)
    for one in asked:
        start_thread(call, pull, review.id, one)
    call.world.touched(issue)
    return 200, review_json(review)


def start_thread(call: Call, pull: Pull, review: int, one: dict[str, Any]) -> Thread:
    comment = Comment(call.world.next_id(), call.by, one["body"], call.world.now())
    thread = Thread(f"PRRT_{call.world.next_id()}", one["path"], one["line"], [comment], review)
    pull.threads.append(thread)
    return thread


def replied(call: Call) -> Answer:
    _, pull = call.pull
    wanted = call.number("comment_id")
    thread = next((one for one in pull.threads if one.comments[0].id == wanted), None)
    if thread is None:
        raise Refused(404, "Not Found")
    comment = Comment(call.world.next_id(), call.by, call.body["body"], call.world.now())
    thread.comments.append(comment)
    return 201, reply_json(thread, comment)


def commit(call: Call) -> Answer:
    lines = call.repo.git("show", "-s", "--format=%H%n%P%n%ce", call.params["ref"], accept=(0, 128))[1].splitlines()
    if len(lines) < 3:
        raise Refused(422, "No commit found for SHA")
    sha, parents, email = lines
    return 200, {
        "sha": sha,
        "commit": {"committer": {"email": email}},
        "parents": [{"sha": parent, "url": "https://github.example/c"} for parent in parents.split()],
    }


def compared(call: Call) -> Answer:
    base, _, head = call.params["basehead"].partition("...")
    behind = int(call.repo.git("rev-list", "--count", f"{head}..{base}")[1])
    ahead = int(call.repo.git("rev-list", "--count", f"{base}..{head}")[1])
    status = "diverged" if ahead and behind else "ahead" if ahead else "behind" if behind else "identical"
    return 200, {"behind_by": behind, "ahead_by": ahead, "status": status}


def _in_diff(patch: str, line: int) -> bool:
    """Reckoned by itself, and not by what it is to judge."""
    number = 0
    for text in patch.splitlines():
        if text.startswith("@@"):
            number = int(text.split("+")[1].split(" ")[0].split(",")[0]) - 1
        elif not text.startswith(("-", "\\")):
            number += 1
            if number == line:
                return True
    return False


TABLE: Table = {
    ("GET", _REPO): about,
    ("GET", f"{_REPO}/pulls"): listed,
    ("POST", f"{_REPO}/pulls"): created,
    ("GET", _PULL): read,
    ("PATCH", _PULL): edited,
    ("GET", f"{_PULL}/files"): files,
    ("PUT", f"{_PULL}/merge"): merged,
    ("GET", f"{_PULL}/reviews"): reviews,
    ("POST", f"{_PULL}/reviews"): reviewed,
    ("POST", f"{_PULL}/comments/{{comment_id}}/replies"): replied,
    ("GET", f"{_REPO}/commits/{{ref}}"): commit,
    ("GET", f"{_REPO}/compare/{{basehead}}"): compared,
}
