"""Payloads: metrics that are one JSON document a row, checked against their schema before they are written.

Every document is `{schema_type, schema_version, data}` as Azure Machine Learning's SDK has it. Sources: the R SDK's reference of
`log_accuracy_table_to_run`, which states the invariants of accuracy tables, and of the functions for the other kinds; the
azureml-metrics package, which writes them (residuals with `mean`, `stddev` and `res_count`; classes without samples as tables of
zeros). A histogram of any values has the form of residuals.

What is kept is canonical: one order of fields, no blanks, classes as texts. Checking it again gives the same text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from typing import Any, NoReturn

import numpy as np
import orjson
from numpy.typing import NDArray

from graphql_runs.model.errors import InvalidInput, LimitExceeded
from graphql_runs.model.records import MetricKind
from graphql_runs.record.limits import RecordLimits

_VERSION = re.compile(r"v1|1\.\d{1,4}\.\d{1,4}", re.ASCII)
"""Azure writes `1.0.0` and `1.0.1`, its R examples `v1`."""
_EXACT = 2**53
_NEAR = 1e-9
"""Sums of weighted counts, which are fractions, may differ by so much of the whole; sums of integers not at all."""
_COUNTS = ("true positives", "false positives", "true negatives", "false negatives")


def check_payload(kind: MetricKind, text: str, field: str, limits: RecordLimits) -> str:
    """The canonical text of a payload.

    Raises LimitExceeded when it is larger than `payload_bytes`, and InvalidInput naming the place inside of it
    (`<field>.data.matrix[1][2]`) when it is not JSON, not of the kind's schema, or breaks one of its rules.
    """
    try:
        size = len(text) if text.isascii() else len(text.encode())
    except UnicodeEncodeError as error:
        raise InvalidInput(f"{field} is not valid Unicode: {error}", field=field) from error
    if size > limits.payload_bytes:
        raise LimitExceeded(f"{field} is {size} bytes long, the limit is {limits.payload_bytes}", field=field)
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise InvalidInput(f"{field} is not JSON: {error}", field=field) from error
    document = _Fields(value, field, ("schema_type", "schema_version", "data"))
    wanted = kind.lower()
    if document["schema_type"] != wanted:
        _refuse(f"{field}.schema_type", f"is {_shown(document['schema_type'])}, {wanted!r} is wanted")
    version = document["schema_version"]
    if not isinstance(version, str) or not _VERSION.fullmatch(version):
        _refuse(f"{field}.schema_version", f"is {_shown(version)}, a version 1 such as '1.0.0' is wanted")
    data = _SCHEMAS[kind](document["data"], f"{field}.data")
    return orjson.dumps({"schema_type": wanted, "schema_version": version, "data": data}).decode()


def _confusion_matrix(value: object, path: str) -> dict[str, Any]:
    """Square, a row and a column for each class: rows are the true classes, columns the predicted ones."""
    data = _Fields(value, path, ("class_labels", "matrix"))
    labels = data.labels("class_labels")
    counts = data.numbers("matrix", (len(labels), len(labels)), "class", "class")
    data.bounded("matrix", counts, _EXACT)
    return {"class_labels": labels, "matrix": data["matrix"]}


def _accuracy_table(value: object, path: str) -> dict[str, Any]:
    """For each class and threshold [TP, FP, TN, FN] of that class against the rest; a sample counts as positive when its
    predicted probability is not below the threshold."""
    names = [
        "probability_tables",
        "percentile_tables",
        "probability_thresholds",
        "percentile_thresholds",
        "class_labels",
    ]
    data = _Fields(value, path, names)
    labels = data.labels("class_labels")
    sides: dict[str, NDArray[np.float64]] = {}
    near = 0.0
    for name in ("probability", "percentile"):
        thresholds = data.numbers(f"{name}_thresholds", (None,), "threshold")
        data.ascending(f"{name}_thresholds", thresholds)
        if name == "probability" and not (thresholds[0] >= 0 and thresholds[-1] <= 1):
            data.refuse("probability_thresholds", "must lie between 0 and 1")
        shape = (len(labels), len(thresholds), 4)
        tables = data.numbers(f"{name}_tables", shape, "class", "threshold", "of TP, FP, TN, FN")
        data.bounded(f"{name}_tables", tables, _EXACT)
        sides[name] = _check_tables(data, f"{name}_tables", tables)
        near = max(near, _tolerance(tables))
    samples = sides["probability"]
    whole = samples.sum(axis=1)
    if (differ := np.abs(samples - sides["percentile"]).max(axis=1) > near).any():
        place = int(np.flatnonzero(differ)[0])
        data.refuse(
            f"percentile_tables[{place}]", "counts other samples than the probability table of the class"
        )
    # A class that has no samples is a table of zeros.
    if (differ := (whole > 0) & (np.abs(whole - whole.max()) > near)).any():
        place = int(np.flatnonzero(differ)[0])
        data.refuse(
            f"probability_tables[{place}]", f"counts {whole[place]:.15g} samples, others {whole.max():.15g}"
        )
    return {name: data[name] for name in names[:4]} | {"class_labels": labels}


def _check_tables(data: _Fields, name: str, tables: NDArray[np.float64]) -> NDArray[np.float64]:
    """Positive and negative samples of each class, shape (classes, 2). Raises InvalidInput unless they are the same at all
    thresholds, and fewer samples count as positive the higher the threshold is."""
    near = _tolerance(tables)
    positive, negative = tables[..., 0] + tables[..., 3], tables[..., 1] + tables[..., 2]
    for what, found in (("TP + FN", positive), ("FP + TN", negative)):
        differ = np.argwhere(np.abs(found - found[:, :1]) > near)
        if len(differ):
            row, column = differ[0].tolist()
            data.refuse(
                f"{name}[{row}][{column}]",
                f"has {what} = {found[row, column]:.15g}, and the class has {found[row, 0]:.15g} at its first threshold",
            )
    for column in (0, 1):
        rising = np.argwhere(np.diff(tables[..., column], axis=1) > near)
        if len(rising):
            row, place = rising[0].tolist()
            data.refuse(
                f"{name}[{row}][{place + 1}][{column}]",
                f"has more {_COUNTS[column]} than at the threshold below",
            )
    return np.stack([positive[:, 0], negative[:, 0]], axis=1)


def _bins(value: object, path: str) -> dict[str, Any]:
    """A histogram: one edge more than counts."""
    data = _Fields(value, path, ("bin_edges", "bin_counts"), ("mean", "stddev", "res_count"))
    counts = _check_bins(data)
    found: dict[str, Any] = {"bin_edges": data["bin_edges"], "bin_counts": data["bin_counts"]}
    for name in ("mean", "stddev", "res_count"):
        if name in data:
            number = data.number(name)
            if number < 0 and name != "mean":
                data.refuse(name, f"is negative: {number:.15g}")
            found[name] = data[name]
    if "res_count" in data and abs(counts.sum() - data["res_count"]) > _tolerance(counts):
        data.refuse("res_count", f"is {data['res_count']}, and the bins count {counts.sum():.15g}")
    return found


def _predictions(value: object, path: str) -> dict[str, Any]:
    """Means and standard deviations of what was predicted, in bins of the true values; null in a bin that counts nothing."""
    names = ("bin_averages", "bin_errors", "bin_counts", "bin_edges")
    data = _Fields(value, path, names)
    counts = _check_bins(data)
    for name in names[:2]:
        found = data.filled(name, counts)
        if name == "bin_errors":
            data.bounded(name, found)
    return {name: data[name] for name in names}


_SCHEMAS: Mapping[MetricKind, Callable[[object, str], dict[str, Any]]] = {
    MetricKind.CONFUSION_MATRIX: _confusion_matrix,
    MetricKind.ACCURACY_TABLE: _accuracy_table,
    MetricKind.RESIDUALS: _bins,
    MetricKind.PREDICTIONS: _predictions,
    MetricKind.HISTOGRAM: _bins,
}


def _check_bins(data: _Fields) -> NDArray[np.float64]:
    counts = data.numbers("bin_counts", (None,), "bin")
    data.bounded("bin_counts", counts, _EXACT)
    edges = data.numbers("bin_edges", (len(counts) + 1,), "bin and one more")
    # Azure's outermost bin may be empty of width, when the largest value lies on the edge before.
    data.ascending("bin_edges", edges)
    return counts


def _tolerance(counts: NDArray[np.float64]) -> float:
    whole = (counts == np.floor(counts)).all() and counts.sum() <= _EXACT
    return 0.0 if whole else _NEAR * float(counts.max())


class _Fields:
    """The fields of a JSON object at a path. Raises InvalidInput for one that is missing or unknown."""

    def __init__(
        self, value: object, path: str, required: Sequence[str], optional: Sequence[str] = ()
    ) -> None:
        if not isinstance(value, dict):
            _refuse(path, f"is {_shown(value)}, an object is wanted")
        self._values: dict[str, Any] = value
        self._path = path
        for name in required:
            if name not in value:
                _refuse(f"{path}.{name}", "is missing")
        for name in value:
            if name not in required and name not in optional:
                _refuse(f"{path}.{name[:80]}", "is unknown in this kind of payload")

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def refuse(self, place: str, problem: str) -> NoReturn:
        """Raise InvalidInput for a place below this object."""
        _refuse(f"{self._path}.{place}", problem)

    def labels(self, name: str) -> list[str]:
        """The classes as texts, at least one and no two the same. Integers are taken for texts of their digits."""
        value = self[name]
        if not isinstance(value, list) or not value:
            self.refuse(name, f"is {_shown(value)}, a list of classes is wanted")
        found: dict[str, int] = {}
        for index, label in enumerate(value):
            if not isinstance(label, str | int) or isinstance(label, bool):
                self.refuse(f"{name}[{index}]", f"is {_shown(label)}, a text is wanted")
            if (before := found.setdefault(str(label), index)) != index:
                self.refuse(f"{name}[{index}]", f"is the same class as {name}[{before}]")
        return list(found)

    def number(self, name: str) -> float:
        """A finite number."""
        value = self[name]
        if not _is_number(value):
            self.refuse(name, f"is {_shown(value)}, a number is wanted")
        return float(value)

    def numbers(self, name: str, shape: tuple[int | None, ...], *what: str) -> NDArray[np.float64]:
        """Nested lists of numbers as an array of this shape; None stands for any length but 0. `what` names an entry of each
        dimension."""
        return self._array(name, self[name], shape, what)

    def filled(self, name: str, counts: NDArray[np.float64]) -> NDArray[np.float64]:
        """A list of a number for each bin, in which empty bins may have null (0 is put for it in the array)."""
        value = self[name]
        if not isinstance(value, list):
            self.refuse(name, f"is {_shown(value)}, a list is wanted")
        empty = [
            item is None and place < len(counts) and counts[place] == 0 for place, item in enumerate(value)
        ]
        shown = [0 if absent else item for item, absent in zip(value, empty, strict=True)]
        return self._array(name, shown, (len(counts),), ("bin",))

    def bounded(self, name: str, found: NDArray[np.float64], most: float = np.inf) -> None:
        """Raise InvalidInput naming the first number that is negative or more than `most`, if there is one."""
        outside = np.argwhere((found < 0) | (found > most))
        if len(outside):
            place = tuple(outside[0].tolist())
            problem = "is negative" if found[place] < 0 else f"is more than {most:.15g}"
            self.refuse(f"{name}{_brackets(place)}", f"{problem}: {found[place]:.15g}")

    def ascending(self, name: str, found: NDArray[np.float64]) -> None:
        """Raise InvalidInput naming the first number that is below the one before it, if there is one."""
        falling = np.flatnonzero(found[1:] < found[:-1])
        if len(falling):
            place = int(falling[0]) + 1
            self.refuse(
                f"{name}[{place}]", f"is {found[place]:.15g}, below the {found[place - 1]:.15g} before it"
            )

    def _array(
        self, name: str, value: Any, shape: tuple[int | None, ...], what: tuple[str, ...]
    ) -> NDArray[np.float64]:
        flat: list[Any] = [value]
        size: list[int] = []
        for wanted, entry in zip(shape, what, strict=True):
            for index, item in enumerate(flat):
                if not isinstance(item, list):
                    self.refuse(f"{name}{_place(index, size)}", f"is {_shown(item)}, a list is wanted")
                if len(item) != wanted if wanted is not None else not item:
                    self.refuse(
                        f"{name}{_place(index, size)}",
                        f"has {len(item)} entries, {'some are' if wanted is None else wanted} wanted, one for each {entry}",
                    )
            size.append(len(flat[0]))
            flat = list(chain.from_iterable(flat))
        if not set(map(type, flat)) <= {int, float}:
            index = next(index for index, item in enumerate(flat) if type(item) not in (int, float))
            self.refuse(f"{name}{_place(index, size)}", f"is {_shown(flat[index])}, a number is wanted")
        found: NDArray[np.float64] = np.array(flat, dtype=np.float64)
        beyond = np.flatnonzero(np.abs(found) > _EXACT)
        for index in beyond.tolist():
            if isinstance(flat[index], int):
                self.refuse(f"{name}{_place(index, size)}", "is an integer beyond 2^53")
        return found.reshape(size)


def _place(index: int, size: Sequence[int]) -> str:
    """Where the entry of a flattened list lies in the nested one, as `[1][2]`."""
    return _brackets([int(place) for place in np.unravel_index(index, tuple(size))]) if size else ""


def _brackets(places: Sequence[int]) -> str:
    return "".join(f"[{place}]" for place in places)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _shown(value: object) -> str:
    match value:
        case None:
            return "null"
        case dict():
            return "an object"
        case list():
            return "a list"
        case str():
            return repr(value[:40])
    return str(value).lower()


def _refuse(path: str, problem: str) -> NoReturn:
    raise InvalidInput(f"{path} {problem}", field=path)
