"""Policy and guide from the repository itself, at the base commit."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from temporalio import activity

from activities.context.environment import find_environment, proposed_flake
from activities.context.evidence import evidence
from activities.context.recognised import Files, recognise, wanted
from activities.context.workflow_file import NAME, BadWorkflowFile, WorkflowFile, read_workflow_file
from activities.errors import stop
from activities.git import TrustedClones
from activities.git.failures import told
from infra.pages import MOST_BYTES
from workflows.domain.change import Repository
from workflows.domain.failures import Failure
from workflows.domain.policy import Policy
from workflows.domain.ticket import Ticket
from workflows.ports.context import Context, GatherContext, GatheredContext, GatherEvidence
from workflows.ports.journal import Journal

GUIDES = ("AGENTS.md", "CLAUDE.md")
GUIDE_CHARS = 16_000
_MOST_BYTES = 256 * 1024
_HOW_TO_DECLARE = f"""\
No check is declared in {NAME}, and none was recognised. Put this at the top of {NAME}, with the command that \
tests this repository, commit it and resume:
---
pawl:
  checks:
    - name: tests
      run: python3 -m pytest -q
---"""
_TEMPLATE_NOTICE = "(Where the text below has {{ }} or {% %}, the ticket is meant. It is given to you separately.)"


@dataclass
class RepositoryContext(Context):
    """Reads files of the trusted clone and runs nothing."""

    clones: TrustedClones
    journal: Journal

    @activity.defn
    async def gather_context(self, request: GatherContext) -> GatheredContext:
        with told():
            file = await self._workflow_file(request.repository)
            blobs = await self.clones.blobs(request.repository, request.repository.base_sha)
            policy = await self._with_checks(file.policy, request.repository, list(blobs))
            environment = await find_environment(policy.sandbox, blobs, partial(self._text, request.repository))
            guide = guide_text(file.prompt, *await self._agents_file(request.repository))
        return GatheredContext(
            policy=policy,
            environment=environment,
            proposed_flake=proposed_flake(policy.sandbox, environment, blobs),
            ticket_text=await self.journal.keep_text(ticket_text(request.ticket)),
            guide=await self.journal.keep_text(guide) if guide else "",
        )

    @activity.defn
    async def gather_evidence(self, request: GatherEvidence) -> str:
        with told():
            text = await evidence(self.journal, request)
        return await self.journal.keep_text(text)

    async def _workflow_file(self, repository: Repository) -> WorkflowFile:
        data = await self._read(repository, NAME, MOST_BYTES + 1)
        if data is None:
            return WorkflowFile(Policy(), "")
        try:
            file = read_workflow_file(data)
        except BadWorkflowFile as error:
            raise stop(
                Failure.BAD_POLICY, str(error), "\nMend it, commit it to the base branch, then resume."
            ) from error
        source = f"{NAME} at {repository.base_sha[:12]}"
        return file._replace(policy=file.policy.model_copy(update={"source": source}))

    async def _with_checks(self, policy: Policy, repository: Repository, paths: Sequence[str]) -> Policy:
        if policy.checks:
            return policy
        texts = {path: await self._text(repository, path) for path in wanted(paths)}
        checks = recognise(Files(paths, texts))
        if not checks:
            raise stop(Failure.NO_CHECKS, _HOW_TO_DECLARE)
        found = ", ".join(check.name for check in checks)
        return policy.model_copy(update={"checks": checks, "source": f"{policy.source}; checks recognised: {found}"})

    async def _agents_file(self, repository: Repository) -> tuple[str, str]:
        """Name and text of the first guide that says something; two empty texts when none does."""
        for name in GUIDES:
            if text := (await self._text(repository, name)).strip():
                return name, text
        return "", ""

    async def _text(self, repository: Repository, path: str) -> str:
        data = await self._read(repository, path, _MOST_BYTES)
        return (data or b"").decode("utf-8-sig", errors="replace").replace("\r\n", "\n")

    async def _read(self, repository: Repository, path: str, most_bytes: int) -> bytes | None:
        return await self.clones.show(repository, repository.base_sha, path, most_bytes)


def ticket_text(ticket: Ticket) -> str:
    labels = f"Labels: {', '.join(ticket.labels)}\n\n" if ticket.labels else ""
    return f"# {ticket.title}\n\n{labels}{ticket.body}".strip() + "\n"


def guide_text(prompt: str, name: str, text: str) -> str:
    """What the repository tells agents, the words of WORKFLOW.md first, cut to size with a notice."""
    if "{{" in prompt or "{%" in prompt:
        prompt = f"{_TEMPLATE_NOTICE}\n\n{prompt}"
    parts = [(title, said) for title, said in ((NAME, prompt), (name, text)) if said]
    whole = "\n\n".join(f"# From {title}\n\n{said}" for title, said in parts)
    if len(whole) <= GUIDE_CHARS:
        return whole
    sources = " and ".join(title for title, _ in parts)
    notice = f"\n\n[Cut here: there were {len(whole):,} characters. Read the rest in {sources} in the checkout.]"
    return whole[: GUIDE_CHARS - len(notice)].rstrip() + notice
