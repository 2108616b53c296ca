"""Building inputs from what graphql-core has checked, without asking Strawberry about each field of each value.

Strawberry resolves the types of an input's fields again for every value. A batch of points is many small inputs, and
comes often, so for the inputs of batches the answer is remembered.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from strawberry.types.arguments import InputContext
from strawberry.types.base import StrawberryContainer, StrawberryList, get_object_definition


def build_directly(*types: type) -> None:
    """Have values of these input types built directly. graphql-core has put defaults in; what is missing is None."""
    for kind in types:
        definition = get_object_definition(kind, strict=True)
        definition.from_input = _from_input


def _from_input(kind: type, value: Mapping[str, Any], context: InputContext) -> Any:
    return _build(kind, value, context)


def _build(kind: type, value: Mapping[str, Any], context: InputContext) -> Any:
    given: dict[str, Any] = {}
    for name, python_name, nested, many in _fields(kind, context.config.name_converter):
        found = value.get(name)
        if nested is not None and found is not None:
            found = (
                [_build(nested, item, context) for item in found] if many else _build(nested, found, context)
            )
        given[python_name] = found
    return kind(**given)


@cache
def _fields(kind: type, names: Any) -> list[tuple[str, str, type | None, bool]]:
    """Of each field: its name in GraphQL and in Python, and the input type of its value or (`many`) of a list's entries."""
    found = []
    for field in get_object_definition(kind, strict=True).fields:
        inner: Any = field.type
        many = False
        while isinstance(inner, StrawberryContainer):
            many = many or isinstance(inner, StrawberryList)
            inner = inner.of_type
        nested = inner if get_object_definition(inner) is not None else None
        found.append((names.from_field(field), field.python_name, nested, many))
    return found
