"""Conversations on a pull request, each with a person's words first, and Pawl's answers in them.

GitHub's comments on the whole of a pull request stand in one row. Here each of a person's is a thread of its own, and
the mark of an answer says to which one it belongs.
"""

from typing import Any

from activities.forge.github.comments import alone
from activities.forge.github.place import Place, cut, safe
from activities.github import mark_of, marked
from activities.github.records import Account, Comment, Review, is_ours, person
from workflows.domain.model import Record
from workflows.domain.people import Trust
from workflows.domain.pull import Thread, ThreadComment
from workflows.ports.forge import AnswerThread

THREADS = """query Threads($owner: String!, $name: String!, $number: Int!, $after: String) {
  repository(owner: $owner, name: $name) {
    pullRequest(number: $number) {
      reviewThreads(first: 50, after: $after) {
        pageInfo { hasNextPage endCursor }
        nodes {
          id isResolved path line originalLine
          comments(first: 50) {
            nodes {
              id databaseId body authorAssociation
              author { __typename login ... on User { databaseId name } ... on Bot { databaseId } }
            }
          }
        }
      }
    }
  }
}"""
RESOLVE = """mutation Resolve($thread: ID!) {
  resolveReviewThread(input: {threadId: $thread}) { thread { id isResolved } }
}"""
_MOST_THREADS = 100
_MOST_PAGES = 4


class _Author(Record):
    login: str
    kind: str = "User"
    databaseId: int | None = None  # GitHub's name
    name: str | None = None


class _Said(Record):
    databaseId: int
    body: str
    authorAssociation: str = "NONE"
    author: _Author | None = None

    @property
    def account(self) -> Account | None:
        if self.author is None:
            return None
        author = self.author  # GraphQL calls an app by its bare name, as a person may be called, too
        login = f"{author.login}[bot]" if author.kind == "Bot" else author.login
        return Account(login=login, id=author.databaseId or 0, type=author.kind, name=author.name)

    @property
    def text(self) -> str:
        return self.body.replace("\r\n", "\n")


class _ReviewThread(Record):
    id: str
    resolved: bool
    path: str
    line: int
    comments: tuple[_Said, ...]


async def seen(place: Place, number: int, reviews: list[Review]) -> tuple[tuple[Thread, ...], bool]:
    """Those that wait for us come before others when there are too many. And `PullSeen.others_wrote`."""
    at_lines = [thread for thread in await _review_threads(place, number) if thread.comments]
    comments = await place.every(f"/issues/{number}/comments", Comment)
    threads = [*_on_the_whole(place, comments, reviews), *(_as_thread(place, thread) for thread in at_lines)]
    waiting = [thread for thread in threads if thread.waits_for_us]
    others = [thread for thread in threads if not thread.waits_for_us]
    kept = {thread.id for thread in [*waiting, *reversed(others)][:_MOST_THREADS]}
    return tuple(thread for thread in threads if thread.id in kept), _others_wrote(place, at_lines, comments, reviews)


def _others_wrote(place: Place, at_lines: list[_ReviewThread], comments: list[Comment], reviews: list[Review]) -> bool:
    accounts = [said.account for thread in at_lines for said in thread.comments]
    accounts += [said.user for said in (*comments, *reviews) if said.text.strip()]
    wrote = [one for one in accounts if one is None or one.type != "Bot"]
    asked = [review.user for review in reviews if review.state == "CHANGES_REQUESTED"]
    return any(one is None or not is_ours(one.login, place.ours) for one in (*wrote, *asked))


async def answered(place: Place, answer: AnswerThread) -> None:
    text = (await safe(answer.text))[0] if answer.text else ""
    async with alone(place, answer.number):
        if answer.thread.startswith(("comment:", "review:")):
            await _answer_on_the_whole(place, answer, text)
        else:
            await _answer_at_line(place, answer, text)


# At lines


async def _review_threads(place: Place, number: int) -> list[_ReviewThread]:
    owner, _, name = place.name.partition("/")
    found: list[_ReviewThread] = []
    after: str | None = None
    for _ in range(_MOST_PAGES):
        asked = {"owner": owner, "name": name, "number": number, "after": after}
        data = await place.github.graphql(place.name, THREADS, **asked)
        listed: dict[str, Any] = data["repository"]["pullRequest"]["reviewThreads"]
        found += [_read(node) for node in listed["nodes"]]
        if not listed["pageInfo"]["hasNextPage"]:
            break
        after = listed["pageInfo"]["endCursor"]
    return found


def _read(node: dict[str, Any]) -> _ReviewThread:
    said: list[dict[str, Any]] = node["comments"]["nodes"]
    for comment in said:
        if comment["author"]:
            comment["author"]["kind"] = comment["author"]["__typename"]
    return _ReviewThread(
        id=node["id"],
        resolved=node["isResolved"],
        path=node["path"],
        line=node["line"] or node["originalLine"] or 0,
        comments=tuple(_Said.model_validate(comment) for comment in said),
    )


def _as_thread(place: Place, thread: _ReviewThread) -> Thread:
    said = [_as_comment(place, comment) for comment in thread.comments]
    return Thread(
        id=thread.id, path=thread.path, line=thread.line, resolved=thread.resolved, comments=tuple(_heard(said))
    )


def _as_comment(place: Place, said: _Said) -> ThreadComment:
    by = person(said.account, said.authorAssociation, place.connection, place.ours)
    return ThreadComment(id=str(said.databaseId), by=by, text=cut(said.text, 10_000))


def _heard(said: list[ThreadComment]) -> list[ThreadComment]:
    """Without what strangers added last: their words must not make a member's look answered."""
    last = max((n for n, one in enumerate(said) if one.by.trust is not Trust.STRANGER), default=len(said) - 1)
    return said[: last + 1]


async def _answer_at_line(place: Place, answer: AnswerThread, text: str) -> None:
    thread = next((one for one in await _review_threads(place, answer.number) if one.id == answer.thread), None)
    if thread is None:  # its lines are gone with a comment somebody deleted
        return
    mark = mark_of(answer.key)
    ours = [_as_comment(place, one).by.trust is Trust.OURS for one in thread.comments]
    said = any(mine and one.text.partition("\n")[0] == mark for mine, one in zip(ours, thread.comments, strict=True))
    if text and not said:
        path = f"/pulls/{answer.number}/comments/{thread.comments[0].databaseId}/replies"
        await place.do("POST", path, {"body": marked(answer.key, text)})
    if answer.resolve and not thread.resolved:
        await place.github.graphql(place.name, RESOLVE, thread=thread.id)


# On the whole


def _on_the_whole(place: Place, comments: list[Comment], reviews: list[Review]) -> list[Thread]:
    asked = [
        *((f"comment:{one.id}", str(one.id), one) for one in comments),
        *((f"review:{one.id}", f"review:{one.id}", one) for one in reviews if one.text.strip()),
    ]
    threads: list[Thread] = []
    for id_, comment_id, one in asked:
        by = one.person(place.connection, place.ours)
        if by.trust is Trust.MEMBER:
            answers = [said for said in comments if _answers(said, id_, place)]
            mine = [_answer(place, said) for said in answers]
            first = ThreadComment(id=comment_id, by=by, text=cut(one.text, 10_000))
            threads.append(Thread(id=id_, comments=(first, *mine)))
    return threads


def _answers(said: Comment, thread: str, place: Place) -> bool:
    by = said.person(place.connection, place.ours)
    return by.trust is Trust.OURS and said.text.startswith(f"<!-- pawl:answer/{thread}/")


def _answer(place: Place, said: Comment) -> ThreadComment:
    by = said.person(place.connection, place.ours)
    return ThreadComment(id=str(said.id), by=by, text=cut(said.text, 10_000))


async def _answer_on_the_whole(place: Place, answer: AnswerThread, text: str) -> None:
    """It cannot be resolved: an answer has the last word."""
    key = f"answer/{answer.thread}/{answer.key}"
    said = await place.every(f"/issues/{answer.number}/comments", Comment)
    if text and not any(comment.has(mark_of(key), place.ours) for comment in said):
        await place.do("POST", f"/issues/{answer.number}/comments", {"body": marked(key, text)})
