"""Run tokens: how a session shows the gateway who it is, without a stored password."""

import base64
import hashlib
import hmac

SEQ_HEADER = "X-Pawl-Seq"
"""Names the turn of a model call. Together with session and request it is the key under which the answer is kept."""

_PREFIX = "pawl"


def run_token(secret: str, session: str) -> str:
    """The token of a session: whoever holds the gateway's secret can make it, and nobody can turn it back."""
    name = base64.urlsafe_b64encode(session.encode()).decode().rstrip("=")
    proof = hmac.new(secret.encode(), session.encode(), hashlib.sha256).hexdigest()
    return f"{_PREFIX}.{name}.{proof}"


def token_session(secret: str, token: str) -> str | None:
    """The session a token was made for; None when it was not made with this secret."""
    prefix, _, rest = token.partition(".")
    name, _, _proof = rest.partition(".")
    if prefix != _PREFIX or not name:
        return None
    try:
        session = base64.b64decode(name + "=" * (-len(name) % 4), altchars=b"-_", validate=True).decode()
    except ValueError:
        return None
    return session if hmac.compare_digest(run_token(secret, session).encode(), token.encode()) else None
