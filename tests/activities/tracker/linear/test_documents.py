"""Every document Pawl sends fits Linear's published schema, and none costs more than one request may."""

from typing import Any

import pytest
from graphql import DocumentNode, OperationDefinitionNode, validate
from graphql.execution.values import get_variable_values

from activities.tracker.linear import documents
from activities.tracker.linear.listing import open_where
from activities.tracker.linear.news import asking, said_where
from tests.activities.tracker.linear.desk import NAME
from tests.fakes.linear.costs import MOST, cost_of
from tests.fakes.linear.schema import linear_schema
from workflows.domain.routes import Route
from workflows.ports.tracker import ListOpen

ALL: dict[str, DocumentNode] = {
    name: value for name, value in vars(documents).items() if isinstance(value, DocumentNode)
}
SPAN = {"gt": "2026-01-01T00:00:00.000Z", "lte": "2026-01-02T00:00:00.000Z"}
ROUTES = [
    Route(tracker=NAME, team="ENG", repository="r", label="ask-pawl", state="Agent Todo"),
    Route(tracker=NAME, repository="r"),
]
UUID = "7b079ba2-7b87-4dba-8c45-7a9dda6bf9cd"
VARIABLES: dict[str, dict[str, Any]] = {
    "ISSUES": {"filter": asking(ROUTES, SPAN), "after": None},
    "COMMENTS": {"filter": said_where(ROUTES[:1], [UUID], SPAN), "after": UUID},
    "PROMPTS": {"filter": {"createdAt": SPAN, "type": {"eq": "prompt"}}},
    "LABELS": {"filter": {"or": [{"name": {"eqIgnoreCase": "pawl: plan gate"}}]}},
    "OPEN_ISSUES": {"filter": open_where(ListOpen(tracker=NAME, team="ENG", labels=("a", "b"))), "after": UUID},
    "TEAMS": {},
    "WEBHOOKS": {},
    "VIEWER": {},
    "CREATE_COMMENT": {"input": {"id": UUID, "issueId": UUID, "body": "said"}},
    "CREATE_ISSUE": {
        "input": {"id": UUID, "teamId": UUID, "title": "t", "description": "", "labelIds": [], "parentId": UUID}
        | {"stateId": UUID}
    },
    "CREATE_ATTACHMENT": {
        "input": {"issueId": UUID, "url": "http://x", "title": "t", "metadata": {"number": 1, "taken": True}}
    },
    "UPDATE_ATTACHMENT": {"id": UUID, "input": {"title": "t", "subtitle": "s", "metadata": {}}},
    "UPDATE_ISSUE": {
        "id": UUID,
        "input": {"stateId": UUID, "delegateId": None, "addedLabelIds": [UUID], "removedLabelIds": []}
        | {"title": "t", "description": "d"},
    },
    "CREATE_LABEL": {"input": {"id": UUID, "name": "n", "color": "#000000"}},
    "CREATE_STATE": {"input": {"id": UUID, "teamId": UUID, "name": "n", "type": "started", "color": "#000000"}},
    "CREATE_WEBHOOK": {
        "input": {"id": UUID, "url": "http://x", "resourceTypes": ["Issue"], "allPublicTeams": True, "secret": "s"}
    },
    "CREATE_ACTIVITY": {
        "input": {
            "id": UUID,
            "agentSessionId": UUID,
            "content": {"type": "elicitation", "body": "?"},
            "signal": "select",
            "signalMetadata": {"options": [{"label": "Approve", "value": "approve abc"}]},
        }
    },
    "UPDATE_SESSION": {
        "id": UUID,
        "input": {
            "plan": [{"content": "Plan", "status": "pending"}],
            "addedExternalUrls": [{"url": "u", "label": "l"}],
        },
    },
}
"""What the adapter sends with them, where it is more than an id. Whatever tests make it send is held to the schema by
the double as well."""


@pytest.mark.parametrize("name", list(ALL))
def test_a_document_fits_the_schema_and_its_variables_too(name: str) -> None:
    document, variables = ALL[name], VARIABLES.get(name, {"id": UUID})
    assert not validate(linear_schema(), document)
    operation = next(node for node in document.definitions if isinstance(node, OperationDefinitionNode))
    coerced = get_variable_values(linear_schema(), operation.variable_definitions or (), variables)
    assert not isinstance(coerced, list), coerced
    assert cost_of(document, variables) < MOST


def test_what_is_wrong_with_a_document_would_be_found() -> None:
    wrong = {"stateId": UUID, "lockVersion": 1}
    operation = next(node for node in ALL["UPDATE_ISSUE"].definitions if isinstance(node, OperationDefinitionNode))
    assert isinstance(
        get_variable_values(linear_schema(), operation.variable_definitions or (), {"id": UUID, "input": wrong}), list
    )
