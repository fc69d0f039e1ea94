"""The part of GitHub's GraphQL that Pawl uses, executed by graphql-core.

The schema below is written here, from GitHub's public one, and holds exactly the types, fields and arguments in use:
it proves the documents well formed and well typed against these, and nothing about the rest of GitHub's.
"""

from typing import Any

from graphql import build_schema, graphql_sync  # pyright: ignore[reportUnknownVariableType]

from tests.fakes.github.world import Comment, Issue, Pull, Repo, Thread, World

SCHEMA = build_schema("""
type Query { viewer: User! repository(owner: String!, name: String!): Repository }
type Mutation {
  resolveReviewThread(input: ResolveReviewThreadInput!): ResolveReviewThreadPayload
  markPullRequestReadyForReview(input: MarkPullRequestReadyForReviewInput!): MarkPullRequestReadyForReviewPayload
}
input ResolveReviewThreadInput { clientMutationId: String threadId: ID! }
input MarkPullRequestReadyForReviewInput { clientMutationId: String pullRequestId: ID! }
type ResolveReviewThreadPayload { thread: PullRequestReviewThread }
type MarkPullRequestReadyForReviewPayload { pullRequest: PullRequest }
type Repository { pullRequest(number: Int!): PullRequest }
type PullRequest {
  id: ID! isDraft: Boolean!
  reviewThreads(first: Int, after: String): PullRequestReviewThreadConnection!
}
type PullRequestReviewThreadConnection { pageInfo: PageInfo! nodes: [PullRequestReviewThread] }
type PageInfo { hasNextPage: Boolean! endCursor: String }
type PullRequestReviewThread {
  id: ID! isResolved: Boolean! path: String! line: Int originalLine: Int
  comments(first: Int): PullRequestReviewCommentConnection!
}
type PullRequestReviewCommentConnection { nodes: [PullRequestReviewComment] }
type PullRequestReviewComment {
  id: ID! databaseId: Int body: String! author: Actor authorAssociation: CommentAuthorAssociation!
}
enum CommentAuthorAssociation {
  COLLABORATOR CONTRIBUTOR FIRST_TIMER FIRST_TIME_CONTRIBUTOR MANNEQUIN MEMBER NONE OWNER
}
interface Actor { login: String! }
type User implements Actor { login: String! databaseId: Int name: String }
type Bot implements Actor { login: String! databaseId: Int }
""")


def executed(world: World, asked: dict[str, Any], login: str) -> dict[str, Any]:
    """`login`: who asks."""
    answer = graphql_sync(SCHEMA, asked["query"], _Root(world, login), variable_values=asked.get("variables"))
    assert not answer.errors, answer.errors  # what a test did not foresee is a defect of a document
    return {"data": answer.data}


class _Root:
    def __init__(self, world: World, login: str) -> None:
        self._world, self.viewer = world, {"login": login}

    def repository(self, _info: Any, owner: str, name: str) -> Any:
        repo = self._world.repos[f"{owner}/{name}"]

        def pull_request(_info: Any, number: int) -> dict[str, Any]:
            return _pull(repo.issues[number])

        return {"pullRequest": pull_request}

    def resolveReviewThread(self, _info: Any, input: dict[str, Any]) -> Any:  # noqa: A002
        thread = next(one for _, _, pull in self._pulls() for one in pull.threads if one.id == input["threadId"])
        thread.resolved = True
        return {"thread": _thread(thread)}

    def markPullRequestReadyForReview(self, _info: Any, input: dict[str, Any]) -> Any:  # noqa: A002
        issue, pull = next((i, p) for _, i, p in self._pulls() if f"PR_{i.id}" == input["pullRequestId"])
        pull.draft = False
        return {"pullRequest": _pull(issue)}

    def _pulls(self) -> list[tuple[Repo, Issue, Pull]]:
        repos = self._world.repos.values()
        return [(repo, issue, issue.pull) for repo in repos for issue in repo.issues.values() if issue.pull]


def _pull(issue: Issue) -> dict[str, Any]:
    pull = issue.pull
    assert pull is not None

    def threads(_info: Any, first: int, after: str | None = None) -> dict[str, Any]:
        start = int(after or 0)
        some = pull.threads[start : start + first]
        more = start + first < len(pull.threads)
        page = {"hasNextPage": more, "endCursor": str(start + first) if more else None}
        return {"pageInfo": page, "nodes": [_thread(one) for one in some]}

    return {"id": f"PR_{issue.id}", "isDraft": pull.draft, "reviewThreads": threads}


def _thread(thread: Thread) -> dict[str, Any]:
    comments = {"nodes": [_comment(one) for one in thread.comments]}
    about = {"id": thread.id, "isResolved": thread.resolved, "path": thread.path, "comments": comments}
    return {**about, "line": thread.line or None, "originalLine": thread.line or None}


def _comment(comment: Comment) -> dict[str, Any]:
    by = comment.by
    author = {"__typename": by.type, "login": by.login.removesuffix("[bot]"), "databaseId": by.id}
    about = {"id": f"PRRC_{comment.id}", "databaseId": comment.id, "body": comment.body, "author": author}
    return {**about, "authorAssociation": by.association}
