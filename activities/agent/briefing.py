"""A session's prompt: rendered once, kept in the journal, then never changed."""

import json

from activities.agent.enclosures import Enclosed, enclosed
from activities.agent.past import Past, session_of, short_digest
from activities.agent.transcript import Prompt
from workflows.domain import prompt
from workflows.domain.session import Role, SessionOrder
from workflows.ports.journal import Entry, EntryKind, Journal

LOOKING = frozenset({Role.PLANNER, Role.BUILDER, Role.FIXER})
"""Roles that are shown what is on the ticket. A reviewer judges the change, and a triager has none."""
_NEWER = ("threads", "attachments")
"""Parts of a brief that not all have had: where they are empty, its key is as it ever was."""


async def briefed(journal: Journal, past: Past, order: SessionOrder) -> str:
    """Journal reference of the prompt for these orders: a new version of Pawl changes none that is in use. A session
    that goes on after a question or a top-up keeps the one it began with."""
    if order.after and session_of(order.after) == order.session:
        return (await past.up_to(order.after))[-1].turn.prompt
    base = order.workspace.repository.base_sha
    unused = {name for name in _NEWER if not getattr(order.brief, name)}
    brief = order.brief.model_dump(mode="json", exclude=unused)
    told = json.dumps([order.role, order.model, order.after, base, brief])
    key = f"prompt-{short_digest(told)}"
    known = await journal.get(order.session, key)
    if known is not None:
        return known.body
    ref = await journal.keep_text((await _rendered(journal, order)).model_dump_json())
    entry = Entry(session=order.session, seq=0, kind=EntryKind.PROMPT, key=key, body=ref)
    return (await journal.put(entry)).body


async def _rendered(journal: Journal, order: SessionOrder) -> Prompt:
    brief = order.brief
    refs = {"ticket": brief.ticket_text, "guide": brief.guide, "failure": brief.failure, "diff": brief.diff}
    loaded = {name: await journal.load_text(ref) for name, ref in refs.items() if ref}
    looks = order.role in LOOKING and not order.after
    files = await enclosed(journal, brief.attachments) if looks else Enclosed()
    texts = prompt.BriefTexts(brief=brief, attachments=files.text, **{"ticket": "", **loaded})
    message = prompt.next_message(texts) if order.after else prompt.first_message(texts, order.role)
    return Prompt(
        system=prompt.system(order.role),
        message=message,
        role=order.role,
        model=order.model,
        workspace=order.workspace,
        checks=brief.checks,
        pictures=files.pictures,
    )
