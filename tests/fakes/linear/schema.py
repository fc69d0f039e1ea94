"""Linear's schema with one resolver for all of it: what a row holds, a page of it, or a blank."""

from functools import cache
from pathlib import Path
from typing import Any, cast

from graphql import (
    GraphQLEnumType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLResolveInfo,
    GraphQLSchema,
    build_schema,
    get_named_type,
)

from tests.fakes.linear.rows import Row, page
from tests.fakes.linear.world import World

SDL = Path(__file__).parents[2] / "contracts" / "linear" / "schema.graphql"
_BLANKS: dict[str, Any] = {
    "Boolean": False,
    "Int": 0,
    "Float": 0.0,
    "JSONObject": {},
    "JSON": {},
    "DateTime": "2026-01-01T00:00:00.000Z",
}


@cache
def linear_schema() -> GraphQLSchema:
    """Parsed once for a run of tests: it takes most of a second."""
    return build_schema(SDL.read_text(), assume_valid_sdl=True)


def resolve(source: Any, info: GraphQLResolveInfo[World], **arguments: Any) -> Any:
    """The field of a row. The root answers by itself; lists come in pages; what must be there and is not is blank."""
    world = info.context
    if info.parent_type.name == "Mutation":
        return world.write(info.field_name, arguments)
    if info.parent_type.name == "Query" and "id" in arguments and not info.field_name.endswith("s"):
        return world.one(info.field_name, arguments["id"])
    row: Row = source
    value, kind = row.get(info.field_name), cast(Any, info.return_type)
    if cast(Any, get_named_type(kind)).name.endswith("Connection"):
        return page(value or [], arguments, world.us)
    if value is None and isinstance(kind, GraphQLNonNull):
        return _blank(kind)
    return value


def _blank(kind: Any) -> Any:
    if isinstance(kind.of_type, GraphQLList):
        return []
    named = cast(Any, get_named_type(kind))  # pyright: ignore[reportUnknownVariableType]
    if isinstance(named, GraphQLEnumType):
        return next(iter(named.values))
    if isinstance(named, GraphQLObjectType):
        return Row()
    return _BLANKS.get(named.name, "")
