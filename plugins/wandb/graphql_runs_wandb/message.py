"""Records of the log as what they say.

Format: wandb/proto/wandb_internal.proto of the wandb client (https://github.com/wandb/wandb); fields that nobody shows are passed over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import orjson

from graphql_runs.ingest.wire import Malformed, content, double, fields, signed, text

_MICROS = 1_000_000
Json: TypeAlias = object
"""A value as its JSON says, with NaN and infinities."""


@dataclass(frozen=True, slots=True)
class Item:
    """One value of a history, config or summary, under a path of keys."""

    path: tuple[str, ...]
    value: Json


@dataclass(frozen=True, slots=True)
class Started:
    """The run introduces itself. `at` in microseconds."""

    run_id: str
    project: str | None
    entity: str | None
    group: str | None
    job_type: str | None
    name: str | None
    notes: str | None
    sweep: str | None
    host: str | None
    labels: tuple[str, ...]
    config: tuple[Item, ...]
    remote: str | None
    commit: str | None
    at: int | None


@dataclass(frozen=True, slots=True)
class History:
    """A row of the history."""

    step: int | None
    items: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class Config:
    """Config values that are new or changed."""

    items: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class Summary:
    """Summary values that are new or changed."""

    items: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class Output:
    """Text that the job printed."""

    line: str
    at: int | None


@dataclass(frozen=True, slots=True)
class Stats:
    """Numbers of the machine."""

    items: tuple[Item, ...]
    at: int | None


@dataclass(frozen=True, slots=True)
class Files:
    """Files of the run, by their path below `files`."""

    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Exit:
    """The job ended; seconds from its start."""

    code: int
    runtime: int | None


@dataclass(frozen=True, slots=True)
class Environment:
    """Where the job runs, by name."""

    facts: Mapping[str, str]


Said: TypeAlias = Started | History | Config | Summary | Output | Stats | Files | Exit | Environment


def message(data: bytes) -> Said | None:
    """What a record says, None for one that says nothing that is shown. Raises Malformed."""
    for number, _, value in fields(data):
        read = _READERS.get(number)
        if read is not None:
            return read(content(value))
    return None


def _history(data: bytes) -> History:
    step, items = None, []
    for number, _, value in fields(data):
        if number == 1:
            items.append(_item(content(value)))
        elif number == 2:
            step = 0
            for inner, _, found in fields(content(value)):
                if inner == 1:
                    step = signed(found)
    return History(step, tuple(items))


def _items(data: bytes, wanted: int = 1) -> tuple[Item, ...]:
    return tuple(_item(content(value)) for number, _, value in fields(data) if number == wanted)


def _item(data: bytes) -> Item:
    """HistoryItem, SummaryItem, ConfigItem, StatsItem: a key or a path of keys, and a value as JSON or, in later versions of the
    format, of its own type."""
    key: str | None = None
    path: list[str] = []
    found: Json = None
    for number, _, value in fields(data):
        match number:
            case 1:
                key = text(value)
            case 2:
                path.append(text(value))
            case 4:
                found = value != 0
            case 5:
                raw = value if isinstance(value, int) else 0
                found = raw >> 1 ^ -(raw & 1)  # zigzag
            case 6:
                found = double(value)
            case 7:
                found = text(value)
            case 8 | 16:
                found = loads(content(value))
    return Item(tuple(path) or (key or "",), found)


def loads(data: bytes) -> Json:
    """JSON as Python's encoder writes it: with NaN and infinities, and with integers of any size. Raises Malformed."""
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        import json

        try:
            return json.loads(data)
        except (ValueError, RecursionError) as error:
            raise Malformed(f"a value is no JSON: {data[:60]!r}") from error


def _started(data: bytes) -> Started:
    texts: dict[int, str] = {}
    labels: list[str] = []
    config: tuple[Item, ...] = ()
    at: int | None = None
    git: dict[int, str] = {}
    for number, _, value in fields(data):
        if number in (1, 2, 3, 6, 7, 8, 9, 12, 13):
            texts[number] = text(value)
        elif number == 4:
            config = _items(content(value))
        elif number == 10:
            labels.append(text(value))
        elif number == 17:
            at = _moment(content(value))
        elif number == 21:
            git = {inner: text(found) for inner, _, found in fields(content(value)) if inner in (1, 2)}
    return Started(
        run_id=texts.get(1, ""), entity=texts.get(2), project=texts.get(3), group=texts.get(6),
        job_type=texts.get(7), name=texts.get(8), notes=texts.get(9), sweep=texts.get(12), host=texts.get(13),
        labels=tuple(labels), config=config, remote=git.get(1), commit=git.get(2), at=at,
    )  # fmt: skip


def _output(data: bytes) -> Output:
    line, at = "", None
    for number, _, value in fields(data):
        if number == 2:
            at = _moment(content(value))
        elif number == 3:
            line = text(value)
    return Output(line, at)


def _stats(data: bytes) -> Stats:
    at = None
    for number, _, value in fields(data):
        if number == 2:
            at = _moment(content(value))
    return Stats(_items(data, 3), at)


def _files(data: bytes) -> Files:
    return Files(
        tuple(
            text(found)
            for number, _, value in fields(data)
            if number == 1
            for inner, _, found in fields(content(value))
            if inner == 1
        )
    )


def _exit(data: bytes) -> Exit:
    code, runtime = 0, None
    for number, _, value in fields(data):
        if number == 1:
            code = signed(value)
        elif number == 2:
            runtime = signed(value)
    return Exit(code, runtime)


_FACTS = {
    1: "os",
    2: "python",
    7: "program",
    12: "host",
    13: "username",
    14: "executable",
    18: "gpu",
    25: "cuda",
}


def _environment(data: bytes) -> Environment:
    facts: dict[str, str] = {}
    arguments: list[str] = []
    for number, _, value in fields(data):
        if number == 5:
            arguments.append(text(value))
        elif number in _FACTS and isinstance(value, bytes):
            facts[_FACTS[number]] = text(value)
    if arguments:
        facts["args"] = " ".join(arguments)
    return Environment(facts)


def _moment(data: bytes) -> int:
    """google.protobuf.Timestamp, in microseconds."""
    seconds = nanos = 0
    for number, _, value in fields(data):
        if number == 1:
            seconds = signed(value)
        elif number == 2:
            nanos = signed(value)
    return seconds * _MICROS + nanos // 1000


def flat(items: tuple[Item, ...], separator: str) -> Iterator[tuple[str, Json]]:
    """Names and values, objects taken apart."""
    for item in items:
        yield from _flat(separator.join(item.path), item.value, separator, 16)


def _flat(name: str, value: Json, separator: str, depth: int) -> Iterator[tuple[str, Json]]:
    if isinstance(value, dict) and value and depth and "_type" not in value:
        for key, inner in value.items():
            yield from _flat(f"{name}{separator}{key}", inner, separator, depth - 1)
    else:
        yield name, value


_READERS: Mapping[int, Callable[[bytes], Said]] = {
    2: _history,
    3: lambda data: Summary(_items(data)),
    5: lambda data: Config(_items(data)),
    6: _files,
    7: _stats,
    13: _output,
    17: _started,
    18: _exit,
    26: _environment,
}
