"""What people and CI do with a whole ticket, each thing as soon as it can be done."""

from collections.abc import Callable

from tests.fakes.linear.rows import Row
from tests.system.outside import script
from tests.system.outside.town import Town


async def whole_ticket(there: Town) -> Row:
    """Ada delegates an issue to Pawl and decides where she is asked; CI is red on the first commit, twice, so that it
    cannot be taken for flaky; somebody comments on the second. The issue, once Pawl has said its last word."""
    linear = there.linear
    issue = linear.file(there.team, script.TITLE, script.BODY)
    session = linear.delegate(issue, linear.us)
    assert session is not None
    await there.until(lambda: session["activities"], "a first sign")
    linear.prompt(session, await _asked(there, session, "the plan"))
    await there.until(lambda: there.repo.issues, "a pull request")
    await _asked(there, session, "the first merge", lambda: there.head)
    first = there.head
    await _ci_is_red(there)
    await there.until(lambda: there.head != first, "a commit that mends CI")
    _ci_is_green(there)
    await _asked(there, session, "the second merge", lambda: there.head)
    second = there.head
    thread = there.hands.comments_at(there.repo, 1, "hello.txt", 1, script.REMARK, by="grace")
    there.postman.post("pull_request_review_comment", there.payloads.at_line(there.repo, there.pull[0], thread))
    await there.until(lambda: there.head != second, "a commit for whoever commented")
    _ci_is_green(there)
    await there.until(lambda: thread.resolved, "a resolved conversation")
    linear.prompt(session, await _asked(there, session, "the last merge", lambda: there.head))
    await there.until(lambda: session["status"] == "complete", "the last word")
    await there.until(lambda: issue["state"]["type"] == "completed", "the card in Done")
    return issue


async def _asked(there: Town, session: Row, what: str, subject: Callable[[], str] = str) -> str:
    """The value to select for an approval of what waits now: where `subject` says so, of that."""

    def value() -> str:
        found = next((value for value in options_of(session["activities"][-1]) if value.startswith("approve ")), "")
        asks = session["status"] == "awaitingInput" and found.endswith(subject())
        return found if asks else ""

    return await there.until(value, f"the question about {what}")


def options_of(activity: Row) -> list[str]:
    """What a person may select from."""
    shown: Row = activity.get("signalMetadata") or {}
    options: list[Row] = shown.get("options", [])
    return [option["value"] for option in options]


async def _ci_is_red(there: Town) -> None:
    issue, _ = there.pull
    run = there.hands.runs(there.repo, there.head, ("tests", "failure", script.CI_LOG))
    there.postman.post("workflow_run", there.payloads.ci(there.repo, issue, "failure"))
    await there.until(lambda: run.attempt == 2, "another run of the failed jobs")
    run.latest[-1].log = script.CI_LOG
    there.hands.finishes(run, "failure")
    there.postman.post("workflow_run", there.payloads.ci(there.repo, issue, "failure"))


def _ci_is_green(there: Town) -> None:
    there.hands.runs(there.repo, there.head, ("tests", "success", ""))
    there.postman.post("workflow_run", there.payloads.ci(there.repo, there.pull[0], "success"))
