"""The schema as Strawberry runs it: documents parsed and validated once, errors masked, one context for each operation."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import strawberry
from graphql import (
    DocumentNode,
    FieldNode,
    GraphQLError,
    OperationDefinitionNode,
    VariableNode,
    get_operation_ast,
    parse,
    specified_rules,
)  # fmt: skip
from graphql.validation import ASTValidationRule
from strawberry.extensions import SchemaExtension
from strawberry.schema.schema import validate_document
from strawberry.types.execution import ExecutionContext
from strawberry.types.graphql import OperationType
from strawberry.utils.operation import get_operation_type

from graphql_runs.read.identity import Identities
from graphql_runs.schema.context import Context, Info
from graphql_runs.schema.cost import cost_error
from graphql_runs.schema.errors import shown
from graphql_runs.schema.executor import Executor, plain_fields
from graphql_runs.schema.limits import SchemaLimits
from graphql_runs.schema.rules import limit_rule

DOCUMENTS = 512
"""Documents remembered, parsed and validated."""
DOCUMENT_CHARACTERS = 16_384
"""Longer ones are not remembered: they carry data that belongs into variables."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A document, and what is wrong with it."""

    document: DocumentNode
    errors: tuple[GraphQLError, ...]


class RunsSchema(strawberry.Schema):
    """A schema with its limits and its memory."""

    def __init__(self, limits: SchemaLimits, **kwargs: Any) -> None:
        super().__init__(extensions=[Operation], execution_context_class=Executor, **kwargs)
        self._schema.extensions["plain fields"] = plain_fields(self._schema)
        self.limits = limits
        self.identities = Identities()
        self._rule = limit_rule(limits)
        self._remembered = lru_cache(maxsize=DOCUMENTS)(self._prepare)

    def prepare(self, text: str, rules: tuple[type[ASTValidationRule], ...]) -> Prepared:
        """The parsed and validated document. Raises GraphQLSyntaxError."""
        if len(text) > DOCUMENT_CHARACTERS:
            return self._prepare(text, rules)
        return self._remembered(text, rules)

    def problems(self, text: str) -> tuple[GraphQLError, ...]:
        """What is wrong with a document. Raises GraphQLSyntaxError when it is none."""
        return self.prepare(text, tuple(specified_rules)).errors

    def cursor_variable(self, text: str, operation: str | None) -> str | None:
        """The variable that a subscription gives its `after` in, if it is used for nothing else."""
        document = self.prepare(text, tuple(specified_rules)).document
        found = get_operation_ast(document, operation)
        for field in () if found is None else found.selection_set.selections:
            for given in field.arguments or () if isinstance(field, FieldNode) else ():
                if given.name.value == "after" and isinstance(given.value, VariableNode):
                    name = given.value.name.value
                    # Once where it is declared, and once here.
                    return name if len(re.findall(rf"\${name}\b", text)) == 2 else None
        return None

    def operation_type(self, text: str, operation: str | None) -> OperationType | None:
        """Whether an operation of a document is a query, a mutation or a subscription; None if that cannot be told."""
        try:
            return get_operation_type(self.prepare(text, tuple(specified_rules)).document, operation)
        except (GraphQLError, RuntimeError):
            return None

    def _prepare(self, text: str, rules: tuple[type[ASTValidationRule], ...]) -> Prepared:
        try:
            document = parse(text, max_tokens=self.limits.tokens)
            return Prepared(document, tuple(validate_document(self._schema, document, (*rules, self._rule))))
        except RecursionError:
            raise GraphQLError(
                "the document is nested too deeply", extensions={"code": "LIMIT_EXCEEDED"}
            ) from None

    def process_errors(
        self, errors: list[GraphQLError], execution_context: ExecutionContext | None = None
    ) -> None:
        """Nothing: what is worth logging is logged where it is masked."""


class Operation(SchemaExtension):
    """What happens around one operation."""

    _prepared: Prepared | None = None
    _failure = GraphQLError("the document was not parsed")
    _streamed = False
    _executing = False

    def on_operation(self) -> Iterator[None]:
        """A context of its own; in the end errors become what the client may see."""
        context = self.execution_context.context
        if isinstance(context, Context):
            self.execution_context.context = context.fresh()
        yield
        if not self._streamed:
            self._mask(self.execution_context.result)

    def on_parse(self) -> Iterator[None]:
        """Take the document from memory. One that does not parse is left to Strawberry, which reports it."""
        context, schema = self.execution_context, self.execution_context.schema
        assert isinstance(schema, RunsSchema)
        context.parse_options["max_tokens"] = schema.limits.tokens
        try:
            self._prepared = schema.prepare(context.query or "", context.validation_rules)
            context.graphql_document = self._prepared.document
        except GraphQLError as error:
            self._failure = error
        yield

    def on_validate(self) -> Iterator[None]:
        """The errors that were found then, and what the variables make the operation cost."""
        context, schema = self.execution_context, self.execution_context.schema
        assert isinstance(schema, RunsSchema)
        errors = [self._failure] if self._prepared is None else list(self._prepared.errors)
        if not errors and context._provided_operation_name is None and self._several():
            errors = [
                GraphQLError(
                    "the document has several operations: say which one",
                    extensions={"code": "BAD_USER_INPUT", "field": "operationName"},
                )
            ]
        if not errors and context.graphql_document is not None:
            error = cost_error(
                schema._schema,
                context.graphql_document,
                context.operation_name,
                context.variables or {},
                schema.limits,
            )
            errors = [] if error is None else [error]
        context.pre_execution_errors = errors
        self._executing = not errors
        yield

    def on_stream_result(self, result: Any) -> Iterator[None]:
        """Each event of a subscription: masked before it goes out, and the next one sees nothing that this one loaded."""
        self._streamed = True
        self._mask(result)
        yield
        if isinstance(self.execution_context.context, Context):
            self.execution_context.context.renew()

    def _several(self) -> bool:
        """Strawberry would execute the first one."""
        found = () if self._prepared is None else self._prepared.document.definitions
        return sum(isinstance(node, OperationDefinitionNode) for node in found) > 1

    def _mask(self, result: Any) -> None:
        errors: Sequence[GraphQLError] | None = getattr(result, "errors", None)
        if errors:
            result.errors = [shown(error, executing=self._executing) for error in errors]


def identities(info: Info) -> Identities:
    """Who the runs are that this server was asked for."""
    schema = info.schema
    assert isinstance(schema, RunsSchema)
    return schema.identities
