"""The sentences a stranger reads in the Temporal UI and on the ticket."""

from collections.abc import Sequence

from workflows.domain.budget import Spend
from workflows.domain.change import Change, PullRequest
from workflows.domain.decision import GATES, Action, DecisionRecord, short
from workflows.domain.environment import Environment
from workflows.domain.order import TicketOutcome, TicketStatus
from workflows.domain.plan import Plan, Spike
from workflows.domain.review import Review
from workflows.domain.session import WorkDone
from workflows.domain.shown import indented, visible
from workflows.domain.ticket import Phase, Ticket

ACTIONS: dict[Action, str] = {
    Action.APPROVE: 'Approve what waits. No payload, or `{"note": "...", "by": "you", "of": "the hash you saw"}`.',
    Action.REQUEST_CHANGES: 'Send it back with your words: `"text"`, or `{"note": "text"}`.',
    Action.REJECT: 'Decline the ticket for good. No payload, or a reason as `"text"`.',
    Action.ANSWER: 'Answer the agent\'s question: `"text"`, or `{"note": "text"}`.',
    Action.STEER: 'Tell the agent something at its next turn: `"text"`, or `{"note": "text", "id": "..."}`.',
    Action.PAUSE: "Start nothing new until resumed. No payload.",
    Action.RESUME: "Go on after a pause, or try a blocked step again. No payload.",
    Action.TOP_UP: 'Raise a ceiling: `{"usd": 5}`, or `{"tokens": 100000}` where the tokens are used up.',
    Action.TAKE_OVER: "You do it yourself: the agent stops, branch and pull request stay. No payload.",
    Action.ABORT: "Stop and undo: the patch is kept, the pull request closed, the card put back. No payload.",
}
"""What each human action does and what to send with it: the description in the UI's dialogs."""

_ASKS: dict[Phase, str] = {
    Phase.PLAN_GATE: "Waiting for your approval of the plan",
    Phase.PUSH_GATE: "Waiting for your approval to push what only a person may allow",
    Phase.MERGE_GATE: "Waiting for your approval of the pull request",
    Phase.QUESTION: "The agent asks you something",
    Phase.BUDGET_GATE: "The budget is used up",
    Phase.BLOCKED: "Blocked: a step cannot go on",
}
_OFFERS: dict[Phase, tuple[Action, ...]] = {
    **dict.fromkeys(GATES, (Action.APPROVE, Action.REQUEST_CHANGES, Action.REJECT)),
    Phase.QUESTION: (Action.ANSWER,),
    Phase.BUDGET_GATE: (Action.TOP_UP, Action.ABORT),
    Phase.BLOCKED: (Action.RESUME, Action.ABORT),
}


_HEARD_AT: dict[Phase, str] = {
    Phase.TODO: "Kept: the first agent reads it when it begins.",
    Phase.PLAN_GATE: "Kept: no agent works while the plan waits for you. The next one reads it when it begins, the "
    "builder after an approval. To have the plan changed, use request-changes.",
    Phase.PUSH_GATE: "Kept: no agent works while the change waits for you. The next one reads it when it begins. To "
    "have the change changed, use request-changes.",
    Phase.MERGE_GATE: "Kept: no agent works while the pull request waits for you. Only one that you send it back to "
    "with request-changes reads it; after an approval nobody does.",
    Phase.QUESTION: "Kept: the agent waits for your answer and reads it together with that.",
    Phase.BUDGET_GATE: "Kept: the agent reads it when it goes on after a top-up.",
    Phase.BLOCKED: "Kept: nothing goes on until you resume. The first turn after that reads it, if there is one.",
}


_MARKS = frozenset("*_`[]<>()#@!|\\~")


def counted(number: int, noun: str) -> str:
    """`1 turn`, `2 turns`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def cost(spend: Spend) -> str:
    """`$0.50`; what a tape's answers are worth is not taken for money."""
    if spend.unpriced:
        return f"${spend.usd:.2f} and {counted(spend.unpriced, 'call')} without a price"
    return f"${spend.usd:.2f}" if not spend.recorded_usd else f"${spend.recorded_usd:.2f} on the tape"


def session_name(identifier: str, session: str) -> str:
    """`ENG-1.0a1b2c3d.builder2`: a session's key with the ticket as people call it, for trackers whose own ids nobody
    can read."""
    _, run, part = session.rsplit(".", 2)
    return f"{identifier}.{run}.{part}"


def spike_body(spike: Spike, ticket: str) -> str:
    """The text of the ticket that a spike becomes."""
    return f"{visible(spike.question)}\n\n**Why:** {visible(spike.why)}\n\nFrom the plan of {ticket}."


def spikes_comment(filed: Sequence[Ticket]) -> str:
    """What was filed, for the ticket it came from."""
    named = (f"[{card.identifier}]({card.url})" if card.url else card.identifier for card in filed)
    listed = "\n".join(f"- {name} {visible(card.title)}" for name, card in zip(named, filed, strict=True))
    return f"To be found out beside this ticket:\n\n{listed}"


def waiting_for(phase: Phase, reason: str = "") -> str:
    """What a person is asked for, as one sentence; empty when nobody is needed."""
    ask = _ASKS.get(phase, "")
    return f"{ask}: {reason}" if ask and reason else ask


def steering_answer(phase: Phase, paused: bool = False) -> str:
    """When somebody's words will be heard: an agent that waits for a person has no next turn by itself."""
    if paused:
        return "Kept: no turn begins while the ticket is paused. The agent reads it at its first turn after you resume."
    return _HEARD_AT.get(phase, "Passed on: the agent reads it at its next turn.")


def details(status: TicketStatus) -> str:
    """The ticket's page in the Temporal UI, as Markdown: where it is, what it waits for, what to send."""
    head = f"**{status.identifier}** {status.title}\n\nPhase: **{status.phase}**{' (paused)' if status.paused else ''}"
    parts = [head, _offer(status), what_waits(status), figures(status)]
    parts.append("\n".join(f"- {line}" for line in status.story[-12:]))
    return "\n\n".join(part for part in parts if part)


def what_waits(status: TicketStatus) -> str:
    """What a person decides about, as Markdown: the plan, or the part of the change that is protected."""
    texts = {Phase.PLAN_GATE: status.plan, Phase.PUSH_GATE: status.change}
    return texts.get(status.phase, "")


def _offer(status: TicketStatus) -> str:
    if not status.waiting_for:
        return ""
    offers = _OFFERS.get(status.phase, ())
    rows = "\n".join(f"| `{action}` | {ACTIONS[action]} |" for action in offers)
    table = f"| send this signal | what it does |\n|---|---|\n{rows}" if rows else ""
    subject = f"What waits has the hash `{short(status.subject)}`." if status.subject else ""
    asked = " ".join(status.waiting_for.split())  # agents' words among them: one line cannot pass for what follows
    return "\n\n".join(part for part in (f"{asked}.", subject, table) if part)


def figures(status: TicketStatus) -> str:
    """What it took so far, and where the pull request is."""
    so_far = [
        counted(status.spend.turns, "turn"),
        counted(status.spend.tokens, "token"),
        f"${status.spend.usd:.2f} spent",
    ]
    if status.pull_request:
        so_far.append(f"pull request {status.pull_request.number}: {status.pull_request.url}")
    return ", ".join(so_far)


def named(name: str) -> str:
    """A person's name as they chose it, in a line of Markdown: it marks up nothing and calls nobody."""
    plain = "".join(
        " " if character in "\n\r\t" else character for character in name if character not in "*_`[]<>()#@!|\\~"
    )
    return " ".join(visible(plain).split())[:80]


def trailers(identifier: str, approver: str = "", email: str = "") -> str:
    """The last lines of a commit's message, as git-interpret-trailers reads them. Whoever approved the plan shares the
    authorship, where their service gives an address: who asks later why a line is there finds a person."""
    shared = f"\nCo-authored-by: {named(approver)} <{email}>" if named(approver) and email else ""
    return f"Ticket: {identifier}{shared}"


def decided(decisions: tuple[DecisionRecord, ...]) -> str:
    """Who decided what, where and when, on which hash: a line each, the last twenty."""
    return "\n".join(_decided(decision) for decision in decisions[-20:])


def _decided(decision: DecisionRecord) -> str:
    subject = f" on `{short(decision.subject)}`" if decision.subject else ""
    who = named(decision.name) or "somebody who gave no name"
    vouched = f" (`{decision.who.replace('`', '')}`)" if decision.who else ""
    via = named(decision.via) or "Temporal"
    return (
        f"- {decision.phase}: {decision.action}{subject} by {who}{vouched} from {via}, {decision.at:%Y-%m-%d %H:%M} UTC"
    )


def summary(outcome: TicketOutcome) -> str:
    """The last comment on the ticket: how it ended, what it took, where the work is."""
    bill = outcome.bill
    paid = f"${bill.spend.usd:.2f} spent"
    if bill.spend.recorded_usd:
        paid += f" (the tape's answers are worth ${bill.spend.recorded_usd:.2f})"
    if bill.calls_bought_twice:
        paid += f", {counted(bill.calls_bought_twice, 'model call')} bought twice"
    lines = [
        f"**{outcome.phase}.** {outcome.summary}",
        f"{counted(bill.spend.turns, 'turn')}, {counted(bill.spend.tokens, 'token')}, {paid}. "
        f"Strikes: {_strikes(outcome)}.",
    ]
    if outcome.plan_hash:
        approver = outcome.approved_by or "somebody who gave no name"
        lines.append(f"Plan `{outcome.plan_hash}`, approved by {approver}.")
    if outcome.pull_request:
        lines.append(f"Pull request {outcome.pull_request.number}: {outcome.pull_request.url}")
    elif outcome.branch:
        lines.append(f"The work so far is kept on the branch `{outcome.branch}`.")
    if outcome.decisions:
        lines.append(f"Decided:\n\n{decided(outcome.decisions)}")
    return "\n\n".join(lines)


def _strikes(outcome: TicketOutcome) -> str:
    """`2 by the checks, 1 by CI`: each kind that happened."""
    kinds = {"the checks": outcome.strikes, **outcome.strikes_after}
    return ", ".join(f"{number} by {kind}" for kind, number in kinds.items() if number) or "none"


def pull_request_body(
    ticket: Ticket,
    plan: Plan,
    work: WorkDone,
    approved_by: str,
    label: str,
    proposed_flake: str = "",
    decisions: tuple[DecisionRecord, ...] = (),
    evidence: str = "",
) -> str:
    """The evidence a reviewer starts from: ticket, approved plan, what the builder says of its work, who decided what,
    and how it was made. Then comes `proposed_flake`, if there is one."""
    criteria = "\n".join(f"- [ ] {criterion}" for criterion in plan.draft.acceptance)
    parts = (
        f"> {label}" if label else "",
        f"Closes {ticket.identifier}: {ticket.title} {ticket.url}".strip(),
        work.summary,
        f"**Done when**\n\n{criteria}",
        f"Plan `{plan.hash}` (revision {plan.revision}), approved by {approved_by or 'somebody who gave no name'}. "
        f"Risk as the builder sees it: {work.risk}. The repository's own checks pass on exactly this tree.",
        f"**Decided**\n\n{decided(decisions)}" if decisions else "",
        evidence,
        _flake_section(proposed_flake) if proposed_flake else "",
    )
    return "\n\n".join(part for part in parts if part)


def _flake_section(flake: str) -> str:
    return (
        "## A flake.nix to start from\n\n"
        "This is no part of the change: WORKFLOW.md asks for a proposal (`propose_flake`). Commit it as `flake.nix`, "
        "add what else the checks need, run `nix flake lock`, commit `flake.lock` too, and set `environment: nix` "
        "under `pawl: sandbox:`. From then on agents and checks run in it.\n\n"
        f"```nix\n{flake}```"
    )


def preparing_words(environment: Environment) -> str:
    """What may take long before the sandbox is ready; empty when nothing is to be installed."""
    if not environment.digest:
        return ""
    lines = counted(len(environment.install) + len(environment.prepare), "command")
    return (
        f"Preparing the environment with {lines}, {environment.seconds:,} s at most for each, unless an image is there "
        "from before."
    )


def sandbox_words(tier: str, environment: str, seconds: float, prepared: float, notes: tuple[str, ...]) -> str:
    """Where the ticket's commands run, and what of the repository's environment does not apply there. `prepared`: the
    seconds its preparation took, whenever that was; 0 for none."""
    once = f", prepared once in {prepared:g} s" if prepared else ""
    return " ".join((f"The sandbox is ready after {seconds:g} s: {tier}; environment: {environment}{once}.", *notes))


def strike_comment(said: str, excerpt: str) -> str:
    """A strike as people read it on the ticket. The output is untrusted: indented, it stays a block of text."""
    return f"{said}\n\n{indented(excerpt)}" if excerpt else said


def size_of(change: Change) -> str:
    """`3 files, 40 lines added, 2 removed`, with the files nobody can read by lines."""
    lines = f"{counted(change.insertions, 'line')} added, {change.deletions:,} removed"
    size = f"{counted(change.files, 'file')}, {lines}"
    return f"{size}; binary: {', '.join(change.binaries)}" if change.binaries else size


def push_gate_text(change: Change) -> str:
    """What only a person may allow, before anything of the change is pushed. The diff is untrusted: it is indented."""
    asks = "\n".join(f"- {ask}" for ask in change.asks)
    shown = "\n".join(f"    {line}" for line in change.shown.splitlines())
    return (
        f"**Nothing of this change is pushed until a person allows it** ({size_of(change)}). It touches what runs with "
        f"the repository's secrets, decides who reviews, or is obeyed by the next agent:\n\n{asks}\n\n{shown}"
    ).strip()


def merge_gate_text(pull_request: PullRequest, review: Review, change: Change | None) -> str:
    """What waits for the merge: where to read it, what is still open, and what a person had to allow in it."""
    findings = "\n".join(f"- {finding.markdown()}" for finding in review.findings)
    asks = "\n".join(f"- {ask}" for ask in change.asks) if change else ""
    binaries = ", ".join(change.binaries) if change else ""
    parts = (
        f"Pull request {pull_request.number} is ready: {pull_request.url}",
        findings,
        f"**Allowed by a person at the push gate**\n\n{asks}" if asks else "",
        f"Binary files, which no reviewer can read by lines: {binaries}" if binaries else "",
    )
    return "\n\n".join(part for part in parts if part)


def gate_hint(identifier: str, subject: str, answers_here: bool = False) -> str:
    """How to decide, for people who read it on the ticket."""
    shown = short(subject)
    here = f"Tell Pawl here: `approve`, or `approve {shown}` for exactly this, or what to change. Or decide"
    return (
        f"{here if answers_here else 'Approve'} with `pawl approve {identifier} --of {shown}`, or send the signal "
        "`approve` in the Temporal UI."
    )
