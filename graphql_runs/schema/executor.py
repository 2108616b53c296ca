"""Executing plain fields at the speed of Python.

Most of an answer is plain: attributes that need no arguments, no context and no waiting, and small objects made of such
attributes. graphql-core takes each through the same steps as a resolver that may do anything (a path, an info object,
checks for awaitables), some 5 µs a field; here they are read straight from their value, and all others go the usual way.
What comes out is the same: a field that cannot be had the short way, because of an error or a null where none may be, is
left to graphql-core, which reports it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from graphql import (
    GraphQLEnumType,
    GraphQLField,
    GraphQLObjectType,
    GraphQLSchema,
    get_named_type,
    get_nullable_type,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
)  # fmt: skip
from graphql.pyutils import Path
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext
from strawberry.schema.schema_converter import GraphQLCoreConverter
from strawberry.types.field import StrawberryField

from graphql_runs.schema.field import ComputedField

Leaf = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Nested:
    """A field of objects that are plain all the way down. `many`: it is a list of them."""

    get: Leaf
    kind: GraphQLObjectType
    many: bool


Plain = Leaf | Nested
PlainFields = dict[str, dict[str, Plain]]
"""By the names of type and field."""
_AS_THEY_ARE = {"String": str, "ID": str, "Boolean": bool}


class _NotPlain(Exception):
    """This value is not to be had the short way."""


def plain_fields(schema: GraphQLSchema) -> PlainFields:
    """The fields of a schema that follow from their source alone."""
    types = [
        kind
        for name, kind in schema.type_map.items()
        if isinstance(kind, GraphQLObjectType) and name[:2] != "__"
    ]
    found: PlainFields = {kind.name: {"__typename": _constant(kind.name)} for kind in types}
    whole: set[str] = set()
    # Types of leaves first, then types of those types, until nothing is added.
    while True:
        before = len(whole)
        for kind in types:
            plain = found[kind.name]
            plain |= {
                name: made
                for name, field in kind.fields.items()
                if (made := _plain(field, whole)) is not None
            }
            # Types with interfaces are chosen by their value, which takes the usual way.
            if len(plain) == len(kind.fields) + 1 and not kind.interfaces:
                whole.add(kind.name)
        if len(whole) == before:
            return found


class Executor(StrawberryGraphQLCoreExecutionContext):
    """Strawberry's executor, with a short way for plain fields."""

    def execute_fields(
        self,
        parent_type: GraphQLObjectType,
        source_value: Any,
        path: Path | None,
        grouped_field_set: dict[str, Any],
        position_context: Any,
    ) -> Any:
        """The fields of one object, by response name; an awaitable of them when some have to be awaited."""
        plain = (
            self.schema.extensions["plain fields"][parent_type.name] if parent_type.name[:2] != "__" else {}
        )
        values: dict[str, Any] = {}
        others: dict[str, Any] = {}
        for name, details in grouped_field_set.items():
            field = plain.get(details[0].node.name.value)
            if field is None:
                others[name] = details
                continue
            try:
                values[name] = (
                    self._nested(field, source_value, details)
                    if type(field) is Nested
                    else field(source_value)
                )
            # Whatever it is, graphql-core meets it again and reports it.
            except Exception:
                others[name] = details
        if not others:
            return values
        found: Any = super().execute_fields(parent_type, source_value, path, others, position_context)
        if self.is_awaitable(found):
            return _later(grouped_field_set, values, found)
        return _together(grouped_field_set, values, found)

    def _nested(self, field: Nested, source: Any, details: Any) -> Any:
        found = field.get(source)
        kind = field.kind
        selected = self.collect_subfields(kind, details).grouped_field_set
        if field.many:
            return [self._whole(kind, item, selected) for item in found]
        return None if found is None else self._whole(kind, found, selected)

    def _whole(self, kind: GraphQLObjectType, source: Any, selected: Mapping[str, Any]) -> dict[str, Any]:
        plain: dict[str, Plain] = self.schema.extensions["plain fields"][kind.name]
        values: dict[str, Any] = {}
        for name, details in selected.items():
            field = plain[details[0].node.name.value]
            values[name] = (
                self._nested(field, source, details) if isinstance(field, Nested) else field(source)
            )
        return values


async def _later(
    names: Mapping[str, Any], values: dict[str, Any], others: Awaitable[dict[str, Any]]
) -> dict[str, Any]:
    return _together(names, values, await others)


def _together(names: Mapping[str, Any], values: dict[str, Any], others: dict[str, Any]) -> dict[str, Any]:
    """All values in the order in which they were selected."""
    return {
        name: values[name] if name in values else others[name]
        for name in names
        if name in values or name in others
    }


def _plain(field: GraphQLField, whole: set[str]) -> Plain | None:
    definition = field.extensions.get(GraphQLCoreConverter.DEFINITION_BACKREF)
    if not isinstance(definition, StrawberryField) or not definition.is_basic_field:
        return None
    get = definition.compute if isinstance(definition, ComputedField) else attrgetter(definition.python_name)
    kind, nullable = get_nullable_type(field.type), not is_non_null_type(field.type)
    if isinstance(kind, GraphQLEnumType):
        return _enum(get, kind, nullable)
    if is_leaf_type(kind):
        return _leaf(get, kind.coerce_output_value, _AS_THEY_ARE.get(kind.name), nullable)
    named = get_named_type(field.type)
    if isinstance(named, GraphQLObjectType) and named.name in whole:
        if kind is named:
            return Nested(get if nullable else _present(get), named, many=False)
        # A list of things that are all there; any other shape takes the usual way.
        if (
            is_list_type(kind)
            and not nullable
            and is_non_null_type(kind.of_type)
            and kind.of_type.of_type is named
        ):
            return Nested(get, named, many=True)
    return None


def _leaf(get: Leaf, coerce: Leaf, same: type | None, nullable: bool) -> Leaf:
    def leaf(source: Any) -> Any:
        value = get(source)
        if type(value) is same:
            return value
        return _null(nullable) if value is None else coerce(value)

    return leaf


def _enum(get: Leaf, kind: GraphQLEnumType, nullable: bool) -> Leaf:
    names = {value.value: name for name, value in kind.values.items()}

    def leaf(source: Any) -> Any:
        value = get(source)
        return _null(nullable) if value is None else names[value]

    return leaf


def _present(get: Leaf) -> Leaf:
    def present(source: Any) -> Any:
        value = get(source)
        return _null(False) if value is None else value

    return present


def _constant(value: str) -> Leaf:
    return lambda _: value


def _null(nullable: bool) -> None:
    if not nullable:
        raise _NotPlain
