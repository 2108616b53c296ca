"""Random GraphQL operations of a schema, with values that mostly mean something to the server, and sometimes nothing at all."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNamedType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    get_named_type,
    is_leaf_type,
    is_required_argument,
    is_required_input_field,
)  # fmt: skip

DEPTH = 7
_TEXTS = [
    "",
    " ",
    "a",
    "%",
    "*",
    "loss",
    "\u0000",
    "é\u2028\U0001f600",
    "\ud7ff\ue000",
    "x" * 3000,
    "[",
    "(a+)+$",
    "'",
    "null",
    "NaN",
]
_INTS = [0, 1, 1, 2, 3, 3, 5, 10, 10, 20, 50, 100, 101, -1, 1000, 2**31 - 1, -(2**31)]
_FLOATS = [0, 0.0, 1.0, 0.5, -0.5, 2, 3, 10, 1000, 1e-300, 1e308, -1e308, 2**31, 2**53 + 1, 2**63, 1e19]
_TIMES = [
    "2023-11-14T22:13:20Z",
    "1970-01-01T00:00:00Z",
    "9999-12-31T23:59:59Z",
    "0001-01-01T00:00:00Z",
    "2023-02-30T00:00:00Z",
    "now",
]
_WHERES = [
    "metrics.loss < 1", "status = 'RUNNING'", "NOT (tags.a = '1' OR params.lr > 0.1)", "metrics.`a b` IS NULL", "name ~ '^c.*'",
    "child(status = 'COMPLETED') AND NOT ancestor(name LIKE '%w%')", "created_at > '2020-01-01'", "min(metrics.loss) IN (1, 2)",
    "(", "metrics.loss <", "'", "params.x RLIKE '['", "duration >= 1e400", "NOT " * 40 + "stale = true",
]  # fmt: skip


_OFTEN = {"run": 12, "workspace": 12, "runTree": 12, "log": 8, "trashRuns": 1, "purgeRuns": 1}
"""How often a field is drawn at the top; others 4. What takes runs away is not to empty the store."""
_GIVEN = {"filter": 0.1, "where": 0.1, "after": 0.08, "offset": 0.08}
"""How often an argument is given that need not be; others 0.3. These leave little to look at."""


class Enum(str):
    """A name, which is written without quotes in a document."""

    __slots__ = ()


@dataclass
class Operation:
    """One operation: its kind, the document, and the variables."""

    kind: str
    query: str
    variables: dict[str, Any]


@dataclass
class Known:
    """Values that the server has given, or that are in its store, by what they are."""

    ids: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    cursors: list[str] = field(default_factory=list)
    places: dict[str, list[str]] = field(default_factory=dict)
    """Values for one argument of one field: `metric.name`."""
    drawn: Counter[str] = field(default_factory=Counter)
    """How often a field with fields of its own was drawn."""
    most: int = 300

    def learn(self, answer: Any, chance: random.Random) -> None:
        """Keep the ids, names and cursors of an answer; of too many, any."""
        for name, value in _leaves(answer):
            pool = self.ids if name == "id" else self.cursors if "ursor" in name else self.names
            if len(value) > 400 or value in pool:
                continue
            if len(pool) < self.most:
                pool.append(value)
            else:
                pool[chance.randrange(self.most)] = value

    def of(self, field: str, name: str, chance: random.Random) -> str | None:
        """A value for an argument of this name, or something below it, at a field."""
        if (places := self.places.get(f"{field}.{name}")) and chance.random() < 0.8:
            return chance.choice(places)
        if name in ("after", "before", "around", "cursor"):
            pools = [self.cursors, self.cursors, self.ids]
        elif name.lower() in ("id", "ids", "run", "runs", "root", "parent", "cluster", "experiment"):
            pools = [self.ids, self.ids, self.names]
        else:
            pools = [self.names, self.names, self.names, self.ids, self.cursors]
        pool = chance.choice(pools)
        return chance.choice(pool) if pool else None


def _leaves(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, part in value.items():
            # An alias ends in the field's name.
            yield from _leaves(part, key.rsplit("_", 1)[-1])
    elif isinstance(value, list):
        for part in value[:20]:
            yield from _leaves(part, name)
    elif isinstance(value, str) and value:
        yield name, value


class Queries:
    """Draws operations. `wild` is how often a value is one that makes little sense."""

    def __init__(
        self, schema: GraphQLSchema, known: Known, chance: random.Random, wild: float = 0.08
    ) -> None:
        self._schema = schema
        self._known = known
        self._chance = chance
        self._wild = wild
        self._aliases = 0
        self._left = 0
        self._width = 1
        self._at = ""
        self._variables: dict[str, Any] = {}
        self._declared: list[str] = []

    def draw(self, kinds: Mapping[str, float]) -> Operation:
        """An operation of one of these kinds, by their weights."""
        kind = self._chance.choices(list(kinds), list(kinds.values()))[0]
        root = {"query": self._schema.query_type, "mutation": self._schema.mutation_type}.get(
            kind, self._schema.subscription_type
        )
        assert root is not None
        self._aliases, self._variables, self._declared = 0, {}, []
        self._left = self._chance.choice([20, 60])
        # The narrow ones get deeper.
        self._width = self._chance.choice([1, 1, 2, 3])
        count = self._chance.choice([1, 1, 2, 3]) if kind == "query" else 1
        names = [name for name in sorted(root.fields) for _ in range(_OFTEN.get(name, 4))]
        chosen = dict.fromkeys(self._chance.choices(names, k=count))
        selected = [self._field(name, root.fields[name], DEPTH, []) for name in chosen]
        declared = f"({', '.join(self._declared)})" if self._declared else ""
        query = f"{kind} Drawn{declared} {{ {' '.join(filter(None, selected))} }}"
        return Operation(kind, query, self._variables)

    # What is selected

    def _field(self, name: str, found: GraphQLField, depth: int, conditions: list[str]) -> str:
        self._left -= 1
        below = self._selection(get_named_type(found.type), depth - 1)
        if below is None:
            return ""
        arguments = [
            f"{argument}: {self._argument(name, argument, taken)}"
            for argument, taken in found.args.items()
            if _required(taken) or self._chance.random() < _GIVEN.get(argument, 0.3)
        ]
        self._aliases += 1
        alias = f"f{self._aliases}_{name}: " if arguments or conditions else ""
        return f"{alias}{name}{'(' + ', '.join(arguments) + ')' if arguments else ''}{below}"

    def _selection(self, kind: GraphQLNamedType, depth: int) -> str | None:
        """The braces after a field; empty for a leaf, None when it is too deep to select anything."""
        if is_leaf_type(kind):
            return ""
        if depth <= 0:
            return None
        parts: list[str] = []
        if isinstance(kind, GraphQLObjectType | GraphQLInterfaceType):
            parts += self._fields(kind, depth, [])
        if isinstance(kind, GraphQLInterfaceType | GraphQLUnionType):
            possible = list(self._schema.get_possible_types(kind))
            for one in self._chance.sample(possible, min(2, len(possible))):
                if inner := self._fields(one, depth, [one.name]):
                    parts.append(f"... on {one.name} {{ {' '.join(inner)} }}")
        return f" {{ {' '.join(parts or ['__typename'])} }}"

    def _fields(
        self, kind: GraphQLObjectType | GraphQLInterfaceType, depth: int, conditions: list[str]
    ) -> list[str]:
        names = sorted(kind.fields)
        leaves = [name for name in names if is_leaf_type(get_named_type(kind.fields[name].type))]
        others = [name for name in names if name not in leaves]
        wanted = [
            *self._chance.sample(leaves, min(self._chance.randint(0, 5), len(leaves))),
            *self._rarest(kind.name, others),
        ]
        wanted += [name for name in ("nodes", "cursor", "id") if name in names and name not in wanted]
        found = []
        for name in wanted:
            leaf = is_leaf_type(get_named_type(kind.fields[name].type))
            if leaf or self._left > 0:
                found.append(self._field(name, kind.fields[name], depth, conditions))
        return [part for part in found if part]

    def _rarest(self, kind: str, names: list[str]) -> list[str]:
        """Some of these fields, rather those that were drawn less often so far."""
        drawn = self._known.drawn
        found: dict[str, None] = {}
        while len(found) < min(self._width, len(names)):
            left = [name for name in names if name not in found]
            weights = [1 / (1 + drawn[f"{kind}.{name}"]) for name in left]
            [name] = self._chance.choices(left, weights)
            drawn[f"{kind}.{name}"] += 1
            found[name] = None
        return list(found)

    # What it is given

    def _argument(self, field: str, name: str, taken: GraphQLArgument) -> str:
        self._at = field
        value = self._value(name, taken.type, 4)
        if self._chance.random() < 0.3:
            variable = f"v{len(self._variables)}"
            self._variables[variable] = value
            self._declared.append(f"${variable}: {taken.type}")
            return f"${variable}"
        return literal(value)

    def _value(self, name: str, kind: GraphQLInputType, depth: int) -> Any:
        if self._chance.random() < self._wild / 20:
            return self._chance.choice([None, [], {}, "", -1, True, 1.5, [[None]]])
        if isinstance(kind, GraphQLNonNull):
            return self._value(name, kind.of_type, depth)
        if isinstance(kind, GraphQLList):
            count = self._chance.choice([0, 1, 1, 2, 3]) if depth > 0 else 0
            return [self._value(name, kind.of_type, depth) for _ in range(count)]
        if isinstance(kind, GraphQLEnumType):
            return Enum(self._chance.choice(sorted(kind.values)))
        if isinstance(kind, GraphQLInputObjectType):
            return self._object(kind, depth - 1)
        return self._leaf(name, kind.name)

    def _object(self, kind: GraphQLInputObjectType, depth: int) -> dict[str, Any]:
        names = sorted(kind.fields)
        if kind.is_one_of:
            # What nests may not nest for ever.
            flat = [
                name
                for name in names
                if not isinstance(get_named_type(kind.fields[name].type), GraphQLInputObjectType)
            ]
            wanted = [self._chance.choice(names if depth > 0 or not flat else flat)]
        else:
            share = 0.0 if depth <= 0 else min(0.5, 2.5 / len(names))
            wanted = [name for name in names if _required(kind.fields[name]) or self._chance.random() < share]
        return {name: self._value(name, kind.fields[name].type, depth) for name in wanted}

    def _leaf(self, name: str, kind: str) -> Any:
        wild = self._chance.random() < self._wild
        match kind:
            case "Boolean":
                return self._chance.random() < 0.5
            case "Int":
                return self._chance.choice(_INTS if wild else _INTS[:10])
            case "Float":
                return self._chance.choice(_FLOATS if wild else _FLOATS[:9])
            case "Number":
                return self._chance.choice([*_FLOATS, "NaN", "Infinity", "-Infinity", str(2**62), "text"])
            case "DateTime":
                return self._chance.choice(_TIMES if wild else _TIMES[:2])
            case "String" | "ID":
                if name == "where":
                    return self._chance.choice(_WHERES)
                known = None if wild else self._known.of(self._at, name, self._chance)
                return known if known is not None else self._chance.choice(_TEXTS)
            case _:
                # A column or JSON.
                return self._chance.choice(
                    [[], [1.0, 2.5], [1, 2, 3], ["NaN", 1], ["a", "b"], [True], {}, 1, "x", [None], [[1]]]
                )


def _required(taken: GraphQLArgument | GraphQLInputField) -> bool:
    if isinstance(taken, GraphQLArgument):
        return is_required_argument(taken)
    return is_required_input_field(taken)


def literal(value: Any) -> str:
    """A value as a document writes it."""
    match value:
        case Enum():
            return str(value)
        case dict():
            return "{" + ", ".join(f"{name}: {literal(part)}" for name, part in value.items()) + "}"
        case list():
            return "[" + ", ".join(map(literal, value)) + "]"
    return json.dumps(value)
