"""How large values are on their way through Temporal, which refuses one of more than 2 MiB for good."""

from workflows.domain.model import Record


def size(record: Record) -> int:
    """Bytes of it as it travels."""
    return len(record.model_dump_json(exclude_defaults=True).encode())
