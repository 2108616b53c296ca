"""Looking ahead: which fields an operation selects below the one being resolved."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from graphql import (
    FieldNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    SelectionSetNode,
    StringValueNode,
    VariableNode,
)  # fmt: skip

from graphql_runs.schema.context import Info


def selects(info: Info, *path: str) -> bool:
    """True when fields of these names, each within the one before, are selected below this one. Aliases and fragments are
    seen through; `@skip` and `@include` are not looked at, so the answer errs towards yes."""
    return bool(_selected(info, path))


def texts(info: Info, path: Sequence[str], argument: str) -> list[str]:
    """The texts that an argument has in all fields at the end of a path below this one."""
    found = []
    for node in _selected(info, path):
        for given in node.arguments or ():
            if given.name.value == argument:
                value = given.value
                if isinstance(value, VariableNode):
                    found.append(info.variable_values.get(value.name.value))
                elif isinstance(value, StringValueNode):
                    found.append(value.value)
    return [text for text in dict.fromkeys(found) if isinstance(text, str)]


def _selected(info: Info, path: Sequence[str]) -> list[FieldNode]:
    nodes = list(info._raw_info.field_nodes)
    for name in path:
        nodes = [
            found
            for node in nodes
            if node.selection_set is not None
            for found in _fields(info, node.selection_set)
            if found.name.value == name
        ]
    return nodes


def _fields(info: Info, found: SelectionSetNode) -> Iterator[FieldNode]:
    for node in found.selections:
        match node:
            case FieldNode():
                yield node
            case InlineFragmentNode():
                yield from _fields(info, node.selection_set)
            case FragmentSpreadNode():
                yield from _fields(info, info._raw_info.fragments[node.name.value].selection_set)
