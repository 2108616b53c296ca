"""The details of a run, field by field."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphql_runs.ingest.api import Unreadable
from graphql_runs.model.run import Goal, Queueing, RunFailure, RunWarning
from graphql_runs.model.status import RunStatus
from graphql_runs.model.time import from_text
from graphql_runs_azureml.details import Details, details_of, is_details, parse_details
from graphql_runs_azureml.document import Document
from plugins.azureml.tests.builder import CREATED, ENDED, SECRET, STARTED, details, signed

PATH = PurePosixPath("HD_1/run_details.json")
RUN_HISTORY = (
    "https://eastus.experiments.azureml.net/execution/v1.0/subscriptions/0a-1b/resourceGroups/group/providers/"
    "Microsoft.MachineLearningServices/workspaces/space/experiments/hand%20written/runs/r1/cancel"
)


def parsed(status: str = "Completed", **fields: object) -> Details:
    return parse_details(details("r1", status, **fields), PATH)


def test_get_details() -> None:
    found = parsed()
    assert (found.run_id, found.status, found.original, found.status_field) == (
        "r1",
        RunStatus.COMPLETED,
        "Completed",
        "status",
    )
    assert (found.target, found.submitted_by, found.experiment) == ("cpu-cluster", "a.person", "digits")
    assert found.started_at == from_text("2020-08-04T22:15:44.407305Z")
    assert found.ended_at == from_text("2020-08-04T22:17:02.900000Z")
    assert found.properties["azureml.git.branch"] == "main"
    assert found.properties["ContentSnapshotId"] == "9f3dd135-59b3-4d4a-8f11-53194114d968"
    assert (found.error, found.queueing, found.created_at, found.parent_id) == (None, None, None, None)
    assert found.problems == ()


def test_run_document() -> None:
    found = parsed(
        createdUtc=CREATED,
        rootRunId="root",
        parentRunId="parent",
        displayName="shy_owl",
        name="first",
        description="a\nrun",
        runType="azureml.scriptrun",
        createdBy={"userName": "Another Person"},
        submittedBy=None,
        tags={"kept": "yes", "empty": None, "count": 3},
        primaryMetricName="loss",
        experimentName=None,
        cancelUri=RUN_HISTORY,
        token="a secret",
    )
    assert (found.root_id, found.parent_id) == ("root", "parent")
    assert (found.display_name, found.name, found.description) == ("shy_owl", "first", "a\nrun")
    assert (found.kind, found.submitted_by, found.primary_metric) == (
        "azureml.scriptrun",
        "Another Person",
        "loss",
    )
    assert found.created_at == from_text("2020-08-04T22:14:01.123456Z")
    assert found.tags == {"kept": "yes", "empty": "", "count": "3"}
    assert found.experiment == "hand written"
    assert (
        found.portal_url
        == "https://ml.azure.com/runs/r1?wsid=/subscriptions/0a-1b/resourcegroups/group/workspaces/space"
    )
    assert "a secret" not in repr(found)


@pytest.mark.parametrize("status", [status for status in RunStatus if status is not RunStatus.UNKNOWN])
def test_all_statuses_of_azure(status: RunStatus) -> None:
    word = "".join(part.capitalize() for part in status.split("_"))
    found = parsed(word)
    assert (found.status, found.original) == (status, word)


def test_a_new_word_for_a_status_is_kept() -> None:
    found = parsed("Teleporting")
    assert (found.status, found.original) == (RunStatus.UNKNOWN, "Teleporting")


def test_no_end_while_running() -> None:
    assert parsed("Running").ended_at is None
    assert parsed("Running", endTimeUtc="0001-01-01T00:00:00").ended_at is None
    assert parsed("Running", endTimeUtc="0001-01-01T00:00:00").problems == ()


def test_queueing() -> None:
    message = "The job is waiting; position 3 in the queue."
    found = parsed(
        "Queued", queueingInfo={"code": "Waiting", "message": message, "lastRefreshTimestamp": STARTED}
    )
    assert found.queueing == Queueing("Waiting", message, from_text(STARTED), 3)


def test_failure_with_inner_errors() -> None:
    error = {
        "code": "UserError",
        "message": "exit code 1",
        "details": [{"code": "Trace", "message": "line 3"}],
        "innerError": {"code": "BadArgument", "innerError": {"code": "AuthorizationError"}},
    }
    found = parsed("Failed", error={"error": error, "correlation": {"operation": "x"}})
    assert found.error == RunFailure(
        "exit code 1", "UserError", "BadArgument > AuthorizationError\nTrace: line 3"
    )


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        ({"code": "SystemError", "message": "lost"}, RunFailure("lost", "SystemError")),
        ({"error": {"code": "SystemError"}}, RunFailure("SystemError", "SystemError")),
        ("it broke", RunFailure("it broke")),
        ({}, None),
        ({"error": {}}, None),
    ],
)
def test_other_shapes_of_failures(error: object, expected: RunFailure | None) -> None:
    assert parsed("Failed", error=error).error == expected


def test_warnings() -> None:
    found = parsed(warnings=[{"source": "Sdk", "message": "careful"}, {"source": "x"}, "oops"])
    assert found.warnings == (RunWarning("careful", "Sdk"),)
    assert found.problems == ("warnings[2] is a text, not an object",)
    assert parsed(warnings=[]).warnings == ()
    assert parsed().warnings is None


def test_hyperdrive_parent() -> None:
    found = parsed(
        tags={
            "_aml_system_r1_0": '{"--lr": 0.1, "net": {"depth": 2}}',
            "r1_1": '{"--lr": 0.2}',
            "_aml_system_r1_1": '{"--lr": 0.3}',
            "r1_2": '{"lr": "a"}',
            "_aml_system_r1_preparation": "{}",
            "_aml_system_r2_0": "{}",
            "_aml_system_primary_metric_config": '{"name": "acc", "goal": "PrimaryMetricGoal.MAXIMIZE"}',
        },
    )
    assert found.children == {
        "r1_0": {"lr": "0.1", "net": '{"depth":2}'},
        "r1_1": {"lr": "0.3"},
        "r1_2": {"lr": "a"},
    }
    assert (found.primary_metric, found.primary_metric_goal) == ("acc", Goal.MAXIMIZE)


def test_hyperparameters_go_before_arguments() -> None:
    arguments = [
        "train.py",
        "--lr",
        "$lr",
        "--sizes",
        1,
        2,
        "--decay=-0.5",
        "--low",
        -0.1,
        "-v",
        "--name",
        "x y",
        "--flag",
    ]
    found = parsed(
        runDefinition={"arguments": arguments},
        tags={"_aml_system_hyperparameters": '{"--lr": 0.01}'},
    )
    assert found.params == {
        "lr": "0.01",
        "sizes": "1 2",
        "decay": "-0.5",
        "low": "-0.1",
        "v": "true",
        "name": "x y",
        "flag": "true",
    }


def test_automl_parent() -> None:
    found = parsed(
        "Running",
        runType="automl",
        properties={
            "AMLSettingsJsonString": '{"primary_metric": "AUC_weighted", "metric_operation": "maximize"}'
        },
        tags={"_aml_system_automl_status": "Completed", "automl_best_child_run_id": "r1_7"},
    )
    assert (found.primary_metric, found.primary_metric_goal) == ("AUC_weighted", Goal.MAXIMIZE)
    assert (found.status, found.original) == (RunStatus.COMPLETED, "Completed")
    assert found.status_field == "tags._aml_system_automl_status"
    assert found.tags["automl_best_child_run_id"] == "r1_7"


def test_automl_child() -> None:
    properties = {
        "iteration": "7",
        "run_algorithm": "LightGBM",
        "run_preprocessor": "MaxAbsScaler",
        "goal": "norm_rmse_min",
    }
    found = parsed(properties=properties)
    assert found.params == {"run_algorithm": "LightGBM", "run_preprocessor": "MaxAbsScaler"}
    assert (found.primary_metric, found.primary_metric_goal) == ("norm_rmse", Goal.MINIMIZE)
    assert found.properties == properties


def test_step_of_a_pipeline_names_its_parent() -> None:
    assert parsed(properties={"azureml.pipelinerunid": "pipeline"}).parent_id == "pipeline"


def test_signed_urls_lose_their_query() -> None:
    found = parsed(
        "Failed",
        error={"error": {"message": f"could not read {signed('a.csv')} see https://aka.ms/x?y=1"}},
        tags={"data": signed("b.csv")},
        properties={"where": signed("c.csv")},
        runDefinition={"arguments": ["--data", signed("d.csv")]},
        warnings=[{"message": signed("e.csv")}],
    )
    assert SECRET not in repr(found)
    assert found.error is not None
    assert found.error.message.endswith("a.csv see https://aka.ms/x?y=1")
    assert found.tags["data"] == "https://store.example/azureml/ExperimentRun/dcid.x/b.csv"


def test_log_names_that_lead_out_are_told_and_nothing_else_of_them() -> None:
    names = {
        "../../etc/passwd": signed("x"),
        "/etc/shadow": signed("y"),
        "logs/../../x": "",
        "azureml-logs/70_driver_log.txt": "",
    }
    found = parsed(logFiles=names)
    assert len(found.problems) == 3
    assert all("outside of the run's folder" in problem for problem in found.problems)
    assert SECRET not in repr(found)


def test_fields_of_a_wrong_type_are_left_out_one_by_one() -> None:
    found = parsed(
        startTimeUtc=5,
        createdUtc="yesterday",
        target=["a"],
        tags=["b"],
        properties={"good": "1", "n" * 10_240: "long", "line\nbreak": "x", "big": "v" * 70_000},
        submittedBy="ok",
    )
    assert (found.started_at, found.created_at, found.tags) == (None, None, {})
    assert (found.properties, found.submitted_by) == ({"good": "1"}, "ok")
    assert any(problem.startswith("startTimeUtc is a number") for problem in found.problems)
    assert any(problem == "createdUtc is not a time: 'yesterday'" for problem in found.problems)
    assert any("is 10240 bytes long, the limit is 1024" in problem for problem in found.problems)
    assert any("holds a control character" in problem for problem in found.problems)
    assert any("70000 bytes" in problem for problem in found.problems)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("runId", 7, "runId is a number, not a text"),
        ("runId", "", "runId is empty"),
        ("runId", "a\nb", "runId holds a control character"),
        ("runId", "r" * 2000, "runId is 2000 bytes long"),
        ("runId", "run_" + "0" * 26, "runId has the shape of a server id"),
        ("status", None, "status is null, not a text"),
        ("status", " ", "status is an empty text"),
    ],
)
def test_without_id_or_status_nothing_can_be_said(field: str, value: object, message: str) -> None:
    with pytest.raises(Unreadable, match=message) as caught:
        parse_details(details("r1") | {field: value}, PATH)
    assert caught.value.path == str(PATH)


@pytest.mark.parametrize("run_id", ["späße ☃", "a/b", "x:y|z", "..", "%2e", "HD_1 (copy)"])
def test_strange_run_ids_are_kept(run_id: str) -> None:
    assert parse_details({"runId": run_id, "status": "Running"}, PATH).run_id == run_id


def test_two_documents_of_one_run() -> None:
    older = Document(
        PATH, {"runId": "r1", "status": "Running", "displayName": "a", "description": "d"}, 1, b""
    )
    newer = Document(
        PATH, {"runId": "r1", "status": "Completed", "displayName": "b", "description": None}, 2, b""
    )
    found = details_of([older, newer])
    assert (found.status, found.display_name, found.description) == (RunStatus.COMPLETED, "b", "d")
    with pytest.raises(Unreadable, match="another run"):
        details_of([older, Document(PATH, {"runId": "r2", "status": "Running"}, 2, b"")])


TEXT = st.text(st.characters(exclude_categories=()), max_size=12)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from([CREATED, ENDED, signed("x"), "{}", "[1]"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)
NAMES = [
    *details("r1"),
    "createdUtc",
    "parentRunId",
    "rootRunId",
    "displayName",
    "name",
    "tags",
    "error",
    "warnings",
    "queueingInfo",
    "cancelUri",
    "hyperparameters",
]
TAGS = st.dictionaries(
    st.sampled_from(
        ["_aml_system_r1_0", "primary_metric_config", "hyperparameters", "_aml_system_automl_status", "x"]
    ),
    JSON,
)


@given(
    st.dictionaries(st.sampled_from(NAMES) | TEXT, JSON),
    st.just("r1") | JSON,
    TAGS | JSON,
    st.dictionaries(st.sampled_from(["AMLSettingsJsonString", "goal", "azureml.pipelinerunid"]), JSON) | JSON,
    st.fixed_dictionaries({"arguments": JSON}) | JSON,
    st.fixed_dictionaries(
        {"error": st.dictionaries(st.sampled_from(["code", "message", "innerError", "details"]), JSON)}
    )
    | JSON,
)
def test_whatever_the_details_hold_they_are_parsed_or_unreadable(
    fields: dict[str, object],
    run_id: object,
    tags: object,
    properties: object,
    definition: object,
    error: object,
) -> None:
    value = {
        **fields,
        "runId": run_id,
        "tags": tags,
        "properties": properties,
        "runDefinition": definition,
        "error": error,
    }
    value.setdefault("status", "Running")
    assert is_details(value)
    try:
        found = parse_details(value, PATH)
    except Unreadable:
        return
    # Whatever is let through is valid Unicode, as the server wants it.
    repr(found).encode()
    for texts in (found.tags, found.params, found.properties, *found.children.values()):
        for key, text in texts.items():
            assert key.encode()
            text.encode()
    assert all(len(problem.encode()) <= 500 for problem in found.problems)


def test_details_nested_too_deeply_for_a_tag() -> None:
    deep: object = "x"
    for _ in range(5000):
        deep = [deep]
    found = parsed(tags={"deep": deep, "good": "1"}, runDefinition={"arguments": ["--deep", deep]})
    assert found.tags == {"good": "1"}
    assert any("nested too deeply" in problem for problem in found.problems)
