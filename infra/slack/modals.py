"""The modals that ask for words."""

from typing import Any

from workflows.domain.chat import ANSWER, REQUEST_CHANGES, Bound
from workflows.domain.decision import short

BOX = "words"
_MOST_WORDS = 3_000
"""What Slack takes in one box."""
_ASKED = {
    REQUEST_CHANGES: ("Request changes", "What should be different?", "Send back"),
    ANSWER: ("Answer", "Your answer", "Answer"),
}


def modal(action: str, bound: Bound) -> dict[str, Any] | None:
    """What a press of this button opens; None for one that opens nothing."""
    if action not in _ASKED:
        return None
    title, label, submit = _ASKED[action]
    name = f"{bound.identifier} {short(bound.subject)}".strip() or "this ticket"
    return {
        "type": "modal",
        "callback_id": action,
        "private_metadata": bound.model_dump_json(),
        "title": _plain(title),
        "submit": _plain(submit),
        "close": _plain("Cancel"),
        "blocks": [
            {"type": "context", "elements": [_plain(f"For {name}.")]},
            {
                "type": "input",
                "block_id": BOX,
                "label": _plain(label),
                "element": {
                    "type": "plain_text_input",
                    "action_id": BOX,
                    "multiline": True,
                    "max_length": _MOST_WORDS,
                },
            },
        ],
    }


def _plain(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": text, "emoji": False}
