"""What a failed step says: the activity's own words, never the library's below them."""

from temporalio.exceptions import ActivityError, ApplicationError, TimeoutType
from temporalio.exceptions import TimeoutError as TimedOut

from workflows.trouble import message_of, type_of


def failed(cause: Exception) -> ActivityError:
    """As a workflow sees an activity's failure."""
    error = ActivityError(
        "activity task failed",
        scheduled_event_id=1,
        started_event_id=2,
        identity="worker",
        activity_type="take_turn",
        activity_id="1",
        retry_state=None,
    )
    error.__cause__ = cause
    return error


def test_activity_s_words_are_shown_and_not_what_a_library_told_it() -> None:
    said = ApplicationError("The tape no longer fits: it has no answer for builder 2, turn 1.", type="TAPE_MISMATCH")
    said.__cause__ = ApplicationError("Error code: 409 - {'type': 'error'}", type="APIStatusError")
    assert message_of(failed(said)) == "The tape no longer fits: it has no answer for builder 2, turn 1."
    assert type_of(failed(said)) == "TAPE_MISMATCH"


def test_step_is_named_where_the_failure_has_no_words_of_the_activity() -> None:
    late = TimedOut("activity timed out", type=TimeoutType.HEARTBEAT, last_heartbeat_details=())
    assert message_of(failed(late)) == "The step take_turn failed: activity timed out"
    assert type_of(failed(late)) == ""
