"""What triage says to people. What a finding holds comes from a model that has read strangers' text: it is shown in
full, and calls nobody, closes nothing and passes for nothing of ours."""

import re
from collections.abc import Sequence
from datetime import datetime

from workflows.domain.shown import code, indented, visible
from workflows.domain.triage import Entry, Kind, NightOutcome, Standing, Verdict
from workflows.domain.triage_goes import first_alike, last_telling
from workflows.domain.words import cost, counted

MOST_CHARACTERS = 40_000
"""Of the sections of a report; findings beyond are only named. GitHub takes 65,536 in all."""
MOST_NAMED = 50
_CALLS = re.compile(r"[@#](?=\w)|\b(?:gh-(?=\d)|www\.(?=\w))|:(?=//)|\](?=\()", re.IGNORECASE)
"""What trackers and forges turn into a call of a person, or a link."""
_MARK = "<!--"


def plain(text: str, most: int) -> str:
    """One line for a title: nothing in it calls a person, links to anything, closes another ticket, or is a hidden
    mark."""
    line = " ".join(_unmarked(visible(text)).split())
    line = _CALLS.sub(lambda found: f"{found[0]} ", line)
    return line if len(line) <= most else f"{line[: most - 1]}…"


def ticket_title(entry: Entry) -> str:
    return plain(f"{_headed(entry.kind)}: {entry.title}", 200)


def ticket_body(entry: Entry, repository: str, label: str = "") -> str:
    """The ticket of one finding, with what shows it."""
    parts = (
        f"> {plain(label, 300)}" if label else "",
        f"**{_headed(entry.kind)}:** {_code(entry.subject)}",
        proof(entry),
        _quoted(entry.detail),
        f"To see it, at the root of the checkout:\n\n{_quoted(entry.command)}" if entry.command else "",
        _excerpt(entry),
        f"{_found(entry, repository)} What stands indented was written by programs, and by a model that has read them.",
    )
    return "\n\n".join(part for part in parts if part)


def bare(entry: Entry) -> Entry:
    """The finding without a word that a model chose, nor one that its command printed: for a ticket over which nobody
    watches, and whose agents obey what it says."""
    return entry.model_copy(update={"title": entry.subject, "detail": "", "command": "", "tried": ()})


def _found(entry: Entry, repository: str) -> str:
    again = f" It came up before; this is time {entry.times}." if entry.times > 1 else ""
    return f"Found by the nightly triage of {_code(repository)}, finding `{entry.id}`.{again}"


def report_title(repository: str) -> str:
    return plain(f"Triage of {repository}", 200)


def report(entries: Sequence[Entry], repository: str, path: str) -> str:
    """The inbox: what is open and what is fixed since, of the findings that were reported in it. The same findings give
    the same text on every night. `path`: the state file."""
    still = [entry for entry in entries if entry.standing.is_open]
    fixed = [entry for entry in entries if entry.standing is Standing.FIXED]
    sections = _that_fit([_section(entry) for entry in still])
    parts = (
        f"{counted(len(still), 'finding')} in {_code(repository)}." if still else "Nothing of this is open any more.",
        *sections,
        _named("And", still[len(sections) :]),
        _named("Fixed since", fixed),
        f"Pawl keeps this text as the findings are; close the ticket when you have read it, and what is found later "
        f"comes in a new one. What you do not want to hear of: `standing: ignored` in {_code(path)}. What stands "
        "indented was written by programs, and by a model that has read them.",
    )
    return "\n\n".join(part for part in parts if part)


def proof(entry: Entry) -> str:
    """What running its command has shown, as a sentence: the same as long as the verdict is."""
    first = first_alike(entry.tried)
    if first is None:
        return (
            "No command has shown it: it is told as it was read." if not entry.command else "Its command says nothing."
        )
    word = {Verdict.CONFIRMED: "Fails every time", Verdict.FLAKY: "Flaky: fails now and then"}.get(
        first.verdict, "Passes"
    )
    return f"{word}: {first.failed} of {counted(first.runs, 'run')} failed at {_code(first.base[:12])}."


def since_words(entry: Entry) -> str:
    return f"Known since {entry.first_seen:%Y-%m-%d}, finding `{entry.id}`."


def says(night: NightOutcome, since: datetime) -> str:
    """What came of a night, as one line."""
    if night.silent and not (night.asked or night.known or night.refuted or night.waiting):
        return f"Nothing new since {since:%Y-%m-%d %H:%M} UTC. Nobody was asked or told anything."
    numbers = (
        counted(night.found, "new finding"),
        f"{night.refuted} refuted" if night.refuted else "",
        f"{night.known} known before" if night.known else "",
        f"{night.fixed} fixed" if night.fixed else "",
        f"{night.waiting} waiting for the next night" if night.waiting else "",
    )
    told = f"Written: {', '.join(night.tickets)}." if night.tickets else ""
    silent = "Nobody was told anything." if night.silent else ""
    started = f"Started: {', '.join(night.started)}." if night.started else ""
    again = "" if night.gone else " The next night looks at the same again."
    trouble = f"Not finished: {night.trouble}{again}" if night.trouble else ""
    found = f"{', '.join(number for number in numbers if number)}."
    parts = (night.warning, trouble, found, told, silent, started, _paid(night))
    return " ".join(part for part in parts if part)


def _paid(night: NightOutcome) -> str:
    """Nothing where nobody can tell: the night's warning says so."""
    if not night.asked:
        return "No model was asked."
    if night.spend is None:
        return ""
    live = "No live model answered: the" if night.spend.recorded_usd else "The"
    return f"{live} triager cost {cost(night.spend)}."


def stopped(end: str, stop: str, said: str) -> str:
    """How a triager ended that submitted nothing. `stop`: which rule stopped it; `said`: by itself, or by whoever
    refused."""
    how = f"{end}: {stop}" if stop else end
    more = f" {plain(said, 500)}" if said else ""
    return f"The triager submitted nothing ({how}).{more}"


def fixed_words(entry: Entry) -> str:
    """For a draft ticket that nobody needs any more."""
    base = entry.tried[-1].base[:12] if entry.tried else ""
    runs = counted(entry.tried[-1].runs, "run") if entry.tried else ""
    return f"This does not fail any more: {runs} at {code(base)} passed. Nobody has to do anything about it."


def _that_fit(sections: list[str]) -> list[str]:
    length, fitting = 0, list[str]()
    for section in sections:
        length += len(section)
        if length > MOST_CHARACTERS:
            break
        fitting.append(section)
    return fitting


def _named(heading: str, entries: Sequence[Entry]) -> str:
    """A list of the findings' names alone; empty for none."""
    if not entries:
        return ""
    lines = [f"- {_code(entry.subject)}" for entry in entries[:MOST_NAMED]]
    more = [f"- and {len(entries) - MOST_NAMED} more"] if len(entries) > MOST_NAMED else []
    return "\n".join([f"### {heading}", "", *lines, *more])


def _section(entry: Entry) -> str:
    parts = (
        f"### {_headed(entry.kind)}: {_code(entry.subject)}",
        _quoted(entry.title),
        proof(entry),
        _quoted(entry.detail[:1_000]),
        f"To see it:\n\n{_quoted(entry.command)}" if entry.command else "",
        since_words(entry),
    )
    return "\n\n".join(part for part in parts if part)


def _excerpt(entry: Entry) -> str:
    last = last_telling(entry.tried)
    return f"What it said last:\n\n{_quoted(last.excerpt)}" if last and last.excerpt.strip() else ""


def _code(text: str) -> str:
    return _unmarked(code(text))


def _quoted(text: str) -> str:
    """A block of text as it is."""
    return _unmarked(indented(text.strip()))


def _unmarked(shown: str) -> str:
    """A hidden mark in it is none any more, also for programs that look at the bare text."""
    return shown.replace(_MARK, "< !--")


def _headed(kind: Kind) -> str:
    return kind.value.capitalize()
