"""Deliveries as GitHub writes them: its own examples, and variants of them."""

import copy
import hmac
import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parents[2] / "contracts" / "github" / "webhooks"
EXAMPLES = sorted(path.stem for path in FOLDER.glob("*.json"))
SECRET = "another-secret-of-the-tests"
REPOSITORY = "Codertocat/Hello-World"


def example(name: str) -> Any:
    return json.loads((FOLDER / f"{name}.json").read_text())


def with_(payload: Any, **changes: Any) -> Any:
    """A copy with changes, as `issue__state="closed"`."""
    changed = copy.deepcopy(payload)
    for path, value in changes.items():
        *way, last = path.split("__")
        place = changed
        for step in way:
            place = place[step]
        place[last] = value
    return changed


def signed(
    event: str, payload: Any, secret: str = SECRET, delivery_id: str = "72d3162e-cc78-11e3-81ab-4c9367dc0958"
) -> tuple[dict[str, str], bytes]:
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return {
        "content-type": "application/json",
        "x-github-event": event,
        "x-github-delivery": delivery_id,
        "x-hub-signature-256": f"sha256={hmac.new(secret.encode(), body, 'sha256').hexdigest()}",
    }, body
