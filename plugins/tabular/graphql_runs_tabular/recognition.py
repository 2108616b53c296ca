"""Is a file a table of metrics? Decided by its first lines, so that data sets and chats that lie beside jobs are left alone."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from graphql_runs.model.status import RunStatus, status_from
from graphql_runs_tabular.batch import PARAMS, STATUS
from graphql_runs_tabular.jsonl import parse
from graphql_runs_tabular.sheet import cells_of, delimiter_of, unique
from graphql_runs_tabular.values import moment, number, step

HEAD = 65_536
"""Bytes that are looked at."""
STEPS = (
    "step", "_step", "global_step", "iteration", "epoch", "training_iteration", "total_timesteps", "time/total_timesteps",
)  # fmt: skip
TIMES = ("time", "timestamp", "_timestamp", "ts", "wall_time", "created_at")
_LINES = 20
_GENERIC = re.compile(
    r"(?:.*[-_.])?(?:metrics?|progress|history|results?|log|logs|scalars|train(?:ing)?(?:[-_.]?log)?|eval(?:uation)?|val(?:idation)?|test)"
    r"(?:[-_.].*)?",
    re.IGNORECASE,
)


def is_generic(stem: str) -> bool:
    """Whether a file name (without its ending) is one that loggers give to tables of metrics."""
    return bool(_GENERIC.fullmatch(stem))


def holds_metrics(head: bytes) -> bool:
    """Whether these are JSON lines with metrics: half of the first objects at least count as such. Lines that are no JSON do
    not decide, unless there are no others."""
    good = bad = malformed = 0
    for raw in _lines(head):
        row = parse(raw)
        if isinstance(row, dict):
            good, bad = (good + 1, bad) if _counts(row) else (good, bad + 1)
        elif row.startswith("not an object"):
            bad += 1
        else:
            malformed += 1
    if good or bad:
        return good >= bad and good > 0
    return malformed > 0 and b"\n" in head


def _counts(row: Mapping[str, Any]) -> bool:
    """Whether an object is a row of metrics: most of its values are numbers, or it has a step; or it is one of the rows that
    go with them, with hyperparameters or a status."""
    if any(isinstance(row.get(name), dict) for name in PARAMS):
        return True
    word = row.get(STATUS)
    if isinstance(word, str) and status_from(word) is not RunStatus.UNKNOWN:
        return True
    keys = {key.lower(): key for key in row}
    leaves = list(_leaves({key: value for key, value in row.items() if key.lower() not in TIMES}, 0))
    numbers = sum(
        1
        for value in leaves
        if isinstance(value, int | float) or (isinstance(value, str) and number(value) is not None)
    )
    if any(name in keys and step(row[keys[name]]) is not None for name in STEPS):
        return numbers > 1 or not leaves
    return numbers > 0 and 2 * numbers >= len(leaves)


def _leaves(value: object, depth: int) -> Iterator[object]:
    """Values that are no containers; a list of numbers counts as one number."""
    if isinstance(value, dict) and depth < 16:
        for inner in value.values():
            yield from _leaves(inner, depth + 1)
    elif isinstance(value, list):
        yield value[0] if value and all(isinstance(one, int | float) for one in value) else None
    elif value is not None:
        yield value


def has_metrics_columns(head: bytes) -> bool:
    """Whether this is a CSV file with a header, a step or time column, and numbers below it (if it has rows yet)."""
    return _is_table(head, "", named=False)


def has_columns(head: bytes) -> bool:
    """Whether this is a CSV file with a header and numbers below it: enough where the name speaks for metrics."""
    return _is_table(head, "", named=True)


def has_metrics_columns_tsv(head: bytes) -> bool:
    """`has_metrics_columns` for files whose cells are separated by tabs."""
    return _is_table(head, ".tsv", named=False)


def has_columns_tsv(head: bytes) -> bool:
    """`has_columns` for files whose cells are separated by tabs."""
    return _is_table(head, ".tsv", named=True)


def is_keras(head: bytes) -> bool:
    """Whether this is what Keras' CSVLogger writes into the `training.log` of its documentation: a header whose first cell is
    `epoch`, and rows of as many cells."""
    first = head.split(b"\n", 1)[0]
    cells = cells_of(first, delimiter_of(first, ""))
    return cells[0] == "epoch" and len(cells) > 1 and _is_table(head, "", named=False)


def _is_table(head: bytes, path: str, *, named: bool) -> bool:
    found = _lines(head)
    if b"\0" in head or b"\n" not in head or not found:
        return False
    first, *rest = found
    delimiter = delimiter_of(first, path)
    header = cells_of(first, delimiter)
    if isinstance(header, str) or all(not cell for cell in header):
        return False
    if any(number(cell) is not None for cell in header):
        return False  # data without a header
    columns = [column.lower() for column in unique(header)]
    if not named and not set(columns) & {*STEPS, *TIMES}:
        return False
    rows = [
        cells
        for raw in rest
        if not isinstance(cells := cells_of(raw, delimiter), str) and len(cells) == len(header)
    ]
    if not rows:
        return not rest or named
    numeric = [
        column
        for place, column in enumerate(columns)
        if any(number(cells[place]) is not None for cells in rows)
        and not all(moment(cells[place]) for cells in rows)
    ]
    return bool(numeric)


def _lines(head: bytes) -> list[bytes]:
    """The first lines that are not blank; the last one only if it is whole or all there is."""
    found = head.split(b"\n")
    whole = found[:-1] if len(head) == HEAD and len(found) > 1 else found
    return [raw for raw in whole if raw.strip()][:_LINES]
