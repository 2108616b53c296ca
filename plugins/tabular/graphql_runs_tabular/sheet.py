"""CSV and TSV: a header, then a row a line; also those that are written anew when a column comes in.

Lightning's CSVLogger and others write the whole file again as soon as a new metric appears. The rows that were read before are
recognised by their count and a checksum over their columns, and only what is new of them is taken.
A quoted cell may hold the delimiter, not a line feed.
"""

from __future__ import annotations

import csv
import os
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from io import FileIO

from graphql_runs.ingest.api import IDLE_SECONDS, QUIET_SECONDS, Delivery, Skipped
from graphql_runs.ingest.files import Lines, lines, quiet_for
from graphql_runs_tabular.batch import Full
from graphql_runs_tabular.keys import Names
from graphql_runs_tabular.state import CHANGED, CUT, REWRITTEN, TAKEN, Source, State, being_written, thin
from graphql_runs_tabular.values import number, shown

_DELIMITERS = ",\t;|"


@dataclass(slots=True)
class Table:
    """What is known of a table.

    header: its columns, empty before the header is read.
    rows:   how many were read, with `checksum` over all of them.
    marks:  earlier checksums as (rows, checksum), the closer to the end the denser.
    seen:   columns that were read before down to a row, when the file was written anew: (row, columns).
    """

    header: list[str] = field(default_factory=list)
    delimiter: str = ","
    rows: int = 0
    checksum: int = 0
    marks: list[tuple[int, int]] = field(default_factory=list)
    seen: list[tuple[int, list[str]]] = field(default_factory=list)

    @staticmethod
    def of(state: State) -> Table:
        """From a checkpoint."""
        match state.table:
            case {
                "header": list(header),
                "delimiter": str(delimiter),
                "rows": int(rows),
                "checksum": int(checksum),
                "marks": list(marks),
                "seen": list(seen),
            }:
                return Table(
                    header,
                    delimiter,
                    rows,
                    checksum,
                    [(place, known) for place, known in marks],
                    [(until, columns) for until, columns in seen],
                )
        return Table()

    def put(self, state: State) -> None:
        """Into a checkpoint."""
        if self.rows and self.marks[-1][0] < self.rows:
            self.marks.append((self.rows, self.checksum))
            thin(self.marks)
        state.table = {
            "header": self.header,
            "delimiter": self.delimiter,
            "rows": self.rows,
            "checksum": self.checksum,
            "marks": list(self.marks),
            "seen": [[until, columns] for until, columns in self.seen],
        }

    def count(self, cells: Sequence[str]) -> None:
        """One more row, given by its cells."""
        self.checksum = _sum(cells, self.checksum)
        self.rows += 1
        if self.rows == 1:
            self.marks = [(1, self.checksum)]

    def put_in(self, other: Table) -> None:
        """Become another table."""
        self.header, self.delimiter, self.rows = other.header, other.delimiter, other.rows
        self.checksum, self.marks, self.seen = other.checksum, other.marks, other.seen

    def omitted(self) -> frozenset[str]:
        """Columns of the next row that were read before."""
        self.seen = [(until, columns) for until, columns in self.seen if until > self.rows]
        return frozenset(column for _, columns in self.seen for column in columns)


def read_csv(source: Source, state: State) -> Iterator[Delivery]:
    """Everything from the state on, which is kept up to date."""
    table = Table.of(state)
    remarks = _resume(source, state, table)
    if remarks is None:
        return
    sheet = _Sheet(source, state, table)
    for piece in lines(source.file, state.offset, source.limits, inside=state.inside):
        yield from sheet.take(piece, remarks)
        remarks = []
    if not state.inside:
        yield from sheet.last_line(remarks)


class _Sheet:
    """Reading on from a state."""

    def __init__(self, source: Source, state: State, table: Table) -> None:
        self._state = state
        self._table = table
        self._names = source.names
        self._source = source
        self._batch = source.batch(state)
        self._columns()

    def take(self, piece: Lines, remarks: list[Skipped]) -> Iterator[Delivery]:
        """Whole lines."""
        state = self._state
        if not piece.data:
            state.offset, state.inside = piece.end, piece.inside
            if piece.too_long:
                state.line += 1
                self._batch.skip(
                    f"the line is longer than {self._source.limits.line_bytes} bytes", state.line
                )
        for raw in piece.data.split(b"\n")[:-1]:
            try:
                self._line(raw)
            except Full:
                yield self._delivery(remarks)
                remarks = []
                self._line(raw)
            state.offset += len(raw) + 1
        yield self._delivery(remarks)

    def last_line(self, remarks: list[Skipped]) -> Iterator[Delivery]:
        """A last line without an end: a number in it may still grow, so it counts when nobody is expected to write any
        more. One that lacks cells is cut off, and is reported sooner."""
        state, file = self._state, self._source.file
        raw = os.pread(file.fileno(), self._source.limits.line_bytes, state.offset)
        quiet = self._source.quiet()
        if not raw.strip() or state.last or not self._table.header or quiet < QUIET_SECONDS:
            return
        cells = self._cells(raw)
        if isinstance(cells, str) or len(cells) != len(self._table.header):
            self._batch.skip(
                f"the last line is cut off: {shown(raw.decode(errors='replace'))}", state.line + 1
            )
            state.last = CUT
        elif quiet >= IDLE_SECONDS:
            self._line(raw)
            state.offset += len(raw)
            state.last = TAKEN
        else:
            return
        yield self._delivery(remarks)

    def _delivery(self, remarks: list[Skipped]) -> Delivery:
        self._table.put(self._state)
        delivery = self._source.delivery(self._state, self._batch, remarks)
        self._batch = self._source.batch(self._state)
        return delivery

    def _columns(self) -> None:
        """A table has one step column, so that all its metrics have the same axis."""
        layout = self._names.layout(self._table.header)
        # Given in lower case, as they are looked up.
        steps = [name.lower() for name in layout.steps[:1]]
        self._source = replace(self._source, names=Names(steps, self._names.times))
        self._batch = self._source.batch(self._state)

    def _line(self, raw: bytes) -> None:
        """Take one line in. Raises Full, with nothing taken."""
        state, table = self._state, self._table
        if state.last == TAKEN:
            if raw.strip():
                self._batch.skip("the line went on after it had been taken for complete", state.line)
            state.last = ""
            return
        if raw.strip():
            if not table.header:
                table.delimiter = delimiter_of(raw, self._source.path)
            cells = self._cells(raw)
            if isinstance(cells, str):
                self._batch.skip(cells, state.line + 1)
            elif not table.header:
                table.header = unique(cells)
                self._columns()
            elif len(cells) != len(table.header):
                wrong = f"{len(cells)} cells, the header has {len(table.header)} columns"
                self._batch.skip(f"{wrong}: {shown(raw.decode(errors='replace'))}", state.line + 1)
            elif not _is(table.header, cells):
                self._row(cells)
        state.line += 1
        state.last = ""

    def _row(self, cells: list[str]) -> None:
        table = self._table
        values: dict[str, object] = {}
        for column, cell in zip(table.header, cells, strict=True):
            if cell:
                found = number(cell)
                values[column] = (_numbers(cell) or cell) if found is None else found
        self._batch.row(values, self._state.line + 1, table.omitted() if table.seen else frozenset())
        table.count(cells)

    def _cells(self, raw: bytes) -> list[str] | str:
        """The cells of a line, or what is wrong with it."""
        return cells_of(raw, self._table.delimiter)


def cells_of(raw: bytes, delimiter: str) -> list[str] | str:
    """The cells of a line, stripped, or what is wrong with it."""
    try:
        text = raw.decode("utf-8-sig").rstrip("\r")
    except UnicodeDecodeError as error:
        return f"not UTF-8: {error}"
    if '"' not in text:
        return [cell.strip() for cell in text.split(delimiter)]
    try:
        [cells] = csv.reader([text], delimiter=delimiter, strict=True)
    except (csv.Error, ValueError) as error:
        return f"malformed CSV: {error}: {shown(text)}"
    return [cell.strip() for cell in cells]


def _numbers(cell: str) -> Sequence[object]:
    """The numbers of a list, which Keras writes with quotes around it that are part of the cell; nothing when it is none."""
    text = cell.strip('"')
    if not (text.startswith("[") and text.endswith("]")):
        return ()
    found = [number(one) for one in text[1:-1].split(",")]
    return () if None in found else found


def delimiter_of(header: bytes, path: str) -> str:
    """What separates the cells: a tab in .tsv files, else the likeliest one of the header."""
    if path.lower().endswith(".tsv"):
        return "\t"
    return max(_DELIMITERS, key=lambda one: header.count(one.encode()))


def unique(cells: Sequence[str]) -> list[str]:
    """Column names without doubles; one without a name is called by its place."""
    found: dict[str, None] = {}
    for place, cell in enumerate(cells, 1):
        name = base = cell or f"column {place}"
        count = 1
        while name in found:
            name, count = f"{base}.{count}", count + 1
        found[name] = None
    return list(found)


def _resume(source: Source, state: State, table: Table) -> list[Skipped] | None:
    """Make state and table those of the file as it is now, and say what happened to it; None when it is better to wait."""
    file = source.file
    if state.mark is None or state.mark.within(file):
        return []
    if not table.header:
        return None if being_written(file, state) else _anew(source, state, table)
    now = _compare(file, source, table)
    if now is None or (now.known and now.rows == 0):
        # No header or no row: in the middle of being written, or emptied; what comes will tell.
        return None
    if not now.known or now.same == 0:
        return _anew(source, state, table)
    if now.rows < table.rows and not now.differs and quiet_for(file) < QUIET_SECONDS:
        return None
    remarks = [] if now.same == table.rows else [Skipped(source.path, CHANGED, now.line)]
    state.inside, state.last, state.marks = False, "", []
    if now.header == table.header:
        state.offset, state.line = now.end, now.line
        table.rows, table.checksum = now.same, now.checksum
        table.marks = [mark for mark in table.marks if mark[0] <= now.same]
    else:
        # The same rows with further columns: they are read again for those.
        state.offset, state.line = now.header_end, 1
        table.put_in(Table(now.header, now.delimiter, seen=[*table.seen, (now.same, table.header)]))
    return remarks


def _anew(source: Source, state: State, table: Table) -> list[Skipped]:
    state.anew()
    table.put_in(Table())
    return [Skipped(source.path, REWRITTEN)]


@dataclass(slots=True)
class _Now:
    """A file as it is now, compared with a table.

    known:    all columns of the table are there; `header_end` is the offset after the header.
    rows:     how many there are, up to as many as the table has or up to where the file `differs`.
    same:     how many of them are known to be those that were read, with their checksum over the table's columns; `end` is the
              offset after them, `line` the number of lines up to there.
    """

    header: list[str]
    delimiter: str
    header_end: int
    known: bool
    rows: int = 0
    differs: bool = False
    same: int = 0
    checksum: int = 0
    end: int = 0
    line: int = 1


def _compare(file: FileIO, source: Source, table: Table) -> _Now | None:
    """Read as many rows as the table has. None when there is no header."""
    now: _Now | None = None
    places: list[int] = []
    marks = dict(table.marks)
    checksum = 0
    for offset, line, raw in _whole_lines(file, source):
        if now is None:
            delimiter = delimiter_of(raw, source.path)
            cells = cells_of(raw, delimiter)
            if isinstance(cells, str):
                return None
            header = unique(cells)
            now = _Now(header, delimiter, offset, set(table.header) <= set(header))
            if not now.known:
                return now
            places = [header.index(column) for column in table.header]
            continue
        cells = cells_of(raw, now.delimiter)
        if isinstance(cells, str) or len(cells) != len(now.header) or _is(now.header, cells):
            continue
        now.rows += 1
        checksum = _sum([cells[place] for place in places], checksum)
        mark = marks.get(now.rows)
        if mark is not None and mark != checksum:
            now.differs = True
            return now
        if mark is not None:
            now.same, now.checksum, now.end, now.line = now.rows, checksum, offset, line
        if now.rows == table.rows:
            return now
    return now


def _whole_lines(file: FileIO, source: Source) -> Iterator[tuple[int, int, bytes]]:
    """Every line of the file that is not blank, with the offset after it and its number from 1."""
    number = 0
    for piece in lines(file, 0, source.limits):
        number += piece.too_long
        offset = piece.end - len(piece.data)
        for raw in piece.data.split(b"\n")[:-1]:
            number += 1
            offset += len(raw) + 1
            if raw.strip():
                yield offset, number, raw


def _is(header: Sequence[str], cells: Sequence[str]) -> bool:
    """Whether a line is the header once more, as a job that was started again writes it."""
    return header[0] == cells[0] and unique(cells) == header


def _sum(cells: Sequence[str], before: int) -> int:
    return zlib.crc32("\x1f".join(cells).encode(errors="replace") + b"\n", before)
