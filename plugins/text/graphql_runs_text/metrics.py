"""From the bytes of a log to points, line by line, the same however the bytes come in pieces.

A line lies between two line feeds. Of a line that was redrawn (`\\r`, as progress bars do) what was drawn last counts, so each line
gives one row at most. What has to be known to go on with the next piece is `State`, which is part of the checkpoint.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import tzinfo

from graphql_runs.model.operation import LogPoints
from graphql_runs_text.rows import EXACT, Row, epoch_of, places_of_steps, row_of

_LINE = 8192
"""Bytes of a line with numbers in it at most; longer ones are text and nothing else."""
_POINTS = 100_000
"""Points of one delivery at most."""
_NAMES = "names"
_KEYS = "keys"
_REST = "rest"


@dataclass(slots=True)
class State:
    """Where the scan of a log stands.

    held:   the beginning of a line whose end is not there yet, without what was drawn over and cut where it is too long anyway.
    inside: the rest of the line counts no more: it was taken without its end, or its beginning was not seen.
    epoch:  the last one that Keras announced.
    names:  keys that are metrics of the log.
    told:   what was reported as left out, each once in a log.
    """

    held: bytes = b""
    inside: bool = False
    epoch: int | None = None
    names: dict[str, None] = field(default_factory=dict)
    told: set[str] = field(default_factory=set)

    def to_json(self) -> dict[str, object]:
        """For a checkpoint."""
        return {
            "held": self.held.decode("latin-1"),
            "inside": self.inside,
            "epoch": self.epoch,
            "names": list(self.names),
            "told": sorted(self.told),
        }

    @staticmethod
    def from_json(value: object) -> State:
        """From a checkpoint; of one that has none, the beginning of the line was not seen."""
        match value:
            case {
                "held": str(held),
                "inside": bool(inside),
                "epoch": epoch,
                "names": list(names),
                "told": list(told),
            }:
                number = epoch if isinstance(epoch, int) else None
                return State(held.encode("latin-1"), inside, number, dict.fromkeys(names), set(told))
        return State(inside=True)


@dataclass(slots=True)
class _Series:
    """Points of one metric in one delivery, all of one `shape`: whether they have times, and whether values or steps are integers
    that no float64 holds."""

    shape: int
    values: list[float | int] = field(default_factory=list)
    steps: list[float | int] = field(default_factory=list)
    at: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Rules:
    """How lines become points of a run.

    prefix:     what the names of metrics begin with.
    keys:       metrics of one line at most. names: of the log.
    name_bytes: of the longest name of a metric. line_bytes: of the longest line.
    zone:       of times that name none.
    """

    run_id: str
    prefix: str
    keys: int
    names: int
    name_bytes: int
    line_bytes: int
    zone: tzinfo | None


class Scan:
    """The numbers in a log from a state on, which is kept up to date."""

    def __init__(self, state: State, rules: Rules) -> None:
        self.state = state
        self._rules = rules
        self._line = min(_LINE, rules.line_bytes)
        self._series: dict[str, _Series] = {}
        self._points = 0
        self._left_out: list[str] = []

    def anew(self) -> None:
        """What follows is the beginning of another text: a line that was not complete will not become so."""
        self.state.held, self.state.inside, self.state.epoch = b"", False, None

    def pieces(self, data: bytes) -> Iterator[int]:
        """Look at what comes next. Gives places in it, the last of them its end; at each, `points` and `left_out` have to be taken:
        they belong to what was before, and cannot be in one batch with what follows."""
        state = self.state
        end = data.rfind(b"\n") + 1
        if end:
            for begin, line in self._lines(data, end):
                row = self._row(line)
                if row is None:
                    continue
                values = self._named(row)
                if not self._fits(row, values):
                    yield begin
                self._add(row, values)
        if not state.inside:
            state.held = self._cut(data[end:] if end else state.held + data)
        yield len(data)

    def last(self) -> bool:
        """Nothing follows: the last line counts without its end. Gives whether it says something."""
        row = None if self.state.inside else self._row(self.state.held)
        if row is None:
            return False
        self._add(row, self._named(row))
        self.state.held, self.state.inside = b"", True
        return bool(self._series or self._left_out)

    def points(self) -> list[LogPoints]:
        """What was gathered since the last call."""
        found, self._series, self._points = self._series, {}, 0
        return [
            LogPoints(
                self._rules.run_id, self._rules.prefix + key, series.values, series.steps, series.at or None
            )
            for key, series in found.items()
        ]

    def left_out(self) -> list[str]:
        """What was left out since the last call, and why."""
        found, self._left_out = self._left_out, []
        return found

    def _lines(self, data: bytes, end: int) -> Iterator[tuple[int, bytes]]:
        """Lines before `end` that may name a step, with their places; the first one with what was held of it."""
        state = self.state
        first = data.index(b"\n")
        held, inside = state.held, state.inside
        state.held, state.inside = b"", False
        if not inside:
            yield 0, held + data[:first]
        elif data[:first].strip():
            self._tell(
                _REST,
                "the rest of a line that was taken before it had an end, or not seen from its beginning",
            )
        lowered = data[first + 1 : end].lower()
        stop = 0
        for place in places_of_steps(lowered):
            if place >= stop:
                begin = first + 1 + lowered.rfind(b"\n", 0, place) + 1
                stop = lowered.index(b"\n", place)
                yield begin, data[begin : first + 1 + stop]

    def _row(self, line: bytes) -> Row | None:
        drawn = _drawn(line)
        if len(drawn) > self._line:
            return None
        epoch = epoch_of(drawn)
        if epoch is not None:
            self.state.epoch = epoch
            return None
        return row_of(drawn, self._rules.zone, self.state.epoch)

    def _cut(self, held: bytes) -> bytes:
        """What counts of the beginning of a line."""
        drawn = _drawn(held)
        return drawn[: self._line + 1] + (b"\r" if held.endswith(b"\r") else b"")

    def _named(self, row: Row) -> Mapping[str, float | int]:
        """The values of a row that are metrics within the limits."""
        names, rules = self.state.names, self._rules
        values = row.values
        if len(values) > rules.keys:
            self._tell(
                _KEYS, f"a line has {len(values)} numbers, those after the first {rules.keys} are left out"
            )
            values = dict(list(values.items())[: rules.keys])
        if values.keys() <= names.keys():
            return values
        return {key: value for key, value in values.items() if key in names or self._new(key)}

    def _new(self, key: str) -> bool:
        names, rules = self.state.names, self._rules
        name = rules.prefix + key
        if len(names) >= rules.names:
            problem = f"the log has more than {rules.names} metrics"
        elif any(ord(letter) < 32 or ord(letter) == 127 for letter in name):
            problem = "its name holds a control character"
        elif len(name.encode()) > rules.name_bytes:
            problem = f"its name has more than {rules.name_bytes} bytes"
        else:
            names[key] = None
            return True
        self._tell(_NAMES, f"the metric {key!r}, and others for the like reason: {problem}")
        return False

    def _tell(self, what: str, reason: str) -> None:
        if what not in self.state.told:
            self.state.told.add(what)
            self._left_out.append(reason)

    def _fits(self, row: Row, values: Mapping[str, float | int]) -> bool:
        """Whether a row can be in one batch with what was gathered: all points of a metric have the same columns there."""
        if self._points + len(values) > _POINTS:
            return not self._points
        placed = _placed(row)
        for key, value in values.items():
            series = self._series.get(key)
            if series is not None and series.shape != placed + _huge(value):
                return False
        return True

    def _add(self, row: Row, values: Mapping[str, float | int]) -> None:
        step, at = row.step, row.at
        self._points += len(values)
        for key, value in values.items():
            series = self._series.get(key)
            if series is None:
                series = self._series[key] = _Series(_placed(row) + _huge(value))
            series.values.append(value)
            series.steps.append(step)
            if at is not None:
                series.at.append(at)


def _drawn(line: bytes) -> bytes:
    """What was drawn last in a line."""
    line = line.rstrip(b"\r")
    return line[line.rfind(b"\r") + 1 :]


def _placed(row: Row) -> int:
    """What the time and the step of a row say of the shape of its points."""
    return (4 if row.at is not None else 0) + 2 * _huge(row.step)


def _huge(value: float | int) -> int:
    """1 for an integer that no float64 holds, else 0."""
    return int(isinstance(value, int) and not -EXACT <= value <= EXACT)
