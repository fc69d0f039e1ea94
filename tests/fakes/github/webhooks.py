"""Webhooks as GitHub writes them: its own examples, with the parts that matter put in from the double."""

import json
from pathlib import Path
from typing import cast

from tests.fakes.github.world import Comment, Issue, Repo, Review, Thread, User, World
from tests.fakes.github.written import Json, comment_json, issue_json, pull_json, reply_json, review_json, user_json

EXAMPLES = Path(__file__).resolve().parents[2] / "contracts" / "github" / "webhooks"


def example(name: str) -> Json:
    """One of GitHub's: `issues.labeled`."""
    return json.loads((EXAMPLES / f"{name}.json").read_text())


class Payloads:
    """Of one double. Where GitHub publishes no example of what happened, one next to it is edited: a comment on a pull
    request, a review that approves or asks for changes."""

    def __init__(self, world: World, url: str) -> None:
        self._world, self._url = world, url

    def issue(self, action: str, repo: Repo, issue: Issue, by: User, label: str = "") -> Json:
        known: Json = {"action": action, "issue": self._issue(repo, issue)}
        if label:
            known["label"] = {"name": label}
        return self._put("issues.labeled" if label else "issues.opened", repo, by, known)

    def comment(self, repo: Repo, issue: Issue, comment: Comment) -> Json:
        """On an issue or on the whole of a pull request."""
        known = {"action": "created", "issue": self._issue(repo, issue), "comment": comment_json(comment)}
        return self._put("issue_comment.created", repo, comment.by, known)

    def pull(self, action: str, repo: Repo, issue: Issue, by: User) -> Json:
        name = f"pull_request.{action}"
        known = {"action": action, "number": issue.number, "pull_request": self._pull(repo, issue)}
        return self._put(name if (EXAMPLES / f"{name}.json").exists() else "pull_request.opened", repo, by, known)

    def review(self, repo: Repo, issue: Issue, review: Review) -> Json:
        said = {**review_json(review), "state": review.state.lower()}  # in lower case here, in upper case by REST
        known = {"action": "submitted", "review": said, "pull_request": self._pull(repo, issue)}
        return self._put("pull_request_review.submitted", repo, review.by, known)

    def at_line(self, repo: Repo, issue: Issue, thread: Thread) -> Json:
        comment = thread.comments[-1]
        known = {"action": "created", "comment": reply_json(thread, comment), "pull_request": self._pull(repo, issue)}
        return self._put("pull_request_review_comment.created", repo, comment.by, known)

    def ci(self, repo: Repo, issue: Issue, conclusion: str) -> Json:
        """A workflow run of the pull request's head ended."""
        pull, here = self._pull(repo, issue), example("workflow_run.completed")["repository"]["id"]
        base = {**pull["base"], "repo": {"id": here}}  # forks have the same run among theirs
        about = {"number": issue.number, "head": pull["head"], "base": base}
        run = {"conclusion": conclusion, "status": "completed", "head_sha": pull["head"]["sha"]}
        known = {"action": "completed", "workflow_run": {**run, "pull_requests": [about]}}
        return self._put("workflow_run.completed", repo, self._world.user("ada"), known)

    def _issue(self, repo: Repo, issue: Issue) -> Json:
        about = issue_json(repo, issue, self._url)
        if issue.pull:
            about["pull_request"] = {"html_url": about["html_url"]}
        return about

    def _pull(self, repo: Repo, issue: Issue) -> Json:
        return pull_json(self._world, repo, issue, self._url)

    def _put(self, name: str, repo: Repo, by: User, known: Json) -> Json:
        owner, _, short = repo.name.partition("/")
        about = {
            "full_name": repo.name,
            "name": short,
            "owner": {"login": owner},
            "html_url": f"{self._url}/{repo.name}",
            "clone_url": f"{self._url}/{repo.name}.git",
        }
        return _over(example(name), {**known, "repository": about, "sender": user_json(by)})


def _over(there: Json, known: Json) -> Json:
    """The example with what is known put into it, however deep."""
    merged = dict(there)
    for key, value in known.items():
        below = merged.get(key)
        both = isinstance(value, dict) and isinstance(below, dict)
        merged[key] = _over(cast("Json", below), cast("Json", value)) if both else value
    return merged
