"""What a request costs by Linear's published formula: a property 0.1, an object 1, a connection as often as `first`."""

from collections.abc import Mapping
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    IntValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    VariableNode,
)

PAGE = 50
MOST = 10_000
"""Of one query."""


def cost_of(document: DocumentNode, variables: Mapping[str, Any]) -> float:
    fragments = {node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)}

    def of(selected: SelectionSetNode) -> float:
        total = 0.0
        for node in selected.selections:
            if isinstance(node, FieldNode):
                total += 1 + times(node) * of(node.selection_set) if node.selection_set else 0.1
            elif isinstance(node, FragmentSpreadNode):
                total += of(fragments[node.name.value].selection_set)
            else:
                total += of(node.selection_set)  # pyright: ignore[reportAttributeAccessIssue, reportUnknownArgumentType, reportUnknownMemberType]  # an inline fragment
        return total

    def times(node: FieldNode) -> int:
        named = {argument.name.value: argument.value for argument in node.arguments or ()}
        match named.get("first"):
            case IntValueNode() as value:
                return int(value.value)
            case VariableNode() as value:
                return int(variables.get(value.name.value) or PAGE)
            case _:
                inner = node.selection_set.selections if node.selection_set else ()
                is_page = any(isinstance(one, FieldNode) and one.name.value in ("nodes", "edges") for one in inner)
                return PAGE if is_page else 1

    return sum(of(node.selection_set) for node in document.definitions if isinstance(node, OperationDefinitionNode))
