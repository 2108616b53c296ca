from __future__ import annotations

import json
from typing import Any

import pytest

from graphql_runs.model.operation import AddArtifact, LogRows
from graphql_runs.model.points import Values
from graphql_runs.model.records import MetricKind
from graphql_runs.record.compaction import Compactor, Merging
from graphql_runs.schema.limits import SchemaLimits
from tests.schema.conftest import Api, MakeApi

PAYLOAD = """query ($id: ID!, $name: String = "m", $step: Float) { run(id: $id) { metric(name: $name) {
  kind chart payload(step: $step) artifact(step: $step) { path url } } } }"""
RECORD = "mutation ($input: RecordInput!) { record(input: $input) { repeated } }"


def confusion(*rows: list[int]) -> dict[str, Any]:
    data = {"class_labels": ["cat", "dog"], "matrix": list(rows)}
    return {"schema_type": "confusion_matrix", "schema_version": "1.0.0", "data": data}


ACCURACY = {
    "schema_type": "accuracy_table",
    "schema_version": "1.0.1",
    "data": {
        "probability_tables": [
            [[82, 118, 0, 0], [75, 31, 87, 7], [66, 9, 109, 16], [46, 2, 116, 36], [0, 0, 118, 82]]
        ],
        "percentile_tables": [[[82, 118, 0, 0], [82, 67, 51, 0], [75, 26, 92, 7]]],
        "probability_thresholds": [0.0, 0.25, 0.5, 0.75, 1.0],
        "percentile_thresholds": [0.0, 0.01, 0.24],
        "class_labels": ["0"],
    },
}


async def metric(api: Api, id: str, **variables: Any) -> Any:
    return (await api.ask(PAYLOAD, id=id, **variables))["run"]["metric"]


async def test_the_newest_payload_and_that_of_a_step(api: Api) -> None:
    id = await api.create()
    for step in (0, 10, 20, 10):
        given = {
            "metric": "m",
            "kind": "CONFUSION_MATRIX",
            "step": step,
            "payload": confusion([step, 1], [2, 3]),
        }
        await api.record(id, payloads=[given])
    found = await metric(api, id)
    assert found == {
        "kind": "CONFUSION_MATRIX",
        "chart": "CONFUSION_MATRIX",
        "payload": confusion([10, 1], [2, 3]),
        "artifact": None,
    }
    assert (await metric(api, id, step=20))["payload"] == confusion([20, 1], [2, 3])
    assert (await metric(api, id, step=5))["payload"] is None
    rows = (
        await api.ask(
            'query ($id: ID!) { run(id: $id) { metric(name: "m") { rows { steps columns { name type values } } } } }',
            id=id,
        )
    )["run"]["metric"]["rows"]
    assert rows["steps"] == [0, 10, 20, 10]
    [column] = rows["columns"]
    assert (column["name"], column["type"]) == ("payload", "TEXT")
    assert json.loads(column["values"][2]) == confusion([20, 1], [2, 3])


async def test_steps_are_found_behind_many_rows_and_after_merging(api: Api) -> None:
    id = await api.create()
    texts = [json.dumps(confusion([row, 0], [0, 0])) for row in range(300)]
    for start in range(0, 300, 4):
        rows = LogRows(
            "run",
            "m",
            {"payload": texts[start : start + 4]},
            list(range(start, start + 4)),
            kind=MetricKind.CONFUSION_MATRIX,
        )
        await api.recorder.record("default", [rows], create=False)
    await api.record(
        id, payloads=[{"metric": "m", "kind": "CONFUSION_MATRIX", "payload": confusion([7, 7], [7, 7])}]
    )
    for _ in range(2):
        assert (await metric(api, id))["payload"] == confusion([7, 7], [7, 7])
        assert (await metric(api, id, step=3))["payload"] == confusion([3, 0], [0, 0])
        assert (await metric(api, id, step=299))["payload"] == confusion([299, 0], [0, 0])
        # A row without a step counts under its number.
        assert (await metric(api, id, step=300))["payload"] == confusion([7, 7], [7, 7])
        await Compactor(api.store, Merging(items=2)).round()


@pytest.mark.parametrize(
    ("given", "field", "message"),
    [
        ({"kind": "CONFUSION_MATRIX", "payload": confusion([1, -1], [0, 0])}, "payload.data.matrix[0][1]", "is negative: -1"),
        ({"kind": "ACCURACY_TABLE", "payload": confusion([1, 1], [0, 0])}, "payload.schema_type", "'accuracy_table' is wanted"),
        ({"kind": "CONFUSION_MATRIX"}, "payload", "is wanted for CONFUSION_MATRIX, and nothing else"),
        ({"kind": "RESIDUALS", "payload": {}, "artifact": "a"}, "payload", "is wanted for RESIDUALS, and nothing else"),
        ({"kind": "IMAGE", "payload": {}}, "artifact", "is wanted for IMAGE, and nothing else"),
        ({"kind": "IMAGE", "artifact": "/etc/passwd"}, "path", "must be relative to the run"),
        ({"kind": "SCALAR", "payload": 1}, "kind", "SCALAR has no payload"),
    ],
)  # fmt: skip
async def test_refused_ones_leave_nothing(api: Api, given: dict[str, Any], field: str, message: str) -> None:
    id = await api.create()
    good = {"metric": "good", "kind": "CONFUSION_MATRIX", "payload": confusion([1, 1], [1, 1])}
    error = await api.error(RECORD, input={"run": id, "payloads": [good, {"metric": "m", **given}]})
    assert error["extensions"] == {"code": "BAD_USER_INPUT", "field": f"input.payloads[1].{field}"}
    assert message in error["message"]
    assert error["message"].startswith(f"input.payloads[1].{field}")
    assert (await api.ask("query ($id: ID!) { run(id: $id) { metrics { totalCount } } }", id=id))["run"] == {
        "metrics": {"totalCount": 0}
    }


async def test_a_payload_that_is_written_in_the_query(api: Api) -> None:
    id = await api.create()
    query = """mutation ($id: ID!) { record(input: { run: $id, payloads: [{ metric: "h", kind: HISTOGRAM, payload:
      { schema_type: "histogram", schema_version: "1.0.0", data: { bin_edges: [0, 0.5, %s], bin_counts: [3, 4] } } }] }) {
      repeated } }"""
    await api.ask(query % "1", id=id)
    found = await metric(api, id, name="h")
    assert found["payload"]["data"] == {"bin_edges": [0, 0.5, 1], "bin_counts": [3, 4]}
    error = await api.error(query % ("1" + "0" * 30), id=id)
    assert error["extensions"]["field"] == "input.payloads[0].payload"


async def test_an_image_names_an_output(api: Api) -> None:
    id = await api.create()
    await api.record(id, payloads=[{"metric": "m", "kind": "IMAGE", "step": 1, "artifact": "images/a b.png"}])
    assert await metric(api, id, step=1) == {
        "kind": "IMAGE",
        "chart": "IMAGE",
        "payload": {"path": "images/a b.png"},
        "artifact": None,
    }
    told = AddArtifact("run", "images/a b.png", 3, location="somewhere.png")
    await api.recorder.record("default", [told], create=False)
    found = await metric(api, id)
    assert found["artifact"] == {
        "path": "images/a b.png",
        "url": f"http://runs.test/artifacts/{id}/images/a%20b.png",
    }


async def test_histograms_and_images_that_were_logged_as_columns(api: Api) -> None:
    id = await api.create()
    bins: dict[str, Values] = {"count": [7.0], "edges": ["[0, 0.5, 1]"], "counts": ["[3, 4]"]}
    odd: dict[str, Values] = {"count": [7.0], "edges": ["[0, 0.5, 1]"], "counts": ["[3]"]}
    image: dict[str, Values] = {"width": [2], "height": [None], "image": ["data:image/png;base64,AA=="]}
    rows = [
        LogRows("run", "bins", bins, kind=MetricKind.HISTOGRAM),
        LogRows("run", "odd", odd, kind=MetricKind.HISTOGRAM),
        LogRows("run", "image", image, kind=MetricKind.IMAGE),
        LogRows("run", "text", {"text": ["hi"]}, kind=MetricKind.TEXT),
    ]
    await api.recorder.record("default", rows, create=False)
    assert (await metric(api, id, name="bins"))["payload"] == {
        "schema_type": "histogram",
        "schema_version": "1.0.0",
        "data": {"bin_edges": [0, 0.5, 1], "bin_counts": [3, 4]},
    }
    assert (await metric(api, id, name="odd"))["payload"] == {
        "count": 7,
        "edges": "[0, 0.5, 1]",
        "counts": "[3]",
    }
    assert (await metric(api, id, name="image"))["payload"] == {
        "width": 2,
        "image": "data:image/png;base64,AA==",
    }
    assert (await metric(api, id, name="text"))["payload"] is None


DERIVED = """query ($id: ID!) { run(id: $id) { metric(name: "m") { derived {
  samples accuracy
  classes { label support precision recall specificity f1 roc { ...c } precisionRecall { ...c } gain { ...c } lift { ...c }
    calibration { predicted observed counts } }
  micro { label support roc { area } }
  macro { precision recall specificity f1 rocArea averagePrecision }
  weighted { f1 rocArea } } } } }
fragment c on ThresholdCurve { thresholds x y area }"""


async def test_scores_follow_from_a_confusion_matrix(api: Api) -> None:
    id = await api.create()
    given = {"metric": "m", "kind": "CONFUSION_MATRIX", "payload": confusion([3, 1], [0, 0])}
    await api.record(id, payloads=[given])
    found = (await api.ask(DERIVED, id=id))["run"]["metric"]["derived"]
    assert (found["samples"], found["accuracy"], found["micro"]) == (4, 0.75, None)
    cat, dog = found["classes"]
    none = dict.fromkeys(("roc", "precisionRecall", "gain", "lift", "calibration"))
    assert cat == {
        "label": "cat",
        "support": 4,
        "precision": 1,
        "recall": 0.75,
        "specificity": None,
        "f1": 6 / 7,
        **none,
    }
    assert dog == {
        "label": "dog",
        "support": 0,
        "precision": 0,
        "recall": None,
        "specificity": 0.75,
        "f1": 0,
        **none,
    }
    assert found["macro"] == {
        "precision": 0.5, "recall": 0.75, "specificity": 0.75, "f1": 3 / 7, "rocArea": None, "averagePrecision": None
    }  # fmt: skip
    assert found["weighted"] == {"f1": 6 / 7, "rocArea": None}


async def test_curves_follow_from_an_accuracy_table(api: Api) -> None:
    id = await api.create()
    await api.record(id, payloads=[{"metric": "m", "kind": "ACCURACY_TABLE", "payload": ACCURACY}])
    found = (await api.ask(DERIVED, id=id))["run"]["metric"]["derived"]
    [one] = found["classes"]
    assert (found["samples"], found["accuracy"], one["support"], one["f1"]) == (200, None, 82, None)
    assert one["roc"]["thresholds"] == [1, 0.75, 0.5, 0.25, 0]
    assert one["roc"]["x"] == pytest.approx([0, 2 / 118, 9 / 118, 31 / 118, 1])
    assert one["roc"]["y"] == pytest.approx([0, 46 / 82, 66 / 82, 75 / 82, 1])
    assert one["precisionRecall"]["y"] == pytest.approx([1, 46 / 48, 66 / 75, 75 / 106, 82 / 200])
    # The percentile table lacks the end where nothing is predicted positive.
    assert one["gain"]["thresholds"] == ["Infinity", 0.24, 0.01, 0]
    assert one["gain"]["x"] == pytest.approx([0, 101 / 200, 149 / 200, 1])
    assert one["lift"]["y"] == pytest.approx([75 / 101 / 0.41, 82 / 149 / 0.41, 1])
    assert one["lift"]["area"] is None
    assert one["calibration"]["predicted"] == [0.125, 0.375, 0.625, 0.875]
    assert one["calibration"]["counts"] == [94, 31, 27, 48]
    area = one["roc"]["area"]
    assert found["micro"] == {"label": "micro", "support": 82, "roc": {"area": area}}
    assert (found["macro"]["rocArea"], found["weighted"]["rocArea"]) == (area, area)


async def test_other_kinds_derive_nothing(api: Api) -> None:
    id = await api.create()
    await api.record(id, points=[{"metric": "m", "values": [1]}])
    assert (await api.ask(DERIVED, id=id))["run"]["metric"] == {"derived": None}


async def test_payloads_cost(make_api: MakeApi) -> None:
    api = make_api(SchemaLimits(cost=200))
    query = (
        'query { workspaces { nodes { name } } run(id: "x") { metrics(first: %d) { nodes { payload } } } }'
    )
    assert (await api.answer(query % 1)).get("errors") is None
    assert (await api.error(query % 10))["extensions"]["code"] == "LIMIT_EXCEEDED"


async def test_payloads_are_seen_live(api: Api) -> None:
    id = await api.create()
    query = """subscription ($id: ID!) { runTree(run: $id) { caughtUp metrics { metric { name payload } columns { name values } } } }"""
    stream = api.follow(query, id=id)
    try:
        await api.record(id, payloads=[{"metric": "m", "kind": "ACCURACY_TABLE", "payload": ACCURACY}])
        while True:
            update = (await anext(stream))["data"]["runTree"]
            if update["metrics"]:
                break
        [delta] = update["metrics"]
        assert delta["metric"] == {"name": "m", "payload": ACCURACY}
        assert json.loads(delta["columns"][0]["values"][0]) == ACCURACY
    finally:
        await stream.aclose()
