"""Conditions on what has a name and tags: experiments and logged models."""

from __future__ import annotations

import re
from collections.abc import Mapping

from graphql_runs.model.filter import (
    And,
    Attribute,
    AttributeField,
    Bag,
    BagField,
    Compare,
    Not,
    Op,
    Or,
    RunFilter,
)
from graphql_runs_mlflow.api.fault import invalid


def holds(where: RunFilter, name: str, tags: Mapping[str, str]) -> bool:
    """Whether a condition of a name and tags holds. Raises Fault when it is of something else."""
    match where:
        case And(parts):
            return all(holds(part, name, tags) for part in parts)
        case Or(parts):
            return any(holds(part, name, tags) for part in parts)
        case Not(part):
            return not holds(part, name, tags)
        case Compare(AttributeField(Attribute.NAME), op, operand):
            return _compares(name, op, operand)
        case Compare(BagField(Bag.TAG, key), op, operand):
            return _compares(tags.get(key), op, operand)
    raise invalid(
        "These are filtered by name and tags, with =, !=, IN, LIKE, ILIKE, IS NULL, AND, OR and NOT."
    )


def _compares(value: str | None, op: Op, operand: object) -> bool:
    if op is Op.EXISTS:
        return (value is not None) is operand
    if value is None:
        return False
    match op:
        case Op.EQ:
            return value == operand
        case Op.NE:
            return value != operand
        case Op.IN | Op.NOT_IN if isinstance(operand, tuple):
            return (value in operand) is (op is Op.IN)
        case Op.LIKE | Op.ILIKE:
            pattern = "".join({"%": ".*", "_": "."}.get(letter, re.escape(letter)) for letter in str(operand))
            flags = re.DOTALL | (re.IGNORECASE if op is Op.ILIKE else 0)
            return re.fullmatch(pattern, value, flags) is not None
    raise invalid(f"Names and tags are not compared with {op.value}.")
