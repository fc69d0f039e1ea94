"""The tools that run commands in the checkout."""

from shlex import quote

from activities.agent.tools import Bash, Call, Search
from activities.agent.transcript import ToolResult
from workflows.domain.change import Check
from workflows.ports.workspace import Checkout, Ran

SEARCH_HITS, HIT_CHARS = 100, 240
SEARCH_SECONDS = 60


async def bash(checkout: Checkout, job: str, call: Call, asked: Bash) -> ToolResult:
    ran = await checkout.run(job, f"export PAGER=cat GIT_PAGER=cat\n{asked.command}", asked.timeout)
    first = asked.command.strip().splitlines()[0][:60] if asked.command.strip() else ""
    return call.result(_told(ran), f"bash {first}: {ran.how}", ok=ran.ok)


async def search(checkout: Checkout, job: str, call: Call, asked: Search) -> ToolResult:
    return found(await checkout.run(job, search_command(asked), SEARCH_SECONDS), call, asked)


def found(ran: Ran, call: Call, asked: Search) -> ToolResult:
    """What a finished search comes to."""
    line = f"search {asked.pattern[:60] or asked.glob[:60] or 'files'}"
    if not ran.ok:
        return call.result(_told(ran), f"{line}: {ran.how}", ok=False)
    hits = ran.output.splitlines()
    if len(hits) > SEARCH_HITS:
        hits[SEARCH_HITS:] = [f"[more than {SEARCH_HITS} lines: narrow the pattern or the glob]"]
    return call.result("\n".join(hits) or "Nothing matches.", line)


async def run_checks(checkout: Checkout, job: str, call: Call, checks: tuple[Check, ...]) -> ToolResult:
    """All checks, also after one that fails; only failing ones show their output."""
    if not checks:
        return call.result("The repository declares no checks.", "run_checks: none declared", ok=False)
    texts: list[str] = []
    failed: list[str] = []
    for place, check in enumerate(checks):
        ran = await checkout.run(f"{job}-{place}", check.run, check.timeout_seconds)
        texts.append(f"{check.name}: ok" if ran.ok else f"{check.name}: {ran.how}\n{ran.output}".rstrip())
        if not ran.ok:
            failed.append(f"{check.name} {ran.how}")
    return call.result("\n\n".join(texts), f"run_checks: {', '.join(failed) or 'ok'}", ok=not failed)


def search_command(asked: Search) -> str:
    """ripgrep where the sandbox has it, else grep and find: in a stable order, capped, failing on a bad pattern."""
    glob, pattern = asked.glob, asked.pattern
    if pattern:
        only = f"-g {quote(glob)} " if glob else ""
        ripgrep = (
            f"rg -n --no-heading --color never --sort path --max-count {SEARCH_HITS + 1} {only}-e {quote(pattern)} ."
        )
        include = f"--include={quote(glob.rsplit('/', 1)[-1])} " if glob else ""
        fallback = f"grep -rnIE -m {SEARCH_HITS + 1} --exclude-dir=.git {include}-e {quote(pattern)} ."
    else:
        ripgrep = f"rg --files --sort path {f'-g {quote(glob)}' if glob else ''}"
        named = f"-name {quote(glob.rsplit('/', 1)[-1])}" if glob else ""
        fallback = f"find . -path ./.git -prune -o -type f {named} -print"
    return (
        f"if command -v rg >/dev/null 2>&1; then found=$({ripgrep} 2>&1); code=$?\n"
        # Sorted apart: the exit code of a pipeline is that of its end.
        f'else found=$({fallback} 2>&1); code=$?; found=$(printf "%s\\n" "$found" | sort); fi\n'
        '[ -z "$found" ] || printf "%s\\n" "$found" | sed "s|^\\./||" '
        f"| cut -c1-{HIT_CHARS} | head -n {SEARCH_HITS + 1}\n"
        '[ "$code" -lt 2 ]'
    )


def _told(ran: Ran) -> str:
    return f"{ran.how}\n{ran.output}".rstrip()
