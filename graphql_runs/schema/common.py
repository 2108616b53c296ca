"""Small types that many others show."""

from collections.abc import Mapping

import strawberry

from graphql_runs.schema.field import field


def _number(pair: tuple[str, str]) -> float | None:
    try:
        number = float(pair[1])
    except ValueError:
        return None
    return number if abs(number) < float("inf") else None


@strawberry.type(description="A key with its value.")
class KeyValue:
    key: str = field("The key.", of=lambda pair: pair[0])
    value: str = field("The value, as text.", of=lambda pair: pair[1])
    number: float | None = field("The value as a number, if it is a finite one.", of=_number)


@strawberry.input(description="A key with its value.")
class KeyValueInput:
    key: str = field("The key.")
    value: str = field("The value, as text.")


def pairs(values: Mapping[str, str]) -> list[tuple[str, str]]:
    """Keys with their values in alphabetical order, as KeyValue shows them."""
    return sorted(values.items())


def mapping(values: list[KeyValueInput] | None) -> dict[str, str]:
    """What a list of keys and values says; the last of equal keys counts."""
    return {pair.key: pair.value for pair in values or ()}
