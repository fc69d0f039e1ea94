"""How much of the state file a night carries: it travels through Temporal each time it is read or kept. The file keeps
all of it."""

from collections.abc import Collection, Iterable, Mapping, Sequence

from workflows.domain.size import size
from workflows.domain.triage import Entry, Standing
from workflows.domain.triage_goes import last_telling

MOST_BYTES = 800_000
"""Of findings in one value."""
_MOST_WHOLE = 500_000
"""Of them with all that a night needs; the others are carried without details."""
_MOST_EACH = 100_000


def carried(entry: Entry) -> Entry:
    """What a night needs of a finding: of its goes the numbers, and what the last one printed that said anything."""
    return _with_excerpt_of(entry, last_telling(entry.tried))


def that_fit(entries: Iterable[Entry], first: Collection[str] = ()) -> tuple[Entry, ...]:
    """What a night carries of a state file, in the file's order. Where it is too much, those named `first` come first,
    then what waits, what else is open, what is over and what is ignored."""
    fitting, used, every = dict[str, Entry](), 0, tuple(entries)
    for entry in sorted(every, key=lambda entry: (entry.id not in first, *_rank(entry), entry.id)):
        for form, room in ((carried(entry), _MOST_WHOLE), (_terse(entry), MOST_BYTES)):
            length = size(form)
            if length <= min(room - used, _MOST_EACH):
                fitting[entry.id], used = form, used + length
                break
    return tuple(fitting[entry.id] for entry in every if entry.id in fitting)


def in_parts(entries: Sequence[Entry], seen: Mapping[str, Entry]) -> list[tuple[Entry, ...]]:
    """What is to be kept, parted so that each part travels, along with what was seen of it; one part where there is
    nothing."""
    parts, used = list[list[Entry]]([[]]), 0
    for entry in entries:
        length = size(entry) + (size(seen[entry.id]) if entry.id in seen else 0)
        if parts[-1] and used + length > MOST_BYTES:
            parts.append([])
            used = 0
        parts[-1].append(entry)
        used += length
    return [tuple(part) for part in parts]


def _terse(entry: Entry) -> Entry:
    return _with_excerpt_of(entry, None).model_copy(update={"detail": ""})


def _with_excerpt_of(entry: Entry, telling: object) -> Entry:
    goes = (go if go is telling else go.model_copy(update={"excerpt": ""}) for go in entry.tried)
    return entry.model_copy(update={"tried": tuple(goes)})


def _rank(entry: Entry) -> tuple[int, float]:
    """What waits the longest first, of the others the newest."""
    if entry.standing is Standing.WAITING:
        return 0, entry.first_seen.timestamp()
    rank = 1 if entry.standing.is_open else 3 if entry.standing is Standing.IGNORED else 2
    return rank, -entry.last_seen.timestamp()
