"""Every payload that keeps the rules passes unchanged; every broken rule is refused, with its place."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphql_runs.model.errors import InvalidInput, LimitExceeded, RunsError
from graphql_runs.model.ids import metric_id
from graphql_runs.model.operation import DeclareRun, LogPoints, LogRows
from graphql_runs.model.records import PAYLOAD, MetricKind
from graphql_runs.read.points import read_points
from graphql_runs.record.limits import RecordLimits
from graphql_runs.record.payload import check_payload
from graphql_runs.record.recorder import Recorder
from graphql_runs.store.port import Store
from tests.record.payloads import PAYLOADS, Document, document

MATRIX, TABLE, RESIDUALS, PREDICTIONS, HISTOGRAM = PAYLOADS


def check(kind: MetricKind, value: object) -> Any:
    return json.loads(check_payload(kind, json.dumps(value), "payload", RecordLimits()))


def problem(kind: MetricKind, value: object) -> tuple[str, str]:
    with pytest.raises(InvalidInput) as caught:
        check(kind, value)
    assert caught.value.field is not None
    place, _, text = caught.value.message.partition(" ")
    assert place == caught.value.field
    return caught.value.field.removeprefix("payload."), text


@pytest.mark.parametrize("kind", PAYLOADS)
@settings(deadline=None)
@given(data=st.data())
def test_valid_ones_pass_unchanged(kind: MetricKind, data: st.DataObject) -> None:
    value = data.draw(PAYLOADS[kind])
    assert check(kind, value) == value
    text = check_payload(kind, json.dumps(value, indent=1), "payload", RecordLimits())
    assert check_payload(kind, text, "payload", RecordLimits()) == text


@settings(deadline=None)
@given(data=st.data())
@pytest.mark.parametrize("kind", PAYLOADS)
def test_what_is_missing_unknown_or_of_another_type_is_refused(kind: MetricKind, data: st.DataObject) -> None:
    value = data.draw(PAYLOADS[kind])
    fields = {"schema_type", "schema_version", "data"}
    name = data.draw(st.sampled_from(sorted(fields)))
    assert problem(kind, {key: entry for key, entry in value.items() if key != name})[0] == name
    assert problem(kind, value | {"more": 1})[0] == "more"
    assert problem(kind, value | {"schema_type": "image"})[0] == "schema_type"
    for version in ("2.0.0", "1", 1, None):
        assert problem(kind, value | {"schema_version": version})[0] == "schema_version"
    inner = data.draw(st.sampled_from(sorted(value["data"].keys() - {"mean", "stddev", "res_count"})))
    without = {key: entry for key, entry in value["data"].items() if key != inner}
    assert problem(kind, value | {"data": without}) == (f"data.{inner}", "is missing")
    assert problem(kind, value | {"data": value["data"] | {"more": []}})[0] == "data.more"
    others: tuple[object, ...] = (None, "text", 1, True, {}, [])
    for wrong in others:
        place, text = problem(kind, value | {"data": value["data"] | {inner: wrong}})
        # An empty list of counts, bins or classes makes others have a wrong length.
        assert place.startswith("data."), text


def nested(value: Any, place: list[int]) -> Any:
    for index in place:
        value = value[index]
    return value


@pytest.mark.parametrize("kind", PAYLOADS)
@settings(deadline=None)
@given(data=st.data())
def test_numbers_that_are_none_are_refused_where_they_are(kind: MetricKind, data: st.DataObject) -> None:
    value = data.draw(PAYLOADS[kind])
    names = [
        name for name, entry in value["data"].items() if isinstance(entry, list) and name != "class_labels"
    ]
    name = data.draw(st.sampled_from(names))
    place: list[int] = []
    while isinstance(found := nested(value["data"][name], place), list):
        place.append(data.draw(st.integers(0, len(found) - 1)))
    where = f"data.{name}" + "".join(f"[{index}]" for index in place)
    holder = nested(value["data"][name], place[:-1])
    others: tuple[object, ...] = ("1", True, {}, [1], 2**60)
    for wrong in others:
        holder[place[-1]] = wrong
        assert problem(kind, value)[0] == where
    if name in ("matrix", "bin_counts", "probability_tables", "percentile_tables", "bin_errors"):
        holder[place[-1]] = -1
        assert problem(kind, value)[0] == where
    # One entry too many makes its list, or one that has to be as long, the wrong one.
    holder[place[-1]] = 0
    holder += [0]
    assert problem(kind, value)[0].startswith("data.")


def matrix(labels: object, rows: object) -> Document:
    return document(MATRIX, {"class_labels": labels, "matrix": rows})


def table(
    tables: object,
    thresholds: object = (0.0, 0.5),
    percentile: object = None,
    labels: object = ("a",),
) -> Document:
    data = {
        "probability_tables": tables,
        "percentile_tables": tables if percentile is None else percentile,
        "probability_thresholds": thresholds,
        "percentile_thresholds": (0.0, 0.5),
        "class_labels": labels,
    }
    return document(TABLE, data, "1.0.1")


GOOD = [[3, 2, 0, 0], [1, 1, 1, 2]]
BROKEN: list[tuple[MetricKind, Document, str, str]] = [
    (MATRIX, matrix(["a", "b"], [[1, 2]]), "matrix", "has 1 entries, 2 wanted, one for each class"),
    (MATRIX, matrix(["a", "b"], [[1, 2], [3]]), "matrix[1]", "has 1 entries, 2 wanted, one for each class"),
    (MATRIX, matrix(["a", "b"], [[1, 2], [3, -4]]), "matrix[1][1]", "is negative: -4"),
    (MATRIX, matrix(["a", "b"], [[1, 2], [1e300, 4]]), "matrix[1][0]", "is more than 9.00719925474099e+15: 1e+300"),
    (MATRIX, matrix(["a", "a"], [[1, 2], [3, 4]]), "class_labels[1]", "is the same class as class_labels[0]"),
    (MATRIX, matrix(["1", 1], [[1, 2], [3, 4]]), "class_labels[1]", "is the same class as class_labels[0]"),
    (MATRIX, matrix(["a", None], [[1, 2], [3, 4]]), "class_labels[1]", "is null, a text is wanted"),
    (MATRIX, matrix([], []), "class_labels", "is a list, a list of classes is wanted"),
    (TABLE, table([GOOD, GOOD]), "probability_tables", "has 2 entries, 1 wanted, one for each class"),
    (TABLE, table([GOOD[:1]]), "probability_tables[0]", "has 1 entries, 2 wanted, one for each threshold"),
    (TABLE, table([[[3, 2, 0], GOOD[1]]]), "probability_tables[0][0]", "has 3 entries, 4 wanted, one for each of TP, FP, TN, FN"),
    (TABLE, table([GOOD], (0.5, 0.0)), "probability_thresholds[1]", "is 0, below the 0.5 before it"),
    (TABLE, table([GOOD], (0.0, 1.5)), "probability_thresholds", "must lie between 0 and 1"),
    (TABLE, table([[GOOD[0], [1, 1, 1, 3]]]), "probability_tables[0][1]", "has TP + FN = 4, and the class has 3 at its first threshold"),
    (TABLE, table([[GOOD[0], [1, 1, 2, 2]]]), "probability_tables[0][1]", "has FP + TN = 3, and the class has 2 at its first threshold"),
    (TABLE, table([[GOOD[1], [2, 1, 1, 1]]]), "probability_tables[0][1][0]", "has more true positives than at the threshold below"),
    (TABLE, table([[GOOD[1], [1, 2, 0, 2]]]), "probability_tables[0][1][1]", "has more false positives than at the threshold below"),
    (TABLE, table([GOOD], percentile=[[[3, 1, 0, 0], [1, 1, 0, 2]]]), "percentile_tables[0]", "counts other samples than the probability table of the class"),
    (TABLE, table([GOOD, [[2, 2, 0, 0]] * 2], labels=("a", "b")), "probability_tables[1]", "counts 4 samples, others 5"),
    (RESIDUALS, document(RESIDUALS, {"bin_edges": [0, 1], "bin_counts": [1, 2]}), "bin_edges", "has 2 entries, 3 wanted, one for each bin and one more"),
    (RESIDUALS, document(RESIDUALS, {"bin_edges": [0, 2, 1], "bin_counts": [1, 2]}), "bin_edges[2]", "is 1, below the 2 before it"),
    (RESIDUALS, document(RESIDUALS, {"bin_edges": [0, 1], "bin_counts": [1], "res_count": 2}), "res_count", "is 2, and the bins count 1"),
    (RESIDUALS, document(RESIDUALS, {"bin_edges": [0, 1], "bin_counts": [1], "stddev": -1}), "stddev", "is negative: -1"),
    (RESIDUALS, document(RESIDUALS, {"bin_edges": [0, 1], "bin_counts": [1], "mean": None}), "mean", "is null, a number is wanted"),
    (HISTOGRAM, document(HISTOGRAM, {"bin_edges": [0], "bin_counts": []}), "bin_counts", "has 0 entries, some are wanted, one for each bin"),
    (PREDICTIONS, document(PREDICTIONS, {"bin_edges": [0, 1], "bin_counts": [1], "bin_averages": [None], "bin_errors": [1]}), "bin_averages[0]", "is null, a number is wanted"),
    (PREDICTIONS, document(PREDICTIONS, {"bin_edges": [0, 1], "bin_counts": [1], "bin_averages": [1], "bin_errors": [-1]}), "bin_errors[0]", "is negative: -1"),
    (PREDICTIONS, document(PREDICTIONS, {"bin_edges": [0, 1], "bin_counts": [0], "bin_averages": [None, None], "bin_errors": [0]}), "bin_averages", "has 2 entries, 1 wanted, one for each bin"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "value", "place", "text"), BROKEN, ids=[f"{entry[2]}-{entry[3]}" for entry in BROKEN]
)
def test_broken_rules(kind: MetricKind, value: Document, place: str, text: str) -> None:
    assert problem(kind, value) == (f"data.{place}", text)


def test_what_azure_writes_passes() -> None:
    """A class without samples is a table of zeros; the outermost bin may have no width; integers name classes."""
    zeros = [[0, 0, 0, 0]] * 2
    assert check(TABLE, table([GOOD, zeros], labels=("a", "b")))["data"]["probability_tables"][1] == zeros
    flat = document(RESIDUALS, {"bin_edges": [0, 1, 1], "bin_counts": [1, 0]})
    assert check(RESIDUALS, flat) == flat
    assert check(MATRIX, matrix([0, 1], [[1, 2], [3, 4]]))["data"]["class_labels"] == ["0", "1"]


def test_weighted_counts_need_not_add_up_to_the_last_bit() -> None:
    weighted = [[[0.3, 0.3, 0, 0], [0.1, 0.1, 0.2, 0.2]]]
    assert 0.1 + 0.2 != 0.3
    assert check(TABLE, table(weighted))["data"]["probability_tables"] == weighted
    assert (
        problem(TABLE, table([[[0.3, 0.3, 0, 0], [0.1, 0.1, 0.2, 0.2001]]]))[0]
        == "data.probability_tables[0][1]"
    )


@pytest.mark.parametrize("text", ["", "{", "NaN", '{"data": 1e999}', "[" * 5000])
def test_what_is_not_json(text: str) -> None:
    with pytest.raises(InvalidInput, match="p is not JSON") as caught:
        check_payload(MATRIX, text, "p", RecordLimits())
    assert caught.value.field == "p"


def test_the_limit_of_size() -> None:
    text = json.dumps(matrix(["é"], [[1]]), ensure_ascii=False)
    size = len(text.encode())
    check_payload(MATRIX, text, "p", RecordLimits(payload_bytes=size))
    with pytest.raises(LimitExceeded, match=f"p is {size} bytes long, the limit is {size - 1}"):
        check_payload(MATRIX, text, "p", RecordLimits(payload_bytes=size - 1))


# Recording


@pytest.fixture
async def declared(recorder: Recorder) -> Recorder:
    await recorder.record("w", [DeclareRun("r", experiment="e", name="r", source="test")])
    return recorder


def rows(kind: MetricKind, *texts: object, column: str = PAYLOAD) -> LogRows:
    return LogRows("r", "m", {column: list(texts)}, kind=kind)  # type: ignore[arg-type]  # wrong types are refused


async def test_what_is_kept_is_canonical(declared: Recorder, store: Store) -> None:
    given = '{ "data": {"matrix": [[1]], "class_labels": [7]}, "schema_version": "1.0.0", "schema_type": "confusion_matrix" }'
    kept = '{"schema_type":"confusion_matrix","schema_version":"1.0.0","data":{"class_labels":["7"],"matrix":[[1]]}}'
    recorded = await declared.record("w", [rows(MATRIX, given, kept)], writer="a", sequence=0)
    again = await declared.record("w", [rows(MATRIX, kept, given)], writer="a", sequence=0)
    assert again.repeated
    points = await read_points(store, metric_id(recorded.runs[0], "m"), 0, 9)
    assert points.columns[PAYLOAD].tolist() == [kept, kept]


GOOD_TEXT = json.dumps(matrix(["a"], [[1]]))


@pytest.mark.parametrize(
    ("operation", "error", "field"),
    [
        (rows(MATRIX, GOOD_TEXT, "{"), InvalidInput, "operations[0].payload[1]"),
        (rows(MATRIX, json.dumps(matrix(["a"], [[-1]]))), InvalidInput, "operations[0].payload.data.matrix[0][0]"),
        (rows(MATRIX, None), InvalidInput, "operations[0].payload"),
        (rows(MATRIX, 1.5), InvalidInput, "operations[0].payload"),
        (rows(TABLE, GOOD_TEXT), InvalidInput, "operations[0].payload.schema_type"),
        (rows(MATRIX, GOOD_TEXT, column="other"), InvalidInput, "operations[0].payload"),
        (LogRows("r", "m", {PAYLOAD: [GOOD_TEXT], "x": [1]}, kind=MATRIX), InvalidInput, "operations[0].payload"),
        (LogPoints("r", "m", [1.0], kind=RESIDUALS), InvalidInput, "operations[0].payload"),
        (rows(HISTOGRAM, "{}"), InvalidInput, "operations[0].payload.schema_type"),
        (rows(MetricKind.IMAGE, "../secret.png", column="path"), InvalidInput, "operations[0].path"),
    ],
)  # fmt: skip
async def test_rows_that_are_refused(
    declared: Recorder, operation: LogRows, error: type[RunsError], field: str
) -> None:
    with pytest.raises(error) as caught:
        await declared.record("w", [operation])
    assert caught.value.field == field


async def test_all_payloads_of_a_call_count_as_text(store: Store) -> None:
    recorder = Recorder(store, RecordLimits(text_bytes=2 * len(GOOD_TEXT)))
    declare = DeclareRun("r", experiment="e", name="r", source="test")
    await recorder.record("w", [declare, rows(MATRIX, GOOD_TEXT, GOOD_TEXT)])
    with pytest.raises(LimitExceeded, match="bytes of log text and payloads"):
        await recorder.record("w", [declare, rows(MATRIX, GOOD_TEXT, GOOD_TEXT, GOOD_TEXT)])
    await recorder.close()


async def test_large_payloads_of_several_calls_fit_into_batches(declared: Recorder, store: Store) -> None:
    """Each call is near the limit, and calls that wait are gathered into batches of bounded size."""
    wide = matrix([f"{index:0>2000}" for index in range(1000)], [[0] * 1000] * 1000)
    text = json.dumps(wide, separators=(",", ":"))
    assert 3.9e6 < len(text) < 4 << 20
    recorded = await asyncio.gather(*(declared.record("w", [rows(MATRIX, text)]) for _ in range(4)))
    assert len({one.n for one in recorded}) > 1
    points = await read_points(store, metric_id(recorded[0].runs[0], "m"), 0, 9)
    assert [len(found) for found in points.columns[PAYLOAD]] == [
        len(check_payload(MATRIX, text, "p", RecordLimits()))
    ] * 4
