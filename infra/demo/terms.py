"""On what terms the demo runs: from the tape, or live with somebody's model and a ceiling."""

import os
from decimal import Decimal

from infra.exits import Misused, NoAccess
from infra.settings import Settings
from workflows.domain.model import Record

CEILING = Decimal(1)
"""Dollars a live run may spend."""
SCRIPTED = "SCRIPTED: the model's answers come from a tape, and no model is called. Tools, tests and git are real."
_KEYS = {"anthropic": "ANTHROPIC_API_KEY", "openai": "OPENAI_API_KEY"}


class Terms(Record):
    model: str
    """`provider:model`; empty: the tape."""
    reviewer_model: str = ""

    @property
    def live(self) -> bool:
        return bool(self.model)

    @property
    def usd(self) -> Decimal | None:
        return CEILING if self.live else None


def terms(settings: Settings) -> Terms:
    """What the environment asks for. Raises Misused and NoAccess before anything is started."""
    if not settings.model:
        return Terms(model="")
    for model in filter(None, (settings.model, settings.reviewer_model)):
        provider, _, name = model.partition(":")
        if provider not in _KEYS or not name:
            raise Misused(
                f"The demo cannot run with the model {model!r}.",
                "Write PAWL_MODEL as anthropic:... or openai:..., or unset it to play the tape.",
            )
        if not os.environ.get(_KEYS[provider]):
            raise NoAccess(
                f"{model} needs a key, and {_KEYS[provider]} is not set.",
                "Set it, or unset PAWL_MODEL to play the tape, which needs none.",
            )
    return Terms(model=settings.model, reviewer_model=settings.reviewer_model)
