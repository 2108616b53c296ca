"""Events: what one record of an event file says.

Formats: https://github.com/tensorflow/tensorflow/blob/master/tensorflow/core/util/event.proto and framework/summary.proto,
https://github.com/tensorflow/tensorboard/blob/master/tensorboard/plugins/hparams/plugin_data.proto. A value says what it is by the name of the
plugin that shows it, but only the first time its tag comes; later ones are told by their shape, which is why they need no memory.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from graphql_runs.ingest.wire import (
    Malformed,
    Value,
    content,
    double,
    fields,
    signed,
    single,
    text,
    varints,
    whole,
)
from graphql_runs_tensorboard.tensor import Tensor, tensor

_MOST_ELEMENTS = 1 << 20
_PNG, _JPEG, _GIF = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF8"
_HISTOGRAM_COLUMNS = 3
_STATUSES = {1: "SUCCESS", 2: "FAILURE", 3: "RUNNING"}
_UNKEPT = {4: "a graph", 6: "a message of TensorFlow's log", 8: "the trace of a session", 9: "a graph"}
"""Fields of an event besides the summary: graph_def, log_message, tagged_run_metadata, meta_graph_def."""
LONGEST = 62_135_596_800.0
"""Seconds from 1970 back to the year 1, and the same forwards."""
_SOUND = "sound is not kept"


@dataclass(frozen=True, slots=True)
class Scalar:
    """A number."""

    tag: str
    value: float | int


@dataclass(frozen=True, slots=True)
class Text:
    """One text, or the cells of a table of texts joined by tabs and line feeds."""

    tag: str
    text: str


@dataclass(frozen=True, slots=True)
class Histogram:
    """Counts between edges; edges has one more. `total` and `count` are None where only counts were written."""

    tag: str
    edges: tuple[float, ...]
    counts: tuple[float, ...]
    least: float
    most: float
    count: float
    total: float | None


@dataclass(frozen=True, slots=True)
class Image:
    """An encoded picture; sizes are 0 where they are not known."""

    tag: str
    width: int
    height: int
    data: bytes
    type: str


@dataclass(frozen=True, slots=True)
class Hparams:
    """Hyperparameters of the session that begins."""

    values: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class SessionEnd:
    """How a session ended: SUCCESS, FAILURE or RUNNING; `at` in seconds since the epoch.

    Only those with a time count. PyTorch, tensorboardX and Lightning write SUCCESS without one beside the hyperparameters, which may
    be before the first step.
    """

    status: str
    at: float


@dataclass(frozen=True, slots=True)
class Left:
    """A value that is left out, and why."""

    tag: str
    reason: str


Said: TypeAlias = Scalar | Text | Histogram | Image | Hparams | SessionEnd | Left


@dataclass(frozen=True, slots=True)
class Event:
    """wall_time in seconds since the epoch."""

    wall_time: float
    step: int
    said: tuple[Said, ...]


def event(data: bytes) -> Event:
    """The event of a record. Raises Malformed."""
    wall_time, step = 0.0, 0
    said: list[Said] = []
    for number, _, value in fields(data):
        if number == 1:
            wall_time = double(value)
        elif number == 2:
            step = signed(value)
        elif number == 5:
            said += _summary(content(value))
        elif number in _UNKEPT:
            said.append(Left("", f"{_UNKEPT[number]} is not kept"))
    if not _is_time(wall_time):
        raise Malformed("the time of an event is none that there is")
    return Event(wall_time, step, tuple(said))


def _is_time(seconds: float) -> bool:
    return abs(seconds) <= LONGEST


def _summary(data: bytes) -> Iterator[Said]:
    for number, _, value in fields(data):
        if number == 1:
            yield from _value(content(value))


def _value(data: bytes) -> Iterator[Said]:
    tag, plugin, about = "", "", b""
    given: tuple[int, Value] | None = None
    for number, _, value in fields(data):
        if number == 1:
            tag = text(value)
        elif number == 9:
            plugin, about = _metadata(content(value))
        elif number in (2, 4, 5, 6, 8):
            given = number, value
    if plugin == "hparams":
        yield from _hparams(tag, about)
    elif given is not None:
        try:
            yield from _shown(tag, plugin, *given)
        except Malformed as error:
            yield Left(tag, str(error))


def _metadata(data: bytes) -> tuple[str, bytes]:
    """The plugin that shows a value, and what it keeps for itself."""
    plugin, about = "", b""
    for number, _, value in fields(data):
        if number == 1:
            for inner, _, found in fields(content(value)):
                if inner == 1:
                    plugin = text(found)
                elif inner == 2:
                    about = content(found)
    return plugin, about


def _shown(tag: str, plugin: str, number: int, value: Value) -> Iterator[Said]:
    match number:
        case 2:
            yield Scalar(tag, single(value))
        case 4:
            yield _image(tag, content(value))
        case 5:
            yield _old_histogram(tag, content(value))
        case 6:
            yield Left(tag, _SOUND)
        case _:
            yield from _tensor(tag, plugin, tensor(content(value), _MOST_ELEMENTS))


def _tensor(tag: str, plugin: str, found: Tensor) -> Iterator[Said]:
    if found.numbers is None:
        yield from _texts(tag, plugin, found)
        return
    shape = found.shape
    if found.numbers.size == 1 and len(shape) <= 1 and plugin in ("", "scalars"):
        number = found.numbers.reshape(()).item()
        yield Scalar(tag, int(number) if isinstance(number, bool) else number)
    elif len(shape) == 2 and shape[1] == _HISTOGRAM_COLUMNS and plugin in ("", "histograms"):
        yield _histogram(tag, found.numbers.astype(np.float64))
    elif plugin in ("pr_curves", "mesh", "custom_scalars", "audio"):
        yield Left(tag, f"what the plugin {plugin} shows is not kept")
    else:
        yield Left(tag, f"an array of shape {shape} is nothing that is kept")


def _texts(tag: str, plugin: str, found: Tensor) -> Iterator[Said]:
    if not found.texts:
        if math.prod(found.shape):
            yield Left(tag, "an array of a type that is not known")
        return
    picture = _picture_type(found.texts[2]) if len(found.texts) > 2 else None
    if plugin == "images" or (plugin == "" and picture is not None):
        yield from _pictures(tag, found.texts)
    elif plugin == "audio" or (plugin == "" and _is_sound(found.texts[0])):
        yield Left(tag, _SOUND)
    elif plugin in ("", "text"):
        cells = [cell.decode("utf-8", "replace") for cell in found.texts]
        columns = found.shape[-1] if len(found.shape) > 1 and found.shape[-1] else 1
        rows = ["\t".join(cells[first : first + columns]) for first in range(0, len(cells), columns)]
        yield Text(tag, "\n".join(rows))
    else:
        yield Left(tag, f"what the plugin {plugin} shows is not kept")


def _pictures(tag: str, texts: tuple[bytes, ...]) -> Iterator[Said]:
    """Width and height as texts, then any number of encoded pictures."""
    try:
        width, height = int(texts[0]), int(texts[1])
    except (ValueError, IndexError):
        yield Left(tag, "pictures without a size")
        return
    for place, data in enumerate(texts[2:]):
        name = tag if len(texts) == 3 else f"{tag}/{place}"
        yield Image(name, width, height, data, _picture_type(data) or "application/octet-stream")


def _image(tag: str, data: bytes) -> Image:
    width = height = 0
    encoded = b""
    for number, _, value in fields(data):
        if number == 1:
            height = whole(value)
        elif number == 2:
            width = whole(value)
        elif number == 4:
            encoded = content(value)
    return Image(tag, width, height, encoded, _picture_type(encoded) or "application/octet-stream")


def _picture_type(data: bytes) -> str | None:
    for begin, name in ((_PNG, "image/png"), (_JPEG, "image/jpeg"), (_GIF, "image/gif")):
        if data.startswith(begin):
            return name
    return "image/webp" if data[:4] == b"RIFF" and data[8:12] == b"WEBP" else None


def _is_sound(data: bytes) -> bool:
    return data[:4] == b"RIFF" and data[8:12] == b"WAVE"


def _old_histogram(tag: str, data: bytes) -> Histogram:
    """HistogramProto: right edges and counts, and numbers of all values."""
    numbers: dict[int, float] = {}
    limits: list[float] = []
    counts: list[float] = []
    for number, _, value in fields(data):
        if number <= 5:
            numbers[number] = double(value)
        elif number in (6, 7):
            (limits if number == 6 else counts).extend(_doubles(content(value)))
    if len(limits) != len(counts):
        raise Malformed(f"a histogram has {len(limits)} edges and {len(counts)} counts")
    least, most = numbers.get(1, 0.0), numbers.get(2, 0.0)
    # TensorFlow's first bucket is an empty one that ends below the least value.
    edges = (min((least, *limits[:1])), *limits)
    return Histogram(tag, edges, tuple(counts), least, most, numbers.get(3, 0.0), numbers.get(4, 0.0))


def _histogram(tag: str, rows: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> Histogram:
    """Rows of left edge, right edge, count."""
    if not len(rows):
        return Histogram(tag, (0.0,), (), math.nan, math.nan, 0.0, None)
    counts = tuple(rows[:, 2].tolist())
    edges = (*rows[:, 0].tolist(), float(rows[-1, 1]))
    return Histogram(tag, edges, counts, edges[0], edges[-1], math.fsum(counts), None)


def _doubles(data: bytes) -> list[float]:
    if len(data) % 8:
        raise Malformed("a list of doubles has an odd length")
    found: list[float] = np.frombuffer(data, dtype="<f8").tolist()
    return found


def _hparams(tag: str, data: bytes) -> Iterator[Said]:
    """HParamsPluginData: the description of an experiment, the beginning or the end of a session."""
    for number, _, value in fields(data):
        if number == 2:
            yield Left(tag, "the description of an experiment is not kept")
        elif number == 3:
            yield Hparams(dict(_map(content(value))))
        elif number == 4:
            status, at = 0, 0.0
            for inner, _, found in fields(content(value)):
                if inner == 1:
                    status = whole(found)
                elif inner == 2:
                    at = double(found)
            if status in _STATUSES and at and _is_time(at):
                yield SessionEnd(_STATUSES[status], at)
            else:
                yield Left(tag, "the end of a session without a status or a time says nothing of the run")


def _map(data: bytes) -> Iterator[tuple[str, str]]:
    """SessionStartInfo.hparams: a map of google.protobuf.Value."""
    for number, _, value in fields(data):
        if number == 1:
            key, shown = "", ""
            for inner, _, found in fields(content(value)):
                if inner == 1:
                    key = text(found)
                elif inner == 2:
                    shown = _json_value(content(found))
            yield key, shown


def _json_value(data: bytes) -> str:
    """https://github.com/protocolbuffers/protobuf/blob/main/src/google/protobuf/struct.proto"""
    for number, _, value in fields(data):
        match number:
            case 2:
                return repr(double(value)).removesuffix(".0")
            case 3:
                return text(value)
            case 4:
                return "true" if varints(value) == [1] else "false"
            case 5 | 6:
                return "[…]" if number == 6 else "{…}"
    return ""
