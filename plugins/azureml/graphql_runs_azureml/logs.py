"""Log files: their bytes as they are, and what their lines tell."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from io import FileIO
from pathlib import PurePosixPath

from graphql_runs.ingest.api import Context, Delivery, Skipped, Unit
from graphql_runs.ingest.files import Mark, open_file, pieces, quiet_for, size_of
from graphql_runs.model.operation import Annotate, LogText, RunOperation, SetStatus
from graphql_runs.model.status import RunStatus
from graphql_runs.model.time import Micros
from graphql_runs_azureml import layout, prints, signals
from graphql_runs_azureml.outputs import as_it_is, files_in
from graphql_runs_azureml.series import Misfit, Shape
from graphql_runs_azureml.text import clean

_MOST_BYTES = 4 << 20
_TAIL_BYTES = 16_384
_LINE_BYTES = 65_536
"""Longer lines tell nothing."""
QUIET_SECONDS = 60.0
"""A run whose files have not changed for so long has ended, if its log looks as if it had."""
_CUT = "the log was cut or replaced; it goes on with its new beginning"


@dataclass(slots=True)
class _State:
    """Where the scan of a log stands; all of it is kept in the checkpoint.

    line:     line feeds before `start`.
    start:    offset of the first line that has not been looked at; what lies between it and the mark is looked at again.
    at:       the time of the last status that was told.
    told:     that status.
    outcome:  `completed` or `failed` once a line has told it.
    ended:    that the end of the run has been told.
    complete: that nothing more is expected.
    shapes:   of the metrics printed in it.
    """

    line: int = 0
    start: int = 0
    at: Micros | None = None
    told: str | None = None
    outcome: str | None = None
    ended: bool = False
    complete: bool = False
    shapes: dict[str, Shape] = field(default_factory=dict)

    def to_json(self) -> dict[str, object]:
        found: dict[str, object] = {"line": self.line, "start": self.start}
        if self.at is not None and self.told is not None:
            found["at"], found["told"] = self.at, self.told
        if self.outcome is not None:
            found["outcome"] = self.outcome
        if self.ended:
            found["ended"] = True
        if self.complete:
            found["complete"] = True
        if self.shapes:
            found["shapes"] = {name: shape.to_json() for name, shape in self.shapes.items()}
        return found

    @staticmethod
    def from_json(value: Mapping[str, object]) -> _State:
        """Raises ValueError when it is none of ours."""
        match value:
            case {"line": int(line), "start": int(start)}:
                pass
            case _:
                raise ValueError(f"not a checkpoint of a log: {value!r}")
        at, told = value.get("at"), value.get("told")
        outcome, shapes = value.get("outcome"), value.get("shapes", {})
        return _State(
            line,
            start,
            at if isinstance(at, int) else None,
            told if isinstance(told, str) else None,
            outcome if isinstance(outcome, str) else None,
            value.get("ended") is True,
            value.get("complete") is True,
            {name: Shape.from_json(shape) for name, shape in shapes.items()}
            if isinstance(shapes, dict)
            else {},
        )


@dataclass(frozen=True, slots=True)
class LogRead:
    """One log of a run.

    unit:     its unit.
    name:     its path in the run.
    known:    whether the run has details; without them the script's first output tells that it is running.
    terminal: whether they say that the run has ended.
    """

    unit: Unit
    run_id: str
    name: PurePosixPath
    known: bool
    terminal: bool

    def read(
        self, checkpoint: Mapping[str, object] | None, context: Context, first: list[RunOperation]
    ) -> Iterator[Delivery]:
        """Everything after the checkpoint. `first` goes before all else when there is no checkpoint.

        Raises Unreadable and OSError as `open_file` does.
        """
        log = layout.log_at(self.name)
        assert log is not None
        path = self.unit.files[0]
        with open_file(context.tree.folder, path) as file:
            started = _begin(checkpoint, file)
            if started is None:
                return
            offset, state, remark = started
            scan = _Scan(self, log, state, file)
            size = min(context.limits.delivery_bytes, _MOST_BYTES)
            before = list(first) if checkpoint is None else []
            for data in pieces(file, offset, size):
                operations: list[RunOperation] = [
                    *before,
                    LogText(
                        self.run_id,
                        str(self.name),
                        data,
                        log.stream,
                        log.rank,
                        False if state.complete else None,
                    ),
                ]
                before = []
                state.complete = False
                if offset == 0 and log.driver and not self.known and not log.rank:
                    operations += scan.running(data)
                offset += len(data)
                operations += scan.lines(offset)
                skipped = [Skipped(str(path), remark)] if remark else []
                remark = None
                yield Delivery(
                    {**Mark.at(file, offset).to_json(), **state.to_json()},
                    operations,
                    skipped=skipped + scan.skipped,
                )
                scan.skipped = []
            last = scan.end(offset, lambda: self._quiet(file, context)) if log.driver else []
            if self.terminal and offset and not state.complete and offset == size_of(file):
                state.complete = True
                last.append(LogText(self.run_id, str(self.name), b"", log.stream, log.rank, True))
            if last:
                yield Delivery({**Mark.at(file, offset).to_json(), **state.to_json()}, before + last)

    def _quiet(self, file: FileIO, context: Context) -> bool:
        """Has nothing of the run changed for a while?"""
        seconds = quiet_for(file)
        if seconds < QUIET_SECONDS or self.unit.run is None:
            return False
        until = os.fstat(file.fileno()).st_mtime_ns + QUIET_SECONDS * 1e9
        others = (as_it_is(context.tree, other) for other in files_in(context.tree, self.unit.run.path))
        return all(other is None or other.modified_ns <= until for other in others)


def _begin(checkpoint: Mapping[str, object] | None, file: FileIO) -> tuple[int, _State, str | None] | None:
    """Where to go on, with what, and a remark. None: the file is being written anew and has to grow first."""
    if checkpoint is None:
        return 0, _State(), None
    mark = Mark.from_json(checkpoint)
    if mark.within(file):
        return mark.offset, _State.from_json(checkpoint), None
    if size_of(file) < mark.offset and mark.begins(file) is not False:
        # A download that overwrites the file starts with an empty one. What is there will be known again when it is whole.
        return None
    return 0, _State(), _CUT


class _Scan:
    """Looks at the lines of one log."""

    def __init__(self, log: LogRead, place: layout.Log, state: _State, file: FileIO) -> None:
        self._log = log
        self._place = place
        self._state = state
        self._file = file
        self.skipped: list[Skipped] = []
        if str(log.name) == layout.PROCESS_STATUS:
            self._interesting = signals.PROCESS
        else:
            self._interesting = signals.DRIVER if place.driver else signals.SYSTEM

    def running(self, data: bytes) -> list[RunOperation]:
        """The script's output has begun."""
        line = data.split(b"\n", 1)[0]
        return [self._status(signals.Signal(RunStatus.RUNNING), line, 1, signals.time_of(line))]

    def lines(self, end: int) -> list[RunOperation]:
        """Look at the whole lines up to the offset `end`."""
        state = self._state
        if end - state.start > (_MOST_BYTES + 2 * _LINE_BYTES):
            state.start = end - _LINE_BYTES
        data = os.pread(self._file.fileno(), end - state.start, state.start)
        whole = data.rfind(b"\n") + 1
        operations: list[RunOperation] = []
        done, line, position = 0, state.line, 0
        while found := self._interesting.search(data, position, whole):
            begin = data.rfind(b"\n", 0, found.start()) + 1
            stop = data.index(b"\n", found.end())
            line += data.count(b"\n", done, begin)
            done = begin
            if stop - begin <= _LINE_BYTES and (header := self._header(data[begin:stop])) is not None:
                after = data.find(b"\n", stop + 1, whole)
                if after < 0:
                    # The value is on the next line, which is not there yet.
                    if len(data) - begin <= _LINE_BYTES:
                        whole = begin
                    break
                operations += self._printed(header, data[stop + 1 : after], line + 1)
                stop = after
            elif stop - begin <= _LINE_BYTES:
                operations += self._line(data[begin:stop], line + 1)
            position = stop + 1
        state.line = line + data.count(b"\n", done, whole)
        # A line without an end is looked at again, unless it is so long that it tells nothing.
        state.start += whole if len(data) - whole <= _LINE_BYTES else len(data)
        return operations

    def end(self, offset: int, quiet: Callable[[], bool]) -> list[RunOperation]:
        """What the end of the log tells when nothing follows, which `quiet` knows."""
        state = self._state
        if state.ended or not offset:
            return []
        tail = os.pread(self._file.fileno(), _TAIL_BYTES, max(0, offset - _TAIL_BYTES))
        if state.outcome == "completed":
            if self._place.rank or not quiet():
                return []
            last = tail.rstrip().rsplit(b"\n", 1)[-1]
            return [
                self._status(signals.Signal(RunStatus.COMPLETED), last, self._lines_before(offset, tail, 0))
            ]
        found = signals.traceback_at_end(tail) if state.outcome is None else None
        if found is None or not quiet():
            return []
        line, after = found
        return [self._status(signals.Signal(RunStatus.FAILED), line, self._lines_before(offset, tail, after))]

    def _lines_before(self, offset: int, tail: bytes, after: int) -> int:
        """The number of the last line with something on it, less `after`."""
        state = self._state
        rest = (
            os.pread(self._file.fileno(), offset - state.start, state.start) if offset > state.start else b""
        )
        total = state.line + rest.count(b"\n")
        blank = len(tail) - len(tail.rstrip())
        return max(1, total + 1 - tail[len(tail) - blank :].count(b"\n") - after)

    def _header(self, line: bytes) -> prints.Header | None:
        if not self._place.driver or b"Attempted to log " not in line:
            return None
        # A progress bar may have been on the line before.
        return prints.HEADER.match(line.rstrip(b"\r").rsplit(b"\r", 1)[-1].decode("utf-8", "replace"))

    def _printed(self, header: prints.Header, value: bytes, line: int) -> list[RunOperation]:
        if len(value) > _LINE_BYTES:
            self._skip(f"the value of a printed metric is longer than {_LINE_BYTES} bytes", line + 1)
            return []
        try:
            text = value.decode("utf-8", "replace")
            return list(prints.printed(self._log.run_id, header, text, self._state.shapes))
        except Misfit as problem:
            self._skip(str(problem), line + 1)
            return []

    def _skip(self, reason: str, line: int) -> None:
        self.skipped.append(Skipped(str(self._log.unit.files[0]), reason, line))

    def _line(self, line: bytes, number: int) -> list[RunOperation]:
        at = signals.time_of(line)
        if self._interesting is signals.PROCESS:
            told = signals.process(line)
            signal, at = told if told is not None else (None, None)
        elif self._interesting is signals.SYSTEM:
            signal = signals.system(line)
        else:
            signal = signals.driver(line, self._state.outcome)
        if signal is None:
            return []
        self._state.outcome = signal.outcome or self._state.outcome
        # One rank of several that has done its part does not end the run; one that failed does.
        if self._place.rank and signal.status is not RunStatus.FAILED:
            return []
        found: list[RunOperation] = []
        if signal.status != self._state.told:
            found.append(self._status(signal, line, number, at))
        if signal.exit_code is not None:
            found.append(Annotate(self._log.run_id, exit_code=signal.exit_code))
        return found

    def _status(
        self, signal: signals.Signal, line: bytes, number: int, at: Micros | None = None
    ) -> SetStatus:
        if at is None:
            at = os.fstat(self._file.fileno()).st_mtime_ns // 1000
        state = self._state
        state.at = at = at if state.at is None else max(at, state.at)
        state.told = str(signal.status)
        state.ended = state.ended or signal.status.terminal
        return SetStatus(
            self._log.run_id,
            signal.status,
            f"{self._log.name}:{number}",
            at,
            reported=False,
            original=signal.original,
            detail=clean(signals.detail(line)) or None,
        )
