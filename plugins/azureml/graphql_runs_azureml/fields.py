"""Typed access to the fields of a JSON object that somebody else wrote. What has the wrong type is left out and noted."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from graphql_runs.model.time import Micros, from_text
from graphql_runs_azureml.text import VALUE_BYTES, as_text, clean, cut, name_problem, shown, size

KEYS = 10_000
"""Tags, params or properties of one run."""
_UNSET = "0001-01-01T00:00:00"


@dataclass(frozen=True, slots=True)
class Fields:
    """A JSON object at `path` in its document (empty for the document itself). `problems` collects what was left out."""

    value: Mapping[str, object]
    path: str = ""
    problems: list[str] = field(default_factory=list)

    def note(self, name: str, problem: str) -> None:
        """Say that a field was left out, and why."""
        self.problems.append(f"{self.path}{name} {problem}")

    def text(self, *names: str) -> str | None:
        """The first of the fields that is there: a text, cut to what a value may have. An empty one counts as missing."""
        for name in names:
            value = self.value.get(name)
            if value is None or value == "":
                continue
            if not isinstance(value, str):
                self.note(name, f"is {kind(value)}, not a text")
                continue
            text = clean(value)
            if size(text) > VALUE_BYTES:
                self.note(name, f"is {size(text)} bytes long and was cut, the limit is {VALUE_BYTES}")
            return cut(text)
        return None

    def name(self, *names: str) -> str | None:
        """As `text`, for what has to be a name."""
        for name in names:
            text = self.text(name)
            if text is None:
                continue
            problem = name_problem(text)
            if problem is None:
                return text
            self.note(name, problem)
        return None

    def time(self, name: str) -> Micros | None:
        """A time in ISO 8601, up to .NET's seven digits. .NET's zero date counts as missing."""
        value = self.value.get(name)
        if value is None or value == "":
            return None
        if not isinstance(value, str):
            self.note(name, f"is {kind(value)}, not a time")
            return None
        if value.startswith(_UNSET):
            return None
        try:
            return from_text(value)
        except ValueError:
            self.note(name, f"is not a time: {shown(value)}")
            return None

    def count(self, name: str) -> int | None:
        """A whole number that is not negative."""
        value = self.value.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**31:
            self.note(name, f"is {kind(value)}, not a whole number")
            return None
        return value

    def nested(self, name: str) -> Fields:
        """A nested object; an empty one where it is missing."""
        value = self.value.get(name)
        if value is not None and not isinstance(value, dict):
            self.note(name, f"is {kind(value)}, not an object")
        return Fields(value if isinstance(value, dict) else {}, f"{self.path}{name}.", self.problems)

    def objects(self, name: str) -> tuple[Fields, ...]:
        """A list of objects, without those entries that are something else; empty where it is missing."""
        value = self.value.get(name)
        if value is None:
            return ()
        if not isinstance(value, list):
            self.note(name, f"is {kind(value)}, not a list")
            return ()
        found = []
        for index, entry in enumerate(value):
            if isinstance(entry, dict):
                found.append(Fields(entry, f"{self.path}{name}[{index}].", self.problems))
            else:
                self.note(f"{name}[{index}]", f"is {kind(entry)}, not an object")
        return tuple(found)

    def texts(self, name: str) -> dict[str, str]:
        """An object as names and texts: other values become JSON, null an empty text."""
        found: dict[str, str] = {}
        inner = self.nested(name)
        for key, value in inner.value.items():
            pair = inner.pair(key, value)
            if pair is None:
                continue
            if len(found) >= KEYS and pair[0] not in found:
                self.note(name, f"has {len(inner.value)} keys, those after the first {KEYS} were left out")
                break
            found[pair[0]] = pair[1]
        return found

    def pair(self, key: str, value: object) -> tuple[str, str] | None:
        """A key and a value that a run can hold as a tag, param or property, else None and a note."""
        key = clean(key)
        problem = name_problem(key)
        if problem is None:
            try:
                text = "" if value is None else as_text(value)
            except ValueError as error:
                problem = f"is {error}"
            else:
                if size(text) <= VALUE_BYTES:
                    return key, text
                problem = f"has a value of {size(text)} bytes, the limit is {VALUE_BYTES}"
        self.problems.append(f"{self.path.removesuffix('.')}[{shown(key)}] {problem}")
        return None

    def embedded(self, name: str) -> Fields | None:
        """An object that is written as JSON inside of a text, as Azure does in tags and properties, or an object as such."""
        value = self.value.get(name)
        if value is None or value == "":
            return None
        if isinstance(value, str):
            try:
                value = json.loads(value)
            except (ValueError, RecursionError) as error:
                self.note(name, f"is not JSON: {cut(clean(str(error)), 200)}")
                return None
        if not isinstance(value, dict):
            self.note(name, f"is {kind(value)}, not an object")
            return None
        return Fields(value, f"{self.path}{name}.", self.problems)


def kind(value: object) -> str:
    """What a JSON value is, for messages."""
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case str():
            return "a text"
        case list():
            return "a list"
        case _:
            return "an object"
