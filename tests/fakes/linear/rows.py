"""What the double remembers, one row for each thing, and how lists of them are filtered and paged."""

import operator
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

Row = dict[str, Any]
Comparison = Callable[[Any, Any], bool]
PAGE = 50


class Refused(Exception):
    """Linear says no, with a code of its own."""

    def __init__(self, message: str, code: str = "INPUT_ERROR") -> None:
        super().__init__(message)
        self.code = code


def page(rows: list[Row], arguments: Mapping[str, Any], us: Row) -> Row:
    """The newest first, as Linear pages."""
    if unforeseen := set(arguments) - {"filter", "first", "after", "orderBy", "includeArchived"}:
        raise Refused(f"the double knows no {sorted(unforeseen)}", "UNFORESEEN")
    by = arguments.get("orderBy") or "createdAt"
    fitting = [row for row in rows if fits(row, arguments.get("filter") or {}, us)]
    fitting.sort(key=lambda row: row.get(by, ""), reverse=True)
    after = arguments.get("after")
    start = next((place + 1 for place, row in enumerate(fitting) if row["id"] == after), 0)
    first = arguments.get("first") or PAGE
    some = fitting[start : start + first]
    info = {
        "hasNextPage": start + first < len(fitting),
        "hasPreviousPage": start > 0,
        "startCursor": some[0]["id"] if some else None,
        "endCursor": some[-1]["id"] if some else None,
    }
    return {"nodes": some, "edges": [{"node": row, "cursor": row["id"]} for row in some], "pageInfo": info}


def fits(value: Any, wanted: Mapping[str, Any], us: Row) -> bool:
    return all(_holds(value, name, want, us) for name, want in wanted.items())


def _holds(value: Any, name: str, want: Any, us: Row) -> bool:
    match name:
        case "and":
            return all(fits(value, each, us) for each in want)
        case "or":
            return any(fits(value, each, us) for each in want)
        case "some":
            return any(fits(each, want, us) for each in value)
        case "null":
            return (value is None) == want
        case "isMe":
            return fits(value is us, want, us)
        case "hasBlockedByRelations":
            return fits(any(row["type"] == "blocks" for row in value["inverseRelations"]), want, us)
        case _ if name in _COMPARISONS:
            return value is not None and _COMPARISONS[name](_comparable(value), _comparable(want))
        case _:
            if value is None:
                return False
            if name not in value:
                raise Refused(f"the double knows no filter {name}", "UNFORESEEN")
            return fits(value[name], want, us)


def _comparable(value: Any) -> Any:
    if isinstance(value, str) and value[10:11] == "T":
        return datetime.fromisoformat(value)
    return value


def _folded(test: Comparison) -> Comparison:
    return lambda value, wanted: test(value.casefold(), wanted.casefold())


_COMPARISONS: dict[str, Comparison] = {
    "eq": operator.eq,
    "neq": operator.ne,
    "in": lambda value, wanted: value in wanted,
    "nin": lambda value, wanted: value not in wanted,
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
    "eqIgnoreCase": _folded(operator.eq),
    "containsIgnoreCase": _folded(operator.contains),
}
