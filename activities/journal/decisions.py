"""What nobody has seen the end of: the decisions of jobs whose sandbox goes are kept before they go with it."""

from infra.journal import JournalStore
from workflows.ports.journal import egress_entry
from workflows.ports.sandbox import Decisions


def keep_decisions(store: JournalStore, told: Decisions) -> None:
    """A sandbox's witness. What was kept when its job ended is kept once."""
    body = store.keep(told.egress.encode())
    store.write([egress_entry(told.labels.get("session", ""), told.job, told.instance, body)])
