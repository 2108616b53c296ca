"""Fields of GraphQL types that describe themselves, and that cost no more than they must.

A type of this schema is a list of fields; its values are the domain's own frozen values (`model`), so that nothing is
copied. A field reads the attribute of its name, or computes something from the value (`of`), or calls a resolver.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import strawberry
from strawberry.types.arguments import StrawberryArgumentAnnotation
from strawberry.types.field import StrawberryField


class ComputedField(StrawberryField):
    """A field whose value follows from its source alone: no context, no arguments, never awaited."""

    compute: Callable[[Any], Any]

    def get_result(self, source: Any, info: Any, args: list[Any], kwargs: Any) -> Any:
        """The computed value; Strawberry calls this for fields without a resolver."""
        return self.compute(source)

    def __copy__(self) -> ComputedField:
        # Strawberry copies fields of generic types by their constructor, which knows nothing of `compute`.
        copied = super().__copy__()
        copied.compute = self.compute
        return copied


def field(
    description: str,
    resolver: Callable[..., Any] | None = None,
    *,
    of: Callable[[Any], Any] | None = None,
    name: str | None = None,
) -> Any:
    """A field of an output type: an attribute, computed by `of`, or resolved by a resolver; or of an input type."""
    if of is not None:
        computed = ComputedField(python_name=None, graphql_name=name, description=description)
        computed.compute = of
        return computed
    if resolver is not None:
        resolved: Any = strawberry.field(resolver=resolver, name=name, description=description)
        _leave_out(resolved)
        return resolved
    return strawberry.field(name=name, description=description)


def subscription(description: str, resolver: Callable[..., Any]) -> Any:
    """A field of the subscription type; its resolver gives an async generator."""
    resolved: Any = strawberry.subscription(resolver=resolver, description=description)
    _leave_out(resolved)
    return resolved


def _leave_out(resolved: StrawberryField) -> None:
    """Arguments that default to None may be left out; the schema need not say that null is their default."""
    for found in resolved.arguments:
        if found.default is None:
            found.default = strawberry.UNSET


def optional(description: str, default: Any = dataclasses.MISSING, *, name: str | None = None) -> Any:
    """A field of an input type that may be left out; it is None then unless there is a default."""
    return strawberry.field(name=name, description=description, default=default)


def argument(description: str, name: str | None = None) -> StrawberryArgumentAnnotation:
    """The description of an argument, for `Annotated`."""
    return strawberry.argument(description=description, name=name)
