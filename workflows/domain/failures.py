"""Why a step cannot go on: the error types that cross from activities to workflows, and what each one means there."""

from enum import StrEnum


class Failure(StrEnum):
    """The `type` of an ApplicationError raised by an activity. Everything named here is final for the attempt:
    the ticket waits in Blocked, with the message, until a person resumes it, unless stated otherwise."""

    CLAIM_LOST = "ClaimLost"
    """Somebody else changed the ticket first: the workflow lets go of it."""
    TICKET_NOT_FOUND = "TicketNotFound"
    BAD_TICKET = "BadTicket"
    REPOSITORY_NOT_FOUND = "RepositoryNotFound"
    BAD_POLICY = "BadPolicy"
    NO_CHECKS = "NoChecks"
    BAD_CREDENTIALS = "BadCredentials"
    UNKNOWN_MODEL = "UnknownModel"
    UNKNOWN_PRICE = "UnknownPrice"
    TAPE_MISMATCH = "TapeMismatch"
    """The tape no longer fits what really happened."""
    RUN_REVOKED = "RunRevoked"
    SANDBOX_REFUSED = "SandboxRefused"
    """The sandbox cannot protect the host here; it never runs unprotected instead."""
    NOT_PREPARED = "NotPrepared"
    """A command that installs what the repository needs failed."""
    WORKSPACE_BROKEN = "WorkspaceBroken"
    BRANCH_MOVED = "BranchMoved"
    """The branch or its base is not where we left it: a person pushed."""
    BAD_REQUEST = "BadRequest"
    """A service refused what we sent, for good."""
    OUT_OF_REACH = "OutOfReach"
    """A service stayed away through all retries."""
