"""JSON lines: an object a line."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from io import FileIO
from typing import Any

import orjson

from graphql_runs.ingest.api import QUIET_SECONDS, Delivery, Skipped
from graphql_runs.ingest.files import lines
from graphql_runs_tabular.batch import Batch, Full
from graphql_runs_tabular.state import CHANGED, CUT, REWRITTEN, TAKEN, Source, State, being_written
from graphql_runs_tabular.values import shown


def read_jsonl(source: Source, state: State) -> Iterator[Delivery]:
    """Everything from the state on, which is kept up to date."""
    file = source.file
    remarks = resume(file, state, source.path)
    if remarks is None:
        return
    for piece in lines(file, state.offset, source.limits, inside=state.inside):
        batch = source.batch(state)
        if not piece.data:
            state.offset, state.inside = piece.end, piece.inside
            if piece.too_long:
                state.line += 1
                batch.skip(f"the line is longer than {source.limits.line_bytes} bytes", state.line)
        for raw in piece.data.split(b"\n")[:-1]:
            try:
                _take(batch, raw, state)
            except Full:
                yield source.delivery(state, batch, remarks)
                remarks, batch = [], source.batch(state)
                _take(batch, raw, state)
            state.offset += len(raw) + 1
        yield source.delivery(state, batch, remarks)
        remarks = []
    if not state.inside:
        yield from _last_line(source, state, remarks)


def resume(file: FileIO, state: State, path: str) -> list[Skipped] | None:
    """Make the state one of the file as it is now, and say what happened to it; None when it is better to wait."""
    if state.mark is None or state.mark.within(file):
        return []
    if being_written(file, state):
        return None
    if state.go_back(file):
        return [Skipped(path, CHANGED, state.line)]
    state.anew()
    return [Skipped(path, REWRITTEN)]


def _take(batch: Batch, raw: bytes, state: State) -> None:
    """Take one whole line in. Raises Full, with nothing taken."""
    if state.last == TAKEN:
        # The end of a line that was taken without one.
        if raw.strip():
            batch.skip("the line went on after it had been taken for complete", state.line)
        state.last = ""
        return
    text = raw.strip()
    if text:
        row = parse(text)
        if isinstance(row, dict):
            batch.row(row, state.line + 1)
        else:
            batch.skip(row, state.line + 1)
    state.line += 1
    state.last = ""


def _last_line(source: Source, state: State, remarks: list[Skipped]) -> Iterator[Delivery]:
    """A last line without an end counts once nobody writes any more: taken when it is complete, else reported."""
    file = source.file
    raw = os.pread(file.fileno(), source.limits.line_bytes, state.offset)
    if not raw.strip() or state.last or source.quiet() < QUIET_SECONDS:
        return
    batch = source.batch(state)
    row = parse(raw.strip())
    if isinstance(row, dict):
        batch.row(row, state.line + 1)
        state.line, state.offset, state.last = state.line + 1, state.offset + len(raw), TAKEN
    else:
        batch.skip(f"the last line is cut off: {row}", state.line + 1)
        state.last = CUT
    yield source.delivery(state, batch, remarks)


def parse(text: bytes) -> dict[str, Any] | str:
    """The object of a line, or what is wrong with it. NaN and Infinity are numbers, as Python and JavaScript write them."""
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        reason = str(error)
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            return f"malformed JSON: {reason}: {shown(text.decode(errors='replace'))}"
    return value if isinstance(value, dict) else f"not an object: {shown(value)}"
