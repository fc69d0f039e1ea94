"""What is at the double, as GitHub writes it."""

import re
from typing import Any
from zlib import crc32

from tests.fakes.github.world import Check, Comment, Issue, Job, Repo, Review, Run, Thread, User, World

Json = dict[str, Any]


def user_json(user: User | None) -> Json | None:
    return None if user is None else {"login": user.login, "id": user.id, "type": user.type}


def pull_json(world: World, repo: Repo, issue: Issue, base_url: str) -> Json:
    pull = issue.pull
    assert pull is not None
    head, base = repo.head(pull), pull.base_sha or repo.sha(pull.base)
    mergeable = None
    if issue.state == "open" and (head, base) in pull.known:
        mergeable = not repo.conflicts(pull)
    pull.known.add((head, base))
    owner = {"login": repo.name.partition("/")[0]}
    return {
        "number": issue.number,
        "id": issue.id,
        "node_id": f"PR_{issue.id}",
        "html_url": f"{base_url}/{repo.name}/pull/{issue.number}",
        "state": issue.state,
        "title": issue.title,
        "body": issue.body,
        "user": user_json(issue.by),
        "labels": [_label(name) for name in issue.labels],
        "draft": pull.draft,
        "merged": pull.merged_at is not None,
        "merged_at": pull.merged_at,
        "merge_commit_sha": pull.merge_sha,
        "merged_by": user_json(pull.merged_by),
        "mergeable": mergeable,
        "mergeable_state": "unknown" if mergeable is None else "clean" if mergeable else "dirty",
        "head": {"label": f"{owner['login']}:{pull.head}", "ref": pull.head, "sha": head, "user": owner},
        "base": {"label": f"{owner['login']}:{pull.base}", "ref": pull.base, "sha": base, "user": owner},
        "author_association": issue.by.association,
        "created_at": issue.created,
        "updated_at": issue.updated,
        "closed_at": issue.closed if issue.state == "closed" else None,
    }


def issue_json(repo: Repo, issue: Issue, base_url: str) -> Json:
    kind = "pull" if issue.pull else "issues"
    about: Json = {
        "id": issue.id,
        "number": issue.number,
        "title": issue.title,
        "body": issue.body,
        "state": issue.state,
        "state_reason": issue.reason,
        "html_url": f"{base_url}/{repo.name}/{kind}/{issue.number}",
        "user": user_json(issue.by),
        "labels": [_label(name) for name in issue.labels],
        "assignees": [user_json(user) for user in issue.assignees],
        "closed_by": user_json(issue.closed_by),
        "comments": len(issue.comments),
        "created_at": issue.created,
        "updated_at": issue.updated,
        "author_association": issue.by.association,
    }
    if issue.pull:
        about["pull_request"] = {}
    return about


def _label(name: str) -> Json:
    return {"id": abs(hash(name)) % 10_000, "name": name, "color": "ededed", "default": False}


def label_json(name: str) -> Json:
    return _label(name)


def comment_json(comment: Comment) -> Json:
    return {
        "id": comment.id,
        "node_id": f"C_{comment.id}",
        "body": comment.body,
        "user": user_json(comment.by),
        "author_association": comment.by.association,
        "created_at": comment.at,
        "updated_at": comment.updated or comment.at,
    }


def review_json(review: Review) -> Json:
    return {
        "id": review.id,
        "body": review.body,
        "state": review.state,
        "user": user_json(review.by),
        "commit_id": review.commit,
        "submitted_at": review.at,
        "author_association": review.by.association,
    }


def reply_json(thread: Thread, comment: Comment) -> Json:
    return {
        **comment_json(comment),
        "path": thread.path,
        "pull_request_review_id": thread.review,
        "line": thread.line,
        "in_reply_to_id": thread.comments[0].id,
    }


def check_json(check: Check) -> Json:
    output = {"title": check.title, "summary": check.summary, "annotations_count": len(check.annotations)}
    return {
        "id": check.id,
        "name": check.name,
        "head_sha": check.sha,
        "status": check.status,
        "conclusion": check.conclusion,
        "external_id": check.external,
        "html_url": f"https://github.example/checks/{check.id}",
        "output": output,
        "app": {"slug": check.app, "name": check.app, "owner": {"login": "x"}},
    }


def run_json(run: Run) -> Json:
    return {
        "id": run.id,
        "name": run.name,
        "head_sha": run.sha,
        "status": run.status,
        "conclusion": run.conclusion,
        "run_attempt": run.attempt,
        "workflow_id": crc32(run.name.encode()),
        "event": run.event,
        "head_branch": run.branch or None,
        "html_url": f"https://github.example/runs/{run.id}",
        "created_at": run.created,
        "updated_at": run.updated,
    }


def job_json(job: Job) -> Json:
    return {
        "id": job.id,
        "run_id": job.run.id,
        "name": job.name,
        "status": job.status,
        "conclusion": job.conclusion,
        "run_attempt": job.attempt,
        "head_sha": job.run.sha,
        "html_url": f"https://github.example/jobs/{job.id}",
        "workflow_name": job.run.name,
        "completed_at": job.ended or None,
    }


def files_json(repo: Repo, base: str, head: str) -> list[Json]:
    """With the patch as GitHub cuts it: from the first hunk on."""
    start = repo.git("merge-base", base, head)[1]
    names = repo.git("diff", "--name-only", "-z", start, head)[1].split("\0")
    found: list[Json] = []
    for name in filter(None, names):
        diff = repo.git("diff", start, head, "--", name)[1]
        hunks = re.search(r"^@@.*", diff, re.MULTILINE | re.DOTALL)
        known: Json = {"filename": name, "status": "modified", "patch": hunks[0]} if hunks else {"filename": name}
        found.append(known)
    return found
