"""Records as JSON documents: one codec for all kinds, shared by every store.

A document is a JSON object of a record's fields by name. Floats that JSON lacks are the words `NaN`, `Infinity` and
`-Infinity`, as in the protobuf mapping (https://protobuf.dev/programming-guides/json/); integers stay exact up to 64 bits. Fields that
a document lacks take their default, so that a field can be added without touching what is stored.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from operator import attrgetter, itemgetter
from typing import Any, TypeVar

import orjson

from graphql_runs.model.errors import InvalidInput, StoreUnavailable

T = TypeVar("T")
Convert = Callable[[Any], Any]

_WORDS = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}


def encode(record: object) -> bytes:
    """The document of a record. Raises InvalidInput when a text is not valid Unicode or an integer needs over 64 bits."""
    kind = type(record)
    codec = _codec(kind)
    try:
        for number in codec.numbers(record):
            # inf - inf and nan - nan are nan, the only value here that differs from 0.
            if number is not None and number - number != 0:
                return orjson.dumps(_spelled(record, codec), default=_plain)
        return orjson.dumps(record, default=_plain)
    except TypeError as error:  # orjson.JSONEncodeError is one
        raise InvalidInput(f"a {kind.__name__} cannot be stored: {error}", field=kind.__name__) from error


def decode(kind: type[T], data: bytes) -> T:
    """The record of a document. Raises StoreUnavailable when it is not one of that kind: the store is damaged."""
    codec = _codec(kind)
    try:
        return codec.build(orjson.loads(data))  # type: ignore[no-any-return] # `codec` is the one of `kind`
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise StoreUnavailable(f"the store is damaged: a {kind.__name__} cannot be read: {error}") from error


@dataclasses.dataclass(frozen=True, slots=True)
class _Codec:
    kind: type
    convert: tuple[tuple[str, Convert], ...]
    """Fields whose JSON is not yet their value."""
    floats: tuple[str, ...]
    numbers: Callable[[Any], tuple[float | None, ...]]
    """The values of `floats`."""
    values: Callable[[dict[str, Any]], tuple[Any, ...]]
    """All fields of a document in their order; KeyError when it lacks one."""

    def build(self, document: dict[str, Any]) -> Any:
        for name, convert in self.convert:
            value = document.get(name)
            if value is not None:
                document[name] = convert(value)
        try:
            # By position: matching forty keywords by name takes twice as long as all the rest.
            return self.kind(*self.values(document))
        except KeyError:
            return self.kind(**document)


_CODECS: dict[type, _Codec] = {}


def _codec(kind: type) -> _Codec:
    found = _CODECS.get(kind)
    if found is None:
        found = _CODECS[kind] = _make(kind)
    return found


def _make(kind: type) -> _Codec:
    hints = typing.get_type_hints(kind)
    floats = tuple(name for name, hint in hints.items() if float in _options(hint))
    convert = tuple((name, made) for name, hint in hints.items() if (made := _converter(hint)) is not None)
    names = [field.name for field in dataclasses.fields(kind)]
    return _Codec(kind, convert, floats, _getter(floats), itemgetter(*names))


def _getter(names: tuple[str, ...]) -> Callable[[Any], tuple[float | None, ...]]:
    if not names:
        return lambda record: ()
    if len(names) == 1:
        [name] = names
        return lambda record: (getattr(record, name),)
    return attrgetter(*names)


def _options(hint: Any) -> tuple[Any, ...]:
    """The types a value may have, None left out."""
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return tuple(option for option in typing.get_args(hint) if option is not types.NoneType)
    return (hint,)


def _converter(hint: Any) -> Convert | None:
    """From parsed JSON to a value of this type; None when they are the same. Raises TypeError for a type without a rule,
    so that a record that could not be read back is noticed when it is first used."""
    options = _options(hint)
    if float in options and set(options) <= {int, float}:
        return _number
    if len(options) != 1:
        raise TypeError(f"no document form for {hint}")
    (option,) = options
    origin, arguments = typing.get_origin(option), typing.get_args(option)
    if option in (str, int, bool):
        return None
    if origin is tuple and arguments[1:] == (Ellipsis,):
        return _sequence(_converter(arguments[0]))
    if origin is Mapping and arguments in ((str, str), (str, int)):
        return None
    if isinstance(option, type) and issubclass(option, Enum):
        return {member.value: member for member in option}.__getitem__
    if isinstance(option, type) and dataclasses.is_dataclass(option):
        codec = _codec(option)
        if not codec.floats:  # `encode` spells non-finite numbers of the record itself only
            return codec.build
    raise TypeError(f"no document form for {hint}")


def _sequence(convert: Convert | None) -> Convert:
    return tuple if convert is None else lambda values: tuple(map(convert, values))


def _number(value: float | int | str) -> float | int:
    return _WORDS[value] if isinstance(value, str) else value


def _spelled(record: object, codec: _Codec) -> dict[str, Any]:
    return dict(_spell(record, codec))


def _spell(record: object, codec: _Codec) -> Iterator[tuple[str, Any]]:
    for field in dataclasses.fields(codec.kind):
        value = getattr(record, field.name)
        if field.name in codec.floats and value is not None and value - value != 0:
            value = "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"
        yield field.name, value


def _plain(value: object) -> object:
    """For orjson: mappings that are not dicts."""
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} has no document form")
