"""Calendars as Temporal's schedules take them: read here first, so that a slip is named by its field."""

import difflib
import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from zoneinfo import ZoneInfo, available_timezones

from temporalio.client import ScheduleCalendarSpec, ScheduleRange, ScheduleSpec

from infra.exits import Misused

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_LAST_YEAR = 2100
_HOW = 'Write minute, hour, day of month, month and day of week: "0 3 * * 1-5" is 03:00 from Monday to Friday.'
_ALIASES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_EVERY = re.compile(r"@every +((?:[0-9]+[dhms])+)")
_UNITS = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}


@dataclass(frozen=True)
class _Field:
    name: str
    low: int
    high: int
    words: tuple[str, ...] = ()
    """Names of its values, from `low` on."""
    also: int = 0
    """A second way to write the lowest value, as cron has 7 for Sunday; 0: none."""


_SECOND, _YEAR = _Field("second", 0, 59), _Field("year", 2000, _LAST_YEAR)
_USUAL = (
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day of month", 1, 31),
    _Field("month", 1, 12, _MONTHS),
    _Field("day of week", 0, 6, _DAYS, also=7),
)
_FIELDS = {5: _USUAL, 6: (*_USUAL, _YEAR), 7: (_SECOND, *_USUAL, _YEAR)}


@dataclass(frozen=True)
class Calendar:
    """When a schedule runs. Either `every` so often, or wherever all of the fields fit."""

    text: str = field(compare=False)
    every: timedelta | None = None
    fields: dict[str, frozenset[int]] | None = None

    def after(self, moment: datetime, zone: tzinfo) -> Iterator[datetime]:
        """The moments after that one, in the zone; nothing when there are none until the year 2100."""
        if self.every:
            passed = (moment - datetime.fromtimestamp(0, UTC)) // self.every
            first = datetime.fromtimestamp(0, UTC) + (passed + 1) * self.every
            yield from ((first + number * self.every).astimezone(zone) for number in itertools.count())
        seen = moment
        for wall in self._walls(moment.astimezone(zone).date()):
            found = wall.replace(tzinfo=zone).astimezone(UTC).astimezone(zone)
            if found > seen and found.replace(tzinfo=None) == wall:  # an hour that the zone leaves out has no moment
                seen = found
                yield found

    def _walls(self, first: date) -> Iterator[datetime]:
        fields = self.fields or {}
        for day in self._days(first, fields):
            for hour, minute, second in itertools.product(
                *(sorted(fields[name]) for name in ("hour", "minute", "second"))
            ):
                yield datetime.combine(day, time(hour, minute, second))

    def _days(self, first: date, fields: dict[str, frozenset[int]]) -> Iterator[date]:
        day, last = first, date(_LAST_YEAR, 12, 31)
        while fields and day <= last:
            if (
                day.day in fields["day of month"]
                and day.month in fields["month"]
                and day.isoweekday() % 7 in fields["day of week"]
                and day.year in fields["year"]
            ):
                yield day
            day += timedelta(days=1)

    @property
    def needs_both_days(self) -> bool:
        """Whether day of month and day of week are both narrowed: Temporal wants both to fit, most crons either."""
        fields = self.fields or {}
        return bool(fields) and len(fields["day of month"]) < 31 and len(fields["day of week"]) < 7

    @property
    def may_mean_seconds(self) -> bool:
        """Whether there are six fields and the last says nothing as a year: other crons read the first as seconds."""
        parts = self.text.split()
        return len(parts) == 6 and parts[-1] == "*"


def read_cron(text: str, now: datetime) -> Calendar:
    """What the text says. Raises Misused with the field that is wrong, and for one that never comes after `now`."""
    calendar = _read(text.strip())
    if not next(calendar.after(now, UTC), None):
        raise _misused(calendar.text, "such a day never comes")
    return calendar


def _read(text: str) -> Calendar:
    if every := _EVERY.fullmatch(text.lower()):
        parts = re.findall(r"([0-9]+)([dhms])", every[1])
        seconds = sum(int(number) * _UNITS[unit] for number, unit in parts)
        if not 60 <= seconds <= 366 * 86_400:
            raise _misused(text, "it must be a minute at least and a year at most")
        return Calendar(text, every=timedelta(seconds=seconds))
    if text.startswith("@") and text.lower() not in _ALIASES:
        raise _misused(text, f"of this kind there is {', '.join(_ALIASES)} and @every 12h")
    if "TZ=" in text:
        raise _misused(text, "the zone does not belong into it", "Give it with --timezone Europe/Berlin.")
    if "#" in text:
        raise _misused(text, "Temporal takes what follows # for a remark")
    parts = _ALIASES.get(text.lower(), text).split()
    if len(parts) not in _FIELDS:
        raise _misused(text, f"it has {len(parts)} of the 5 fields (6 with a year, 7 with seconds in front too)")
    told = {field.name: _values(field, part, text) for field, part in zip(_FIELDS[len(parts)], parts, strict=True)}
    years = frozenset(range(_YEAR.low, _YEAR.high + 1))
    return Calendar(text, fields={_SECOND.name: frozenset({0}), _YEAR.name: years, **told})


def _values(field: _Field, part: str, text: str) -> frozenset[int]:
    found: set[int] = set()
    for piece in part.split(","):
        span, slash, step = piece.partition("/")
        first, dash, last = span.partition("-")
        low = field.low if span == "*" else _number(field, first, text)
        high = field.high if span == "*" or (slash and not dash) else _number(field, last, text) if dash else low
        if low > high:
            raise _misused(text, f"the {field.name} goes from {first} back to {last}")
        if slash and not (step.isascii() and step.isdecimal() and int(step)):
            raise _misused(text, f"{step!r} after / in the {field.name} is no step")
        found |= set(range(low, high + 1, int(step) if slash else 1))
    return frozenset(field.low if value == field.also and field.also else value for value in found)


def _number(field: _Field, word: str, text: str) -> int:
    if word.lower() in field.words:
        return field.words.index(word.lower()) + field.low
    number = int(word) if word.isascii() and word.isdecimal() and len(word) < 5 else -1
    high = max(field.high, field.also)
    if not field.low <= number <= high:
        names = f", or {field.words[0]} to {field.words[-1]}" if field.words else ""
        raise _misused(text, f"the {field.name} {word!r} is none: it goes from {field.low} to {high}{names}")
    return number


def _misused(text: str, why: str, how: str = _HOW) -> Misused:
    return Misused(f"The cron expression {text[:80]!r} cannot be used: {why}.", how)


def known_zone(name: str) -> str:
    """The zone's name. Raises Misused with those that are written alike. Where this machine has no list of them, the
    server decides."""
    zones = available_timezones() - {"localtime"}
    if not zones or name in zones:
        return name
    folded = {zone.casefold(): zone for zone in zones} | {zone.rpartition("/")[2].casefold(): zone for zone in zones}
    asked = name.casefold().replace(" ", "_")
    close = [folded[one] for one in difflib.get_close_matches(asked, folded, n=3, cutoff=0.6)]
    meant = f"Did you mean {' or '.join(dict.fromkeys(close))}?" if close else "Name a city's, such as Europe/Berlin."
    raise Misused(f"There is no time zone {name[:80]!r}.", meant)


def zone_here(name: str) -> tzinfo:
    """The zone as this machine knows it, else UTC: what is shown is right then too, only not in its words."""
    try:
        return ZoneInfo(name or "UTC")
    except (KeyError, ValueError, OSError):  # ZoneInfoNotFoundError is a KeyError
        return UTC


def moment(at: datetime, zone: tzinfo) -> str:
    """`Mon 24 Nov 03:00 CET`."""
    there = at.astimezone(zone)
    return f"{there:%a} {there.day} {there:%b %H:%M %Z}"


def spelled_spec(spec: ScheduleSpec) -> str:
    """When a schedule runs, in one line: as cron where it can be said so, however it was typed in."""
    told = [*spec.cron_expressions, *(_cron(one) for one in spec.calendars)]
    for interval in spec.intervals:
        offset = f" after {interval.offset}" if interval.offset else ""
        told.append(f"@every {_short(interval.every)}{offset}")
    return "; ".join(told)


def _short(every: timedelta) -> str:
    seconds = int(every.total_seconds())
    for letter, unit in _UNITS.items():
        if seconds % unit == 0:
            return f"{seconds // unit}{letter}"
    return f"{seconds}s"


def _cron(calendar: ScheduleCalendarSpec) -> str:
    told = (calendar.minute, calendar.hour, calendar.day_of_month, calendar.month, calendar.day_of_week)
    parts = [_ranges(ranges, field) for ranges, field in zip(told, _USUAL, strict=True)]
    year, second = _ranges(calendar.year, _YEAR), _ranges(calendar.second, _SECOND)
    if second != "0":
        return " ".join((second, *parts, year))
    return " ".join(parts if year == "*" else (*parts, year))


def _ranges(ranges: Sequence[ScheduleRange], field: _Field) -> str:
    if not ranges:  # a year that is not told is any, everything else the lowest
        return "*" if field is _YEAR else str(field.low)
    return ",".join(_range(one, field) for one in ranges)


def _range(one: ScheduleRange, field: _Field) -> str:
    end = max(one.end, one.start)
    span = "*" if (one.start, end) == (field.low, field.high) else f"{one.start}-{end}" if end > one.start else ""
    span = span or str(one.start)
    return f"{span}/{one.step}" if one.step > 1 else span
