"""What `pawl doctor` finds."""

from enum import StrEnum

from workflows.domain.model import Record


class Health(StrEnum):
    OK = "ok"
    NOTE = "note"
    """Not needed for everything, or not running now."""
    BROKEN = "broken"


class Finding(Record):
    check: str
    health: Health
    what: str
    fix: str = ""
