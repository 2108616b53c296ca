"""From conditions to the text that reads as them."""

from __future__ import annotations

import re

from graphql_runs.model.check import name_of
from graphql_runs.model.errors import InvalidInput
from graphql_runs.model.filter import (
    Ancestor,
    And,
    AttributeField,
    BagField,
    Child,
    Compare,
    Field,
    MetricField,
    Not,
    Op,
    Or,
    RunFilter,
    Stat,
    Under,
)
from graphql_runs.model.time import to_datetime
from graphql_runs.read.where.words import BAGS, TIMES

_PLAIN = re.compile(r"[\w$/:@.-]+")
_SIGNS = {
    Op.EQ: "=", Op.NE: "!=", Op.LT: "<", Op.LTE: "<=", Op.GT: ">", Op.GTE: ">=",
    Op.LIKE: "LIKE", Op.ILIKE: "ILIKE", Op.CONTAINS: "CONTAINS", Op.REGEX: "~",
}  # fmt: skip


def written(where: RunFilter) -> str:
    """The text of a filter: `parse` makes the same filter of it, with `And` and `Or` of a single part as that part.

    Raises InvalidInput when a time is compared with what is none.
    """
    match where:
        case And(()):
            return "TRUE"
        case Or(()):
            return "FALSE"
        case And((part,)) | Or((part,)):
            return written(part)
        case And(parts):
            return " AND ".join(_inside(part, And, Or) for part in parts)
        case Or(parts):
            return " OR ".join(_inside(part, Or) for part in parts)
        case Not(part):
            return f"NOT {_inside(part, And, Or)}"
        case Child(part):
            return f"child({written(part)})"
        case Ancestor(part):
            return f"ancestor({written(part)})"
        case Under(run, root):
            return f"below({_text(run)}, {_text(root)})"
        case Compare():
            return _compare(where)


def _inside(part: RunFilter, *wrapped: type[And | Or]) -> str:
    while isinstance(part, And | Or) and len(part.parts) == 1:
        [part] = part.parts
    text = written(part)
    return f"({text})" if isinstance(part, wrapped) and part.parts else text


def _compare(where: Compare) -> str:
    field, op, operand = where.field, where.op, where.operand
    name = spelled(field)
    if op is Op.EXISTS:
        return f"{name} IS {'NOT ' if operand else ''}NULL"
    if isinstance(operand, tuple):
        values = ", ".join(_value(field, one) for one in operand)
        return f"{name} {'NOT IN' if op is Op.NOT_IN else 'IN'} ({values})"
    return f"{name} {_SIGNS[op]} {_value(field, operand)}"


def spelled(field: Field) -> str:
    """The name of a field in a filter's text."""
    match field:
        case AttributeField(attribute):
            return attribute.value
        case BagField(bag, key):
            return f"{BAGS[bag]}.{_key(key)}"
        case MetricField(name, Stat.LAST):
            return f"metrics.{_key(name)}"
        case MetricField(name, stat):
            return f"{stat.value}(metrics.{_key(name)})"


def _key(key: str) -> str:
    return key if _PLAIN.fullmatch(key) else "`" + key.replace("`", "``") + "`"


def _value(field: Field, value: str | float) -> str:
    if isinstance(value, str):
        return _text(value)
    if not isinstance(field, AttributeField) or field.attribute not in TIMES:
        return repr(value)
    try:
        return _text(to_datetime(int(value)).isoformat())
    except (ValueError, OverflowError) as error:
        raise InvalidInput(f"{name_of(field)} is compared with {value}, which is no time") from error


def _text(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
