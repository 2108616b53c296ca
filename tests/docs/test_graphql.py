"""GraphQL blocks of the docs are valid against the schema that is served."""

from pathlib import Path

import pytest
from graphql import (
    DocumentNode,
    GraphQLError,
    GraphQLSchema,
    InputObjectTypeDefinitionNode,
    InterfaceTypeDefinitionNode,
    ObjectTypeDefinitionNode,
    OperationDefinitionNode,
    TypeDefinitionNode,
    build_schema,
    parse,
    print_ast,
    validate,
)

from tests.docs.pages import blocks
from tests.repo.tree import ROOT

WITH_FIELDS = (InputObjectTypeDefinitionNode, InterfaceTypeDefinitionNode, ObjectTypeDefinitionNode)


@pytest.fixture(scope="module")
def schema_text() -> str:
    return (ROOT / "schema.graphql").read_text()


@pytest.fixture(scope="module")
def schema(schema_text: str) -> GraphQLSchema:
    return build_schema(schema_text)


def signatures(document: DocumentNode) -> set[str]:
    """The types that a schema text defines, and each field with its type, as lines to compare."""
    found = set()
    for definition in document.definitions:
        if isinstance(definition, TypeDefinitionNode):
            found.add(f"{definition.kind} {definition.name.value}")
        if isinstance(definition, WITH_FIELDS):
            for field in definition.fields or ():
                found.add(f"{definition.name.value}.{field.name.value}: {print_ast(field.type)}")
    return found


def test_operations_are_valid(schema: GraphQLSchema) -> None:
    problems = []
    for block in blocks("graphql"):
        try:
            errors = validate(schema, parse(block.code))
        except GraphQLError as error:
            errors = [error]
        problems += [f"{block.where}: {error.message}" for error in errors]
    assert problems == []


def test_schema_excerpts_say_what_the_schema_says(schema_text: str) -> None:
    served = signatures(parse(schema_text))
    problems = []
    for block in blocks("graphql-schema", "sdl"):
        problems += [
            f"{block.where}: no {line} in schema.graphql" for line in signatures(parse(block.code)) - served
        ]
    assert problems == []


@pytest.mark.parametrize("operation", ["query", "mutation", "subscription"])
def test_every_kind_of_operation_is_shown(operation: str) -> None:
    shown = {
        definition.operation.value
        for block in blocks("graphql")
        for definition in parse(block.code).definitions
        if isinstance(definition, OperationDefinitionNode)
    }
    assert operation in shown


@pytest.mark.parametrize("operation", ["query", "subscription"])
def test_the_readme_shows_a_query_and_a_subscription(operation: str) -> None:
    shown = {
        definition.operation.value
        for block in blocks("graphql")
        if block.page == Path("README.md")
        for definition in parse(block.code).definitions
        if isinstance(definition, OperationDefinitionNode)
    }
    assert operation in shown
