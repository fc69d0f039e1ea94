"""What Pawl writes at GitHub: at the right lines, once, whatever gets lost on the way."""

import asyncio

import pytest
from temporalio.exceptions import ApplicationError

from activities.forge.github import GitHubForge
from activities.git import Identity, TrustedClones
from activities.tracker.github import GitHubIssues
from tests.activities.forge.conftest import Opened
from tests.fakes.github import PAWL
from tests.fakes.service import Fault
from tests.ports.forges import GitHubRig
from workflows.domain.failures import Failure
from workflows.domain.review import Finding, Severity
from workflows.ports.forge import (
    AnswerThread,
    ClosePullRequest,
    MarkReady,
    MergePullRequest,
    OpenRepository,
    PostReview,
    RerunJobs,
    ShowCheck,
)


def finding(line: int, text: str = "Two is a word.", path: str = "a.txt") -> Finding:
    return Finding(severity=Severity.BLOCKER, path=path, line=line, text=text)


async def test_findings_stand_at_their_lines_and_others_in_the_text(opened: Opened) -> None:
    suggestion = "Say it plainly.\n\n```suggestion\nline 2\n```"
    findings = (finding(2, suggestion), finding(30, "Far from the change."), finding(1, "Elsewhere.", "c.txt"))
    review = PostReview(repository=opened.repository, number=1, key="r1", summary="Look.", findings=findings)
    await opened.rig.forge.post_review(review)
    (posted,) = opened.pull.reviews
    (thread,) = opened.pull.threads
    assert (thread.path, thread.line, thread.comments[0].body) == ("a.txt", 2, f"**blocker** {suggestion}")
    assert posted.body == (
        "<!-- pawl:r1 -->\n**Review.** Look.\n\n"
        "- `a.txt:30` **blocker** Far from the change.\n- `c.txt:1` **blocker** Elsewhere."
    )
    assert (posted.commit, posted.state) == (opened.change.head_sha, "COMMENTED")


REPO = "/api/repos/acme/shop0"
WRITES = {
    "review": f"POST {REPO}/pulls/1/reviews",
    "answer": f"POST {REPO}/pulls/1/comments",
    "say": f"POST {REPO}/issues/1/comments",
    "close": f"PATCH {REPO}/pulls/1",
    "ready": "POST /graphql",
    "check": f"POST {REPO}/check-runs",
    "merge": f"PUT {REPO}/pulls/1/merge",
    "rerun": f"POST {REPO}/actions/runs",
}


@pytest.mark.parametrize("what", list(WRITES))
async def test_a_write_whose_reply_is_lost_is_not_made_twice(opened: Opened, what: str) -> None:
    forge, repository, sha = opened.rig.forge, opened.repository, opened.change.head_sha
    thread = opened.hands.comments_at(opened.repo, 1, "a.txt", 2, "Why?")
    run = opened.hands.runs(opened.repo, sha, ("test", "failure", "no"))
    failed = (await opened.look()).failed
    opened.pull.draft = what == "ready"
    answer = AnswerThread(repository=repository, number=1, thread=thread.id, key="a", text="So.", resolve=True)
    closing = ClosePullRequest(repository=repository, number=1, reason="Not wanted.")

    async def step() -> None:
        match what:
            case "review":
                said = PostReview(repository=repository, number=1, key="r", summary="Look.", findings=(finding(2),))
                await forge.post_review(said)
            case "answer":
                await forge.answer_thread(answer)
            case "say" | "close":
                await forge.close_pull_request(closing)
            case "ready":
                await forge.mark_ready(MarkReady(repository=repository, number=1))
            case "check":
                await forge.show_check(
                    ShowCheck(repository=repository, head_sha=sha, key="c", title="T", summary="S", ok=True)
                )
            case "merge":
                await forge.merge_pull_request(MergePullRequest(repository=repository, number=1, head_sha=sha))
            case _:
                await forge.rerun_jobs(RerunJobs(repository=repository, head_sha=sha, jobs=failed))

    opened.rig.fake.faults.add(Fault(WRITES[what], after=True))
    with pytest.raises(ApplicationError) as caught:
        await step()
    assert not caught.value.non_retryable
    await step()
    page = opened.rig.page(repository, 1)
    done = {
        "review": page.count("Look.") == 1 and len(opened.pull.threads) == 2,
        "answer": page.count("So.") == 1,
        "say": page.count("Not wanted.") == 1,
        "close": opened.issue.state == "closed" and page.count("Not wanted.") == 1,
        "ready": not opened.pull.draft,
        "check": len(opened.repo.checks) == 1,
        "merge": opened.pull.merge_sha == opened.repo.sha("main"),
        "rerun": run.attempt == 2,
    }
    assert done[what]


async def test_many_at_once_say_it_once(opened: Opened) -> None:
    review = PostReview(repository=opened.repository, number=1, key="r", summary="Look.", findings=(finding(2),))
    thread = opened.hands.comments_at(opened.repo, 1, "a.txt", 2, "Why?")
    answer = AnswerThread(repository=opened.repository, number=1, thread=thread.id, key="a", text="So.", resolve=True)
    await asyncio.gather(
        *(opened.rig.forge.post_review(review) for _ in range(4)),
        *(opened.rig.forge.answer_thread(answer) for _ in range(4)),
    )
    assert (len(opened.pull.reviews), len(thread.comments)) == (1, 2)


async def test_pawls_review_is_a_check_with_all_its_annotations(opened: Opened) -> None:
    findings = tuple(finding(n, f"Number {n}.") for n in range(1, 121))
    running = ShowCheck(repository=opened.repository, head_sha=opened.change.head_sha, key="c", title="T", summary="S")
    ended = running.model_copy(update={"ok": False, "findings": findings})
    for check in (running, running, ended, ended):
        await opened.rig.forge.show_check(check)
    (shown,) = opened.repo.checks
    assert (shown.status, shown.conclusion, len(shown.annotations)) == ("completed", "failure", 120)
    assert [one["message"] for one in shown.annotations][::60] == ["Number 1.", "Number 61."]
    assert (await opened.look()).ci.value == "none"  # our own word is no CI
    await opened.rig.forge.show_check(ended.model_copy(update={"ok": True, "findings": ()}))
    assert [(one.conclusion, len(one.annotations)) for one in opened.repo.checks] == [("failure", 120), ("success", 0)]


async def test_labels_are_put_on_and_a_draft_is_one(rig: GitHubRig) -> None:
    repository = await rig.opened()
    change = await rig.published(repository, {"a.txt": "1"})
    opening = rig.opening(repository, change).model_copy(update={"labels": ("pawl", "bug"), "draft": True})
    for _ in range(2):
        await rig.forge.open_pull_request(opening)
    issue, pull = rig.hands.pull(rig.repo(repository))
    assert (issue.labels, pull.draft) == (["pawl", "bug"], True)


@pytest.mark.parametrize(
    "form", ["{url}/acme/shop0", "{url}/acme/shop0.git/", "acme/shop0", "git@{host}:acme/shop0.git"]
)
async def test_a_repository_has_one_name_however_it_is_called(rig: GitHubRig, form: str) -> None:
    rig.repository({"a.txt": "1"})
    url = rig.fake.url
    asked = form.format(url=url, host=url.removeprefix("http://"))
    opened = await rig.forge.open_repository(OpenRepository(url=asked))
    assert opened.url == f"{url}/acme/shop0.git"


@pytest.mark.parametrize("name", ["acme/nowhere", "../etc", "acme/..", "acme", "https://example.org/acme/shop0"])
async def test_what_is_not_at_this_github_is_not_found(rig: GitHubRig, name: str) -> None:
    with pytest.raises(ApplicationError, match="is not a git repository") as caught:
        await rig.forge.open_repository(OpenRepository(url=name))
    assert caught.value.type == Failure.REPOSITORY_NOT_FOUND


async def test_where_there_are_no_drafts_it_is_an_ordinary_one(rig: GitHubRig) -> None:
    repository = await rig.opened()
    change = await rig.published(repository, {"a.txt": "1"})
    rig.repo(repository).drafts = False
    await rig.forge.open_pull_request(rig.opening(repository, change).model_copy(update={"draft": True}))
    assert not rig.hands.pull(rig.repo(repository))[1].draft


async def test_a_change_is_by_the_team_and_committed_by_pawl(rig: GitHubRig) -> None:
    team = TrustedClones(rig.folder / "of the team", rig.clones.git.access, Identity("Team", "team@acme.test"))
    rig.clones = team
    rig.forge = GitHubForge(rig.github, team, rig.journal, PAWL)
    repository = await rig.opened()
    first = await rig.published(repository, {"a.txt": "1"})
    by = rig.repo(repository).git("show", "-s", "--format=%an <%ae> %ce", first.head_sha)[1]
    assert by == "Team <team@acme.test> pawl@localhost"
    again = await rig.published(repository, {"a.txt": "2"})  # and it still knows its own work
    assert rig.head(repository, "pawl/T-1") == again.head_sha


def test_every_step_is_an_activity() -> None:
    for adapter in (GitHubForge, GitHubIssues):
        steps = {name for base in adapter.__mro__ for name in getattr(base, "__abstractmethods__", ())}
        assert steps
        assert all(hasattr(getattr(adapter, name), "__temporal_activity_definition") for name in steps)
