from __future__ import annotations

import re
from collections.abc import Iterator

from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    build_schema,
    is_specified_directive,
    is_specified_scalar_type,
)

from graphql_runs.schema.build import print_schema

SCHEMA = build_schema(print_schema())


def parts() -> Iterator[tuple[str, str | None]]:
    """Everything that a reader of the schema meets, by a name of its own, with its description."""
    for name, kind in SCHEMA.type_map.items():
        if name.startswith("__") or is_specified_scalar_type(kind):
            continue
        yield name, kind.description
        if isinstance(kind, GraphQLObjectType | GraphQLInterfaceType):
            for key, field in kind.fields.items():
                yield f"{name}.{key}", field.description
                yield from ((f"{name}.{key}({arg})", given.description) for arg, given in field.args.items())
        if isinstance(kind, GraphQLInputObjectType):
            yield from ((f"{name}.{key}", given.description) for key, given in kind.fields.items())
        if isinstance(kind, GraphQLEnumType):
            yield from ((f"{name}.{key}", value.description) for key, value in kind.values.items())


def test_everything_is_described() -> None:
    found = dict(parts())
    assert len(found) > 500
    assert [name for name, description in found.items() if not (description or "").strip()] == []


def test_descriptions_are_sentences() -> None:
    wrong = [
        f"{name}: {text}"
        for name, text in parts()
        if text and (text != text.strip() or not re.search(r"[.!…`)]$", text) or "  " in text)
    ]
    assert wrong == []


def test_nodes_have_types_of_their_own() -> None:
    node = SCHEMA.get_type("Node")
    assert isinstance(node, GraphQLInterfaceType)
    assert {kind.name for kind in SCHEMA.get_possible_types(node)} == {
        "Artifact", "Cluster", "Experiment", "LogFile", "Metric", "Run", "Source", "Workspace",
    }  # fmt: skip


def test_pages_are_those_of_relay() -> None:
    for name, kind in SCHEMA.type_map.items():
        if name.endswith("Connection"):
            assert isinstance(kind, GraphQLObjectType)
            assert {"edges", "nodes", "pageInfo"} <= set(kind.fields)
            assert str(kind.fields["edges"].type) == f"[{name.removesuffix('Connection')}Edge!]!"


def test_no_directives_but_those_of_graphql() -> None:
    assert [str(directive) for directive in SCHEMA.directives if not is_specified_directive(directive)] == []


def test_what_may_be_left_out_has_no_default_of_null() -> None:
    assert "= null" not in print_schema()
