"""Every question and order Pawl sends to Linear. A test holds each to Linear's published schema."""

from graphql import DocumentNode, parse

_PERSON = "fragment PersonParts on User { id name displayName email app active }"
_STATE = "fragment StateParts on WorkflowState { id name type position }"
_CARD = """
fragment CardParts on Issue {
  id identifier title description url createdAt updatedAt archivedAt
  state { ...StateParts }
  team { id key states(first: 40) { nodes { ...StateParts } } }
  labels(first: 20) { nodes { id name } }
  assignee { id } delegate { id }
  inverseRelations(first: 15) { nodes { type issue { identifier completedAt canceledAt state { type } } } }
}
"""
_SESSION = "fragment SessionParts on AgentSession { id status createdAt appUser { id } plan externalLinks { url } }"
_NEXT = "pageInfo { hasNextPage endCursor }"


def _document(text: str, *fragments: str) -> DocumentNode:
    return parse("\n".join((text, *fragments)))


VIEWER = _document("query Viewer { viewer { ...PersonParts url } }", _PERSON)
ISSUE = _document(
    """
query Issue($id: String!) {
  issue(id: $id) {
    ...CardParts
    attachments(first: 50) { nodes { id title url metadata createdAt creator { id } } }
    agentSessions(first: 10) { nodes { ...SessionParts } }
    comments(first: 50) { nodes { id body createdAt user { id } } }
  }
}
""",
    _CARD,
    _STATE,
    _SESSION,
)
UPDATE_ISSUE = _document(
    "mutation UpdateIssue($id: String!, $input: IssueUpdateInput!) { issueUpdate(id: $id, input: $input) { success } }"
)
CREATE_ISSUE = _document(
    "mutation CreateIssue($input: IssueCreateInput!) { issueCreate(input: $input) { success } }",
)
CREATE_COMMENT = _document(
    "mutation CreateComment($input: CommentCreateInput!) { commentCreate(input: $input) { success } }"
)
COMMENT = _document("query Comment($id: String!) { comment(id: $id) { id } }")
CREATE_ATTACHMENT = _document(
    "mutation CreateAttachment($input: AttachmentCreateInput!) { attachmentCreate(input: $input) { success } }"
)
UPDATE_ATTACHMENT = _document(
    """
mutation UpdateAttachment($id: String!, $input: AttachmentUpdateInput!) {
  attachmentUpdate(id: $id, input: $input) { success }
}
"""
)
ATTACHMENT = _document(
    "query Attachment($id: String!) { attachment(id: $id) { id title url metadata createdAt creator { id } } }"
)
LABELS = _document(
    f"""
query Labels($after: String, $filter: IssueLabelFilter) {{
  issueLabels(first: 100, after: $after, filter: $filter) {{ nodes {{ id name team {{ id }} }} {_NEXT} }}
}}
"""
)
CREATE_LABEL = _document(
    "mutation CreateLabel($input: IssueLabelCreateInput!) { issueLabelCreate(input: $input) { success } }"
)
LABEL = _document("query Label($id: String!) { issueLabel(id: $id) { id } }")
CREATE_ACTIVITY = _document(
    "mutation CreateActivity($input: AgentActivityCreateInput!) { agentActivityCreate(input: $input) { success } }"
)
ACTIVITY = _document("query Activity($id: String!) { agentActivity(id: $id) { id } }")
UPDATE_SESSION = _document(
    """
mutation UpdateSession($id: String!, $input: AgentSessionUpdateInput!) {
  agentSessionUpdate(id: $id, input: $input) { success }
}
"""
)
ISSUES = _document(
    f"""
query Issues($filter: IssueFilter!, $after: String) {{
  issues(filter: $filter, first: 25, after: $after, orderBy: updatedAt) {{
    nodes {{
      ...CardParts
      creator {{ ...PersonParts }}
      history(first: 10) {{
        nodes {{
          updatedAt actor {{ ...PersonParts }} toState {{ name }} addedLabelIds toAssigneeId toDelegate {{ id }}
        }}
      }}
      agentSessions(first: 3) {{
        nodes {{ ...SessionParts creator {{ ...PersonParts }} comment {{ user {{ id }} }} sourceComment {{ id }} }}
      }}
    }}
    {_NEXT}
  }}
}}
""",
    _CARD,
    _STATE,
    _PERSON,
    _SESSION,
)
COMMENTS = _document(
    f"""
query Comments($filter: CommentFilter!, $after: String) {{
  comments(filter: $filter, first: 25, after: $after) {{
    nodes {{
      id body createdAt
      user {{ ...PersonParts }} externalUser {{ id name }} botActor {{ id name }}
      parent {{ user {{ id }} agentSession {{ appUser {{ id }} }} }}
      issue {{ ...CardParts }}
    }}
    {_NEXT}
  }}
}}
""",
    _CARD,
    _STATE,
    _PERSON,
)
PROMPTS = _document(
    f"""
query Prompts($filter: AgentActivityFilter!, $after: String) {{
  agentActivities(filter: $filter, first: 25, after: $after) {{
    nodes {{
      id createdAt signal sourceComment {{ id }} user {{ ...PersonParts }}
      content {{ ... on AgentActivityPromptContent {{ body }} }}
      agentSession {{ appUser {{ id }} issue {{ ...CardParts }} }}
    }}
    {_NEXT}
  }}
}}
""",
    _CARD,
    _STATE,
    _PERSON,
)
TEAMS = _document(
    f"""
query Teams($after: String) {{
  teams(first: 50, after: $after) {{
    nodes {{ id key name states(first: 40) {{ nodes {{ ...StateParts }} }} }}
    {_NEXT}
  }}
}}
""",
    _STATE,
)
CREATE_STATE = _document(
    "mutation CreateState($input: WorkflowStateCreateInput!) { workflowStateCreate(input: $input) { success } }"
)
STATE = _document("query State($id: String!) { workflowState(id: $id) { id } }")
WEBHOOKS = _document(
    f"""
query Webhooks($after: String) {{
  webhooks(first: 50, after: $after) {{ nodes {{ id url enabled resourceTypes }} {_NEXT} }}
}}
"""
)
CREATE_WEBHOOK = _document(
    "mutation CreateWebhook($input: WebhookCreateInput!) { webhookCreate(input: $input) { success } }"
)
WEBHOOK = _document("query Webhook($id: String!) { webhook(id: $id) { id } }")
OPEN_ISSUES = _document(
    f"""
query OpenIssues($filter: IssueFilter!, $after: String) {{
  issues(filter: $filter, first: 50, after: $after, orderBy: createdAt) {{
    nodes {{
      id identifier title description url createdAt updatedAt archivedAt
      state {{ ...StateParts }}
      team {{ id key states(first: 40) {{ nodes {{ ...StateParts }} }} }}
      labels(first: 20) {{ nodes {{ id name }} }}
      creator {{ ...PersonParts }}
    }}
    {_NEXT}
  }}
}}
""",
    _STATE,
    _PERSON,
)
ISSUE_TEXT = _document(
    "query IssueText($id: String!) { issue(id: $id) { id identifier title description creator { id } } }"
)
LANDING = _document(
    """
query Landing($id: String!) {
  team(id: $id) { defaultIssueState { name } states(first: 40) { nodes { ...StateParts } } }
}
""",
    _STATE,
)
