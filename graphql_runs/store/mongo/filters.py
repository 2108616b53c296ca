"""Filters as MongoDB queries. Every value of a caller's is a value in the query, never an operator or a name.

Conditions on metrics are about another collection, those on children and ancestors about other documents. They become queries of
their own (`plan`), which `asks_more` tells from what the document of a run can answer alone; so does a regular expression that
the server could take too long over.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from graphql_runs.model.filter import (
    Ancestor,
    And,
    Attribute,
    AttributeField,
    BagField,
    Child,
    Compare,
    Field,
    MetricField,
    Not,
    Op,
    Operand,
    Or,
    RunFilter,
    Under,
)
from graphql_runs.model.regex import compiled
from graphql_runs.store.fields import pattern, stored
from graphql_runs.store.mongo.layout import LIVE, bag_key, path
from graphql_runs.store.mongo.operations import Document, Query

NOTHING: Query = {"_id": {"$in": []}}
EVERYTHING: Query = {"_id": {"$exists": True}}

Below = Mapping[Under, Sequence[str]]
"""The runs below a run, looked up beforehand."""

_COMPARE = {Op.EQ: "$eq", Op.NE: "$ne", Op.LT: "$lt", Op.LTE: "$lte", Op.GT: "$gt", Op.GTE: "$gte"}
# At the end of the text, and only there, in every dialect of regular expressions.
_END = r"(?![\s\S])"
_ANY = r"[\s\S]"


def unders(where: RunFilter | None) -> set[Under]:
    """The conditions on the place in a tree."""
    match where:
        case And(parts) | Or(parts):
            return set().union(*(unders(part) for part in parts)) if parts else set()
        case Not(part) | Child(part) | Ancestor(part):
            return unders(part)
        case Under():
            return {where}
    return set()


def asks_more(where: RunFilter) -> bool:
    """A query on the documents of runs alone cannot answer."""
    match where:
        case And(parts) | Or(parts):
            return any(map(asks_more, parts))
        case Not(part):
            return asks_more(part)
        case Compare(MetricField()) | Child() | Ancestor():
            return True
        case Compare(_, Op.REGEX, operand):
            return compiled(str(operand)).portable is None
    return False


def run_query(parts: Sequence[RunFilter], below: Below) -> Query:
    """Runs for which all parts hold; none of them may ask more."""
    conditions = [condition(part, below) for part in parts]
    if not any(map(_needs_run, parts)):
        conditions.append(LIVE)
    return conditions[0] if len(conditions) == 1 else {"$and": conditions}


def condition(where: RunFilter, below: Below) -> Query:
    """The condition on the document of a run."""
    match where:
        case And(parts):
            return {"$and": [condition(part, below) for part in parts]} if parts else EVERYTHING
        case Or(parts):
            return {"$or": [condition(part, below) for part in parts]} if parts else NOTHING
        case Not(part):
            return {"$nor": [condition(part, below)]}
        case Under():
            return {"_id": {"$in": list(below[where])}}
        case Compare(AttributeField(Attribute.TRASHED_AT), Op.EXISTS, operand):
            # Indexes say whether something is there only if it is.
            return {"in_trash": bool(operand)}
        case Compare(AttributeField(Attribute.ALIAS_OF), Op.EXISTS, operand):
            # Those written by versions that knew no aliases lack it.
            return {"is_alias": True if operand else {"$ne": True}}
        case Compare(AttributeField(attribute), op, operand):
            return _compared(path(attribute), op, operand)
        case Compare(BagField(bag, key), op, operand):
            return _held(bag_key(bag, key), op, operand)
        case Compare() | Child() | Ancestor():
            raise TypeError("a condition on metrics or other runs is no query on the document of a run")


def metric_condition(field: MetricField, op: Op, operand: Operand) -> Query:
    """The condition on the document of the metric; not for `exists: false`, which is about there being none."""
    return {"$and": [{"name": field.name}, _compared(field.stat.value, op, operand)]}


def absent(where: Compare) -> bool:
    """The condition asks for there being no value."""
    return where.op is Op.EXISTS and not where.operand


def equals(parts: Sequence[RunFilter], attribute: Attribute) -> list[str] | None:
    """The only values that an attribute may have, None when it may have any."""
    for part in parts:
        match part:
            case Compare(AttributeField(name), Op.EQ, str(operand)) if name is attribute:
                return [operand]
            case Compare(AttributeField(name), Op.IN, tuple(operand)) if name is attribute:
                return [str(one) for one in operand]
    return None


def containing(text: str) -> Query:
    """Contains a text; the case of ASCII letters does not matter."""
    return {"$regex": _folded(text)}


def place_of(field: Field) -> str:
    """The part of the document of a run that holds a field."""
    return path(field.attribute) if isinstance(field, AttributeField) else "bags"


def text_of(document: Document, field: Field) -> str | None:
    """The text of a field in the document of a run."""
    match field:
        case AttributeField(attribute):
            found: str | None = document.get(path(attribute))
            return found
        case BagField(bag, key):
            return next((held["v"] for held in document["bags"] if held["k"] == bag_key(bag, key)), None)
    return None


def starting(text: str) -> Query:
    """Starts with a text."""
    return {"$regex": f"^{_literal(text)}"}


def _compared(where: str, op: Op, operand: Operand) -> Query:
    """A field against an operand; false when it is missing."""
    if op is Op.EXISTS:
        return {where: {"$exists": bool(operand)}}
    if isinstance(operand, tuple):
        if op is Op.IN:
            return {where: {"$in": [_bound(one) for one in operand if one == one]}}
        if any(one != one for one in operand):
            return NOTHING
        return {where: {"$exists": True, "$nin": [_bound(one) for one in operand]}}
    if operand != operand:
        return NOTHING
    match op:
        case Op.LIKE:
            return {where: {"$regex": _like(str(operand), fold=False)}}
        case Op.ILIKE:
            return {where: {"$regex": _like(str(operand), fold=True)}}
        case Op.CONTAINS:
            return {where: containing(str(operand))}
        case Op.REGEX:
            return {where: {"$regex": compiled(str(operand)).portable}}
        case Op.NE:
            return {where: {"$exists": True, "$ne": _bound(operand)}}
    return {where: {_COMPARE[op]: _bound(operand)}}


def _held(key: str, op: Op, operand: Operand) -> Query:
    """A tag, param or property against an operand: its text, or the number that it spells where the operand is one."""
    if op is Op.EXISTS:
        held: Query = {"bags": {"$elemMatch": {"k": key}}}
        return held if operand else {"$nor": [held]}
    first = operand[0] if isinstance(operand, tuple) and operand else operand
    compared = _compared("v" if isinstance(first, str | tuple) else "n", op, operand)
    if compared is NOTHING:
        return NOTHING
    return {"bags": {"$elemMatch": {"k": key, **compared}}}


def _needs_run(part: RunFilter) -> bool:
    """What is only reserved has neither attributes nor tags, so that a condition on one leaves it out."""
    match part:
        case Compare(AttributeField(Attribute.ID | Attribute.ROOT)):
            return False
        case Compare(AttributeField() | BagField()):
            return not absent(part)
    return False


def _bound(value: str | float) -> str | float:
    return value if isinstance(value, str) else stored(value)


def _like(text: str, *, fold: bool) -> str:
    write = _folded if fold else _literal
    pieces = pattern(text)
    open_end = pieces[-1:] == [""]
    while pieces[-1:] == [""]:
        pieces.pop()
    written = "".join(_ANY if piece is None else write(piece) if piece else f"{_ANY}*" for piece in pieces)
    return f"^{written}" if open_end else f"^{written}{_END}"


def _literal(text: str) -> str:
    # A pattern ends at a zero byte on the wire.
    return re.escape(text).replace("\0", r"\x00")


def _folded(text: str) -> str:
    """With both cases of ASCII letters; the option for it would fold others too."""
    return "".join(
        f"[{letter.lower()}{letter.upper()}]" if letter.isascii() and letter.isalpha() else _literal(letter)
        for letter in text
    )
