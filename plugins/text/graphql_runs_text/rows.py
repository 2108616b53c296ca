"""What one line of a log says in numbers: the step it speaks of, and what was measured there.

A line counts when it names a step (STEPS; `step=10`, `Epoch 3/10`, `[epoch 3][step 120]`, `"step": 3`) and at least one other number
with its key (`loss=0.5`, `val loss: 0.5`, `'loss': 0.5`). A line that is a JSON object counts when numbers stand beside a step in it.
Keras prints the epoch on a line of its own, and then `10/10 - 1s - loss: 0.5`: the caller keeps it for the lines that follow.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from enum import Enum
from functools import lru_cache

import orjson

from graphql_runs.model.time import Micros, from_datetime, from_text, from_unix

STEPS = ("global_step", "step", "iteration", "iter", "batch", "episode", "round", "epoch")
"""Keys of steps, the likeliest first; case does not matter. Those that are not the step of a line are metrics of it."""
EXACT = 2**53
"""Integers beyond are no exact float64."""
_KEY_LENGTH = 100
"""Characters of a key at most."""
_JSON_STEPS = {"_step": "step", "trainer/global_step": "global_step", **{name: name for name in STEPS}}
_TIMES = ("timestamp", "@timestamp", "time", "ts", "asctime", "datetime", "date", "created", "_timestamp")
_NO_METRICS = frozenset(
    ("level", "levelno", "lineno", "line", "process", "pid", "thread", "tid", "msecs", "relativecreated", "taskname",
     "debug", "info", "warning", "error", "critical", "v_num", "version")
)  # fmt: skip
"""What loggers put beside a message, and no job measures."""

# As Python and C print numbers. Nothing of it may be taken for a part of something longer: a version, a date, a range, a unit.
_NUMBER = r"(?P<number>[+-]?(?>(?>\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?|nan|inf(?:inity)?))"
_END = r"(?!\w|,\d|[.:+-]\w|[/@])"
_SET = r"(?: ?\((?:train|val|valid|test|eval)\))?"
_STEP_NAMES = "step|iteration|iter|batch|episode|round|epoch"
_STEMS = tuple(name.encode() for name in ("step", "iter", "batch", "episode", "round", "epoch"))
# What may be a step, or a bar of Keras (`10ms/step - loss: 0.5`), with colours in between. Most lines are soon done with.
_AFTER = rf"['\"]?{_SET}[ \t]{{0,3}}(?:\x1b|- |[:=#]?[ \t]{{0,12}}[\[(]?[ \t]{{0,12}}['\"]?[+-]?[.\d\x1b])"
_NEAR = re.compile(rf"(?:{_STEP_NAMES}){_AFTER}".encode())
_STEP = re.compile(
    rf"(?P<key>global[_ ]step|{_STEP_NAMES})['\"]?{_SET}[ \t]{{0,3}}[:=#]?[ \t]{{0,12}}[\[(]?[ \t]{{0,12}}['\"]?"
    rf"{_NUMBER}(?:[ \t]?/[ \t]{{0,12}}\d{{1,18}})?(?!%){_END}"
)
_VALUE = re.compile(rf"[=:](?P<gap>[ \t]{{0,12}})['\"]?{_NUMBER}%?{_END}", re.IGNORECASE)
_QUOTES = ("'", '"')
_KEY = re.compile(r"(?<![\w.@/%-])[^\W\d][\w./@%-]*$")
_QUOTED_KEY = re.compile(r"[^\W\d][\w./@% -]*")
_TIME = re.compile(
    r"[\[(]?(?P<day>\d{4}-\d\d-\d\d)[T ](?P<clock>\d\d:\d\d:\d\d)(?:[.,](?P<fraction>\d{1,9}))? ?(?P<zone>Z|[+-]\d\d:?\d\d)?(?![\d:])"
)
_CONTROL = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|[\x00-\x08\x0b-\x1f\x7f]")
_KERAS_EPOCH = re.compile(r"Epoch (\d{1,9})/\d{1,9}")
_KERAS = re.compile(r"(\d{1,15})/\1 (?=.* - )")


class _Kind(Enum):
    """What a key goes with."""

    METRIC = "a number of the job"
    TIME = "a time of the logger, or a duration"
    OTHER = "the step, or a fact of the logger"


@dataclass(frozen=True, slots=True)
class Row:
    """The numbers of one line by key, where and when they were measured. Steps are finite and fit 64 bits, as integers do."""

    step: float | int
    values: Mapping[str, float | int]
    at: Micros | None = None


def places_of_steps(lowered: bytes) -> Iterator[int]:
    """Where something that may be a step begins in lines in lower case; lines without any have no numbers."""
    found: set[int] = set()
    for stem in _STEMS:
        place = lowered.find(stem)
        while place >= 0:
            if _NEAR.match(lowered, place):
                found.add(place)
            place = lowered.find(stem, place + len(stem))
    return iter(sorted(found))


def row_of(line: bytes, zone: tzinfo | None, epoch: int | None = None) -> Row | None:
    """The numbers of a line without its end, None when it has none. Times that name no zone are in `zone`, and of no use without
    one. `epoch` is the step of a bar of Keras."""
    if _NEAR.search(lowered := line.lower()) is None:
        return None
    text, folded = line.decode("utf-8", "replace"), lowered.decode("utf-8", "replace")
    if not text.isprintable():
        text, folded = _CONTROL.sub("", text), _CONTROL.sub("", folded)
    text, folded = text.strip(), folded.strip()
    if text.startswith("{") and (fields := _parsed(text)) is not None:
        return _of_fields(fields, zone)
    steps, ends = _steps(folded)
    bar = None if steps or epoch is None else _KERAS.match(text)
    if not steps and bar is None:
        return None
    values = dict(_pairs(text, ends))
    if not values:
        return None
    if bar is not None and epoch is not None:
        return Row(epoch, values)
    found = _row(steps, values)
    return None if found is None else Row(*found, _time(text, zone))


def epoch_of(line: bytes) -> int | None:
    """The epoch that a line of Keras announces, which has nothing else."""
    if not line.startswith(b"Epoch ") or len(line) > 40:
        return None
    found = _KERAS_EPOCH.fullmatch(line.decode("ascii", "replace").strip())
    return None if found is None else int(found[1])


def _row(
    steps: dict[str, float | int], values: dict[str, float | int]
) -> tuple[float | int, dict[str, float | int]] | None:
    """The step of a line and its values, with the other steps among them; None without a step that is a position."""
    for name in STEPS:
        value = steps.get(name)
        if value is not None and math.isfinite(value):
            return value, {other: one for other, one in steps.items() if other != name} | values
    return None


def _steps(text: str) -> tuple[dict[str, float | int], list[int]]:
    """The steps that a text in lower case names, the first of each, and where they end."""
    steps: dict[str, float | int] = {}
    ends = []
    for found in _STEP.finditer(text):
        start = found.start()
        before = text[start - 1 : start]
        if before.isalnum() or before in tuple("_.@/-") or text.endswith("per ", 0, start):
            continue
        ends.append(found.end())
        steps.setdefault(found["key"].replace(" ", "_"), _value(found["number"]))
    return steps, ends


def _pairs(text: str, ends: list[int]) -> Iterator[tuple[str, float | int]]:
    """Keys and numbers, each key once, those of steps apart. `ends` are the places where steps end."""
    done = 0
    known = set()
    for found in _VALUE.finditer(text):
        place, end = found.span()
        while ends and ends[0] <= place:
            done = max(done, ends.pop(0))
        gap, number = found.groups()
        key = _key(text, done, place, gap)
        done = end
        if key and key not in known and _counts(key, value := _value(number)):
            known.add(key)
            yield key, value


def _key(text: str, done: int, place: int, gap: str) -> str:
    """What stands before the `=` or `:` at a place, and after what is done with; empty when it is no key."""
    bare = text[done:place].rstrip(" \t")
    if bare[-1:] in _QUOTES:
        start = bare.rfind(bare[-1], 0, -1) + 1
        return bare[start:-1] if start and _QUOTED_KEY.fullmatch(bare, start, len(bare) - 1) else ""
    colon = text[place] == ":"
    if colon and not gap:
        return ""  # `train.py:45`, `host:8080`
    token = bare[max(bare.rfind(" "), bare.rfind("\t")) + 1 :]
    key = _bare_key(token[-_KEY_LENGTH - 2 :])
    if key == token and (colon or done + len(bare) < place):
        return _words(bare[: len(bare) - len(token)], first=done == 0) + token
    return key


@lru_cache(4096)
def _bare_key(token: str) -> str:
    """The key at the end of a word, the word itself if it is nothing else."""
    found = _KEY.search(token)
    return "" if found is None else token if found.start() == 0 else found[0]


def _counts(key: str, value: float | int) -> bool:
    """Whether a number is a metric by its key, and no time."""
    kind = _kind(key)
    return kind is _Kind.METRIC or (kind is _Kind.TIME and from_unix(value) is None)


@lru_cache(4096)
def _kind(key: str) -> _Kind:
    folded = key.lower()
    if folded in STEPS or folded in _NO_METRICS or len(key) > _KEY_LENGTH:
        return _Kind.OTHER
    return _Kind.TIME if folded in _TIMES else _Kind.METRIC


def _words(between: str, *, first: bool) -> str:
    """The words before a key that belong to it, as in `| lm loss: 6.5`: two at most, from a separator or the last number on."""
    cut = max(map(between.rfind, ("|", ",", ";", "]", ")", "- ")))
    if first and cut < 0:
        return ""
    words = between[cut + 1 :].split()
    good = 0 < len(words) <= 2 and all(
        word.isidentifier() and word.lower() not in _NO_METRICS for word in words
    )
    return f"{' '.join(words)} " if good else ""


def _value(text: str) -> float | int:
    """An integer if it is written as one and fits 64 bits, else a float."""
    digits = text[1:] if text[0] in "+-" else text
    if digits.isdecimal() and len(digits) < 20 and -(2**63) <= (whole := int(text)) < 2**63:
        return whole
    return float(text)


def _time(text: str, zone: tzinfo | None) -> Micros | None:
    """The ISO 8601 time at the beginning of a text."""
    found = _TIME.match(text)
    if found is None or (zone is None and found["zone"] is None):
        return None
    try:
        if found["zone"] is None:
            naive = datetime.fromisoformat(f"{found['day']}T{found['clock']}")
            return from_datetime(naive.replace(tzinfo=zone)) + int(f"{found['fraction'] or '':0<6}"[:6])
        return from_text(f"{found['day']}T{found['clock']}.{found['fraction'] or 0}{found['zone']}")
    except (ValueError, OverflowError):
        return None


# Lines that are JSON objects


def _parsed(text: str) -> dict[str, object] | None:
    try:
        found = orjson.loads(text)
    except ValueError:
        if "NaN" not in text and "Infinity" not in text:
            return None
        try:
            found = json.loads(text)  # as Python writes them
        except (ValueError, RecursionError):
            return None
    return found if isinstance(found, dict) else None


def _fitting(value: float | int) -> float | int:
    """The same, as a float where an integer does not fit 64 bits."""
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        try:
            return float(value)
        except OverflowError:
            return math.inf if value > 0 else -math.inf
    return value


def _of_fields(fields: dict[str, object], zone: tzinfo | None) -> Row | None:
    steps: dict[str, float | int] = {}
    values: dict[str, float | int] = {}
    for key, value in fields.items():
        if isinstance(value, bool) or not isinstance(value, int | float):
            continue
        folded, value = key.lower(), _fitting(value)
        if folded in _JSON_STEPS:
            steps.setdefault(_JSON_STEPS[folded], value)
        elif key.isprintable() and key.strip() and _counts(key, value):
            values[key] = value
    found = _row(steps, values) if values else None
    return None if found is None else Row(*found, _moment(fields, zone))


def _moment(fields: dict[str, object], zone: tzinfo | None) -> Micros | None:
    for key in _TIMES:
        value = fields.get(key)
        if isinstance(value, str) and (at := _time(value, zone)) is not None:
            return at
        if isinstance(value, int | float) and not isinstance(value, bool) and (at := from_unix(value)):
            return at
    return None
