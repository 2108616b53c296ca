"""From the text of a filter to its conditions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from graphql_runs.model.check import check_compare, is_number, name_of
from graphql_runs.model.errors import InvalidInput, InvalidText
from graphql_runs.model.filter import (
    Ancestor,
    And,
    Attribute,
    AttributeField,
    Bag,
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
    Stat,
    Under,
)
from graphql_runs.model.status import RunStatus, StatusClass, status_from
from graphql_runs.model.time import Micros, from_text
from graphql_runs.read.where.grammar import at, tree_of
from graphql_runs.read.where.words import ENTITIES, FLAGS, STATS, TIMES, advice, attribute_of, folded

if TYPE_CHECKING:
    from lark import Token, Tree

_OPS = {
    "=": Op.EQ, "==": Op.EQ, "!=": Op.NE, "<>": Op.NE, "<": Op.LT, "<=": Op.LTE, ">": Op.GT, ">=": Op.GTE,
    "like": Op.LIKE, "ilike": Op.ILIKE, "contains": Op.CONTAINS,
    "rlike": Op.REGEX, "regexp": Op.REGEX, "~": Op.REGEX, "!~": Op.REGEX,
}  # fmt: skip
_DEEPER = frozenset({"any", "all", "negated", "child", "ancestor"})
_DIGITS = 400
"""Digits of the longest number that is read: the largest double has 309."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much a text may ask for: characters, levels of nesting, conditions, entries of a list, characters of a regular expression."""

    length: int = 10_000
    depth: int = 16
    conditions: int = 500
    values: int = 1000
    regex: int = 1000


def parse(text: str, now: Micros, bounds: Bounds = Bounds()) -> RunFilter | None:
    """The conditions of a text, None for a blank one. `now` decides which runs are stale.

    Raises InvalidText with line and column of what is wrong or too much.
    """
    if len(text) > bounds.length:
        raise at(text, bounds.length, f"the text has {len(text)} characters, the limit is {bounds.length}")
    if not text.strip():
        return None
    tree = tree_of(text)
    _check_size(text, tree, bounds)
    [found] = tree.children
    return _Reader(text, now, bounds).condition(found)


def _check_size(text: str, tree: Tree[Token], bounds: Bounds) -> None:
    # Without recursion, which is what this bounds.
    waiting, conditions = [(tree, 0)], 0
    while waiting:
        part, depth = waiting.pop()
        depth += part.data in _DEEPER
        conditions += part.data not in ("field", "number", "start")
        if depth > bounds.depth:
            raise at(text, _start(part), f"conditions are nested deeper than {bounds.depth} levels")
        if conditions > bounds.conditions:
            raise at(text, 0, f"there are more than {bounds.conditions} conditions")
        waiting += [(child, depth) for child in part.children if not isinstance(child, str)]


def _start(part: Tree[Token] | Token) -> int:
    """Where a part begins in the text."""
    while not isinstance(part, str):
        if not part.children:
            return 0
        part = part.children[0]
    return part.start_pos or 0


class _Reader:
    def __init__(self, text: str, now: Micros, bounds: Bounds) -> None:
        self._text = text
        self._now = now
        self._bounds = bounds

    def condition(self, tree: Tree[Token] | Token) -> RunFilter:
        """The condition of a part of the tree."""
        assert not isinstance(tree, str)
        parts = tree.children
        match str(tree.data):
            case "any":
                return Or(tuple(map(self.condition, parts)))
            case "all":
                return And(tuple(map(self.condition, parts)))
            case "negated":
                return Not(self.condition(parts[0]))
            case "child":
                return Child(self.condition(parts[0]))
            case "ancestor":
                return Ancestor(self.condition(parts[0]))
            case "below":
                run, root = (_unquoted(part) for part in _tokens(parts))
                return Under(run, root)
            case "constant":
                return And(()) if _tokens(parts)[0].type == "TRUE" else Or(())
        field = self._flag_or_field(parts[0])
        tokens = _tokens(parts[1:])
        if isinstance(field, str):
            return self._flag(field, str(tree.data), tokens, parts[0])
        match str(tree.data):
            case "compare":
                return self._compare(field, _OPS[tokens[0]], tokens[1])
            case "member":
                return self._member(field, tokens)
            case "null":
                return Compare(field, Op.EXISTS, bool(tokens))
        return self._found(field, tokens)

    def _compare(self, field: Field, op: Op, token: Token) -> Compare:
        return self._checked(Compare(field, op, self._operand(field, token)), token)

    def _member(self, field: Field, tokens: Sequence[Token]) -> Compare:
        op = Op.NOT_IN if tokens and tokens[0].type == "NOT" else Op.IN
        tokens = [token for token in tokens if token.type != "NOT"]
        if len(tokens) > self._bounds.values:
            message = f"the list has {len(tokens)} entries, the limit is {self._bounds.values}"
            raise self._error(tokens[self._bounds.values], message)
        values = [self._operand(field, token) for token in tokens]
        texts = [value for value in values if isinstance(value, str)]
        numbers = [value for value in values if not isinstance(value, str)]
        if texts and numbers:
            raise self._error(tokens[0], "a list is of texts or of numbers, not of both")
        operand: Operand = tuple(texts) if texts else tuple(numbers)
        compare = Compare(field, op, operand)
        return self._checked(compare, tokens[0]) if tokens else compare

    def _found(self, field: Field, tokens: Sequence[Token]) -> RunFilter:
        """LIKE and its kin; negated they need a value too, as every comparison does."""
        *words, token = tokens
        negated = words[0].type in ("NOT", "NO_MATCH")
        op = _OPS[words[-1].lower()]
        operand = _unquoted(token)
        if op is Op.REGEX and len(operand) > self._bounds.regex:
            message = (
                f"the regular expression has {len(operand)} characters, the limit is {self._bounds.regex}"
            )
            raise self._error(token, message)
        found = self._checked(Compare(field, op, operand), token)
        return And((Compare(field, Op.EXISTS, True), Not(found))) if negated else found

    def _flag(self, flag: str, kind: str, tokens: Sequence[Token], place: Tree[Token] | Token) -> RunFilter:
        if (
            kind != "compare"
            or _OPS[tokens[0]] not in (Op.EQ, Op.NE)
            or tokens[1].type not in ("TRUE", "FALSE")
        ):
            raise at(self._text, _start(place), f"{flag} is written {flag} = true or {flag} = false")
        positive = (tokens[1].type == "TRUE") is (_OPS[tokens[0]] is Op.EQ)
        if flag == "stale":
            held: RunFilter = Compare(AttributeField(Attribute.STALE_AT), Op.LT, self._now)
            return held if positive else Not(held)
        attribute = Attribute.TRASHED_AT if flag == "trashed" else Attribute.ALIAS_OF
        return Compare(AttributeField(attribute), Op.EXISTS, positive)

    def _flag_or_field(self, part: Tree[Token] | Token) -> Field | str:
        assert not isinstance(part, str)
        if part.data == "number":
            stat, of = part.children
            field = self._flag_or_field(of)
            if not isinstance(field, MetricField):
                raise at(self._text, _start(of), f"{stat}(…) is of a metric, such as {stat}(metrics.loss)")
            return MetricField(field.name, STATS[str(stat).lower()])
        *entity, name = _tokens(part.children)
        if not entity:
            return self._attribute(name)
        kind = ENTITIES.get(_unquoted(entity[0]).lower())
        if kind is None:
            known = "metrics, params, tags, properties, identities or attributes"
            raise self._error(entity[0], f"{str(entity[0])!r} is unknown: before the dot goes {known}")
        if kind is Attribute:
            return self._attribute(name)
        key = _unquoted(name)
        return BagField(kind, key) if isinstance(kind, Bag) else MetricField(key, Stat.LAST)

    def _attribute(self, token: Token) -> Field | str:
        name = _unquoted(token)
        if folded(name) in FLAGS:
            return folded(name)
        attribute = attribute_of(name)
        if attribute is None:
            raise self._error(token, f"there is no attribute {name[:80]!r}: {advice(name)}")
        return AttributeField(attribute)

    def _operand(self, field: Field, token: Token) -> str | int | float:
        if token.type in ("TRUE", "FALSE"):
            raise self._error(token, f"{name_of(field)} is not true or false; a text goes in quotes")
        if token.type == "NUMBER":
            number = self._number(token)
            return number if not _is_time(field) else self._micros(token, number)
        text = _unquoted(token)
        match field:
            case AttributeField(Attribute.STATUS):
                return self._status(token, text)
            case AttributeField(Attribute.STATUS_CLASS):
                if text.upper() not in StatusClass.__members__:
                    raise self._error(token, f"{text[:80]!r} is none of {', '.join(StatusClass)}")
                return text.upper()
        if _is_time(field):
            try:
                return from_text(text)
            except (ValueError, OverflowError) as error:
                written = "'2026-01-31T12:00:00Z' or milliseconds since 1970"
                raise self._error(
                    token, f"{text[:80]!r} is not a time; times are written {written}"
                ) from error
        if is_number(field):
            raise self._error(token, f"{name_of(field)} is compared with a number, without quotes")
        return text

    def _number(self, token: Token) -> int | float:
        if len(token) > _DIGITS + 2:
            raise self._error(token, f"the number has {len(token)} characters, the limit is {_DIGITS}")
        return int(token) if token.lstrip("+-").isdecimal() else float(token)

    def _micros(self, token: Token, milliseconds: float) -> Micros:
        try:
            return milliseconds * 1000 if isinstance(milliseconds, int) else round(milliseconds * 1000)
        except (ValueError, OverflowError) as error:
            raise self._error(token, f"{token} is not a time") from error

    def _status(self, token: Token, word: str) -> str:
        status = status_from(word)
        if status is RunStatus.UNKNOWN and folded(word) != "unknown":
            raise self._error(token, f"{word[:80]!r} is no status; they are {', '.join(RunStatus)}")
        return status.value

    def _checked(self, compare: Compare, token: Token) -> Compare:
        try:
            check_compare(compare)
        except InvalidText as error:
            # Into the quotes, as far as the place in the pattern.
            pattern = _unquoted(token)
            place = sum(len(line) + 1 for line in pattern.split("\n")[: error.line - 1]) + error.column - 1
            doubled = pattern[:place].count(token[0])
            raise at(self._text, (token.start_pos or 0) + 1 + place + doubled, error.message) from error
        except InvalidInput as error:
            raise self._error(token, error.message) from error
        return compare

    def _error(self, token: Token, message: str) -> InvalidText:
        return at(self._text, token.start_pos or 0, message)


def _is_time(field: Field) -> bool:
    return isinstance(field, AttributeField) and field.attribute in TIMES


def _tokens(parts: Sequence[Tree[Token] | Token]) -> list[Token]:
    return [part for part in parts if isinstance(part, str)]


def _unquoted(token: Token) -> str:
    if token.type in ("TEXT", "QUOTED", "MARKED"):
        return token[1:-1].replace(token[0] * 2, token[0])
    return str(token)
