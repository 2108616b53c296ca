"""The parameters of a request: a JSON body, or the query of a GET.

Messages are protocol buffers in JSON (https://protobuf.dev/programming-guides/json/): 64-bit integers may be texts, a double may be "NaN",
"Infinity" and "-Infinity", and null is the same as nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request

from graphql_runs_mlflow.api.fault import invalid

_FLOATS = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}
_INT64 = 1 << 63


@dataclass(frozen=True, slots=True)
class Given:
    """Parameters by name. All methods raise Fault naming the parameter that is wrong."""

    values: Mapping[str, Any]

    @staticmethod
    async def of(request: Request) -> Given:
        """Those of a request, with those in its path."""
        return Given({**(await Given._of_body(request)).values, **request.path_params})

    @staticmethod
    async def _of_body(request: Request) -> Given:
        if request.method == "GET":
            query = request.query_params
            return Given(
                {name: query.getlist(name) if len(query.getlist(name)) > 1 else query[name] for name in query}
            )
        body = await request.body()
        try:
            found = json.loads(body) if body.strip() else {}
        except (ValueError, RecursionError) as error:
            raise invalid(f"the body is not JSON: {error}") from None
        if not isinstance(found, dict):
            raise invalid("the body is not a JSON object")
        return Given(found)

    def text(self, name: str) -> str | None:
        """A text, None when it is not given."""
        value = self.values.get(name)
        if value is not None and not isinstance(value, str):
            raise self._wrong(name, "a text")
        return value

    def needed(self, *names: str) -> str:
        """A text that is needed, under the first of its names that is given."""
        for name in names:
            if value := self.text(name):
                return value
        raise invalid(f"Missing value for required parameter '{names[0]}'.")

    def integer(self, name: str) -> int | None:
        """A 64-bit integer, None when it is not given."""
        value = self.values.get(name)
        if value is None:
            return None
        if isinstance(value, str) and value.lstrip("-").isdecimal() and len(value) < 21:
            value = int(value)
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool) or not -_INT64 <= value < _INT64:
            raise self._wrong(name, "a 64-bit integer")
        return value

    def number(self, name: str) -> float:
        """A double that is needed."""
        value = self.values.get(name)
        if value is None:
            raise invalid(f"Missing value for required parameter '{name}'.")
        if isinstance(value, str):
            value = _FLOATS[value] if value in _FLOATS else self._float(name, value)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self._wrong(name, "a number")
        try:
            return float(value)
        except OverflowError:
            raise self._wrong(name, "a double") from None

    def micros(self, name: str) -> int | None:
        """A time in microseconds, from milliseconds."""
        value = self.integer(name)
        if value is None:
            return None
        if not 0 <= value < 1 << 53:
            raise self._wrong(name, "a time in milliseconds")
        return value * 1000

    def texts(self, name: str) -> list[str]:
        """A list of texts, empty when it is not given."""
        found = self._list(name)
        if not all(isinstance(value, str) for value in found):
            raise self._wrong(name, "a list of texts")
        return list(found)

    def parts(self, name: str) -> list[Given]:
        """A list of messages, empty when it is not given."""
        found = self._list(name)
        if not all(isinstance(value, dict) for value in found):
            raise self._wrong(name, "a list of objects")
        return [Given(value) for value in found]

    def part(self, name: str) -> Given:
        """A message that is needed."""
        value = self.values.get(name)
        if not isinstance(value, dict):
            raise invalid(f"Missing value for required parameter '{name}'.")
        return Given(value)

    def pairs(self, name: str) -> dict[str, str]:
        """A list of keys with their values (tags, params). Raises when one key has two of them."""
        found: dict[str, str] = {}
        for part in self.parts(name):
            key, value = part.needed("key"), part.text("value") or ""
            if found.setdefault(key, value) != value:
                raise invalid(f"{name} has two values for {key[:80]!r}")
        return found

    def page(self, default: int, most: int) -> int:
        """How many entries an answer may have (`max_results`)."""
        size = self.integer("max_results")
        if size is not None and not 1 <= size <= most:
            raise invalid(f"Invalid value {size} for parameter 'max_results': it is between 1 and {most}.")
        return default if size is None else size

    def _list(self, name: str) -> Sequence[Any]:
        value = self.values.get(name)
        if value is None:
            return []
        if isinstance(value, str):
            return [value]  # a query has it once
        if not isinstance(value, list):
            raise self._wrong(name, "a list")
        return value

    def _float(self, name: str, text: str) -> float:
        try:
            return float(text)
        except ValueError:
            raise self._wrong(name, "a number") from None

    def _wrong(self, name: str, wanted: str) -> Exception:
        return invalid(
            f"Invalid value {str(self.values[name])[:80]!r} for parameter '{name}': it has to be {wanted}."
        )
