"""Whole run folders: what the plugin says of them, and that it says it once."""

from __future__ import annotations

import json
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from graphql_runs.ingest.api import GROUP, Context, Limits, Stability, Tree
from graphql_runs.model.operation import AddArtifact, Annotate, DeclareRun, LogText, SetStatus
from graphql_runs.model.records import LogStream
from graphql_runs.model.run import Goal, Queueing, RunFailure
from graphql_runs.model.status import RunStatus
from graphql_runs.model.time import from_text
from graphql_runs_azureml import AzureMLIngester, ingester
from graphql_runs_azureml.ingester import AzureMLConfig
from plugins.azureml.tests.builder import (
    COMPLETED,
    CREATED,
    DRIVER,
    ENDED,
    SECRET,
    STARTED,
    Reading,
    details,
    new_run,
    old_run,
    put,
    read,
    sweep,
    tree_of,
)


def reported(reading: Reading, run_id: str | None = None) -> list[tuple[RunStatus, int | None]]:
    return [(status.status, status.at) for status in reading.of(SetStatus, run_id) if status.reported]


def test_the_entry_point_names_the_plugin() -> None:
    [point] = [point for point in entry_points(group=GROUP) if point.name == "azureml"]
    assert point.load() is ingester
    assert (ingester.name, ingester.precedence, ingester.stability) == ("azureml", 100, Stability.BETA)
    assert ingester.config() == AzureMLConfig()


def test_run_in_the_old_layout(tmp_path: Path) -> None:
    old_run(tmp_path / "r", "r", createdUtc=CREATED, displayName="first try")
    reading = read(tmp_path)
    run = reading.run("r")
    assert (run.experiment, run.name, run.source, run.display_name) == ("digits", "r", "azureml", "first try")
    assert (run.cluster, run.target, run.submitted_by) == ("cpu-cluster", "cpu-cluster", "a.person")
    assert (run.parent, run.root, run.created_at) == (None, None, from_text(CREATED))
    assert run.properties["azureml.git.commit"] == "0123456789abcdef0123456789abcdef01234567"
    assert reported(reading) == [
        (RunStatus.RUNNING, from_text(STARTED)),
        (RunStatus.COMPLETED, from_text(ENDED)),
    ]
    assert reading.of(SetStatus)[1].original == "Completed"
    [times] = [note for note in reading.of(Annotate) if note.started_at is not None]
    assert (times.started_at, times.ended_at) == (from_text(STARTED), from_text(ENDED))
    assert reading.log("r", "azureml-logs/70_driver_log.txt") == (DRIVER + COMPLETED).encode()
    streams = {text.path.split("/")[-1].split("-")[0]: text.stream for text in reading.of(LogText)}
    assert streams.pop("70_driver_log.txt") is LogStream.STDOUT
    assert set(streams.values()) == {LogStream.SYSTEM}
    assert len(streams) == 6
    assert [artifact.path for artifact in reading.of(AddArtifact)] == ["outputs/model.pkl"]
    assert (reading.skipped, reading.errors) == ([], [])


def test_run_in_the_new_layout(tmp_path: Path) -> None:
    new_run(tmp_path / "r", "r")
    reading = read(tmp_path)
    assert reading.log("r", "user_logs/std_log.txt").startswith(b"hello\n")
    assert reported(reading)[-1] == (RunStatus.COMPLETED, from_text(ENDED))
    assert [note.exit_code for note in reading.of(Annotate) if note.exit_code is not None] == [0]
    assert (reading.skipped, reading.errors) == ([], [])


def test_sweep(tmp_path: Path) -> None:
    reading = read(sweep(tmp_path))
    parent = reading.run("HD_1")
    assert (parent.kind, parent.primary_metric, parent.primary_metric_goal) == (
        "hyperdrive",
        "accuracy",
        Goal.MAXIMIZE,
    )
    assert {run_id: reading.run(run_id).params for run_id in ("HD_1_0", "HD_1_1", "HD_1_2")} == {
        "HD_1_0": {"lr": "0.1", "units": "1", "epochs": "5"},
        "HD_1_1": {"lr": "0.2", "units": "2", "epochs": "5"},
        "HD_1_2": {"lr": "0.30000000000000004", "units": "4", "epochs": "5"},
    }
    assert {(reading.run(f"HD_1_{k}").parent, reading.run(f"HD_1_{k}").root) for k in range(3)} == {
        ("HD_1", "HD_1")
    }
    assert (reading.skipped, reading.errors) == ([], [])


def test_params_that_the_parent_tells_later(tmp_path: Path) -> None:
    put(tmp_path / "HD", {"run_details.json": details("HD", "Running", tags={})})
    put(tmp_path / "HD_0", {"run_details.json": details("HD_0", "Running", parentRunId="HD")})
    first = read(tmp_path)
    assert first.run("HD_0").params == {}
    put(
        tmp_path / "HD",
        {"run_details.json": details("HD", "Running", tags={"_aml_system_HD_0": '{"--lr": 1}'})},
    )
    second = read(tmp_path, first.checkpoints)
    assert second.run("HD_0").params == {"lr": "1"}
    units = {unit.key: unit for unit in AzureMLIngester().units(tree_of(tmp_path))}
    assert units["details/HD"].files == units["details/HD_0"].watches


def test_automl(tmp_path: Path) -> None:
    settings = json.dumps({"primary_metric": "AUC_weighted", "metric_operation": "maximize"})
    put(
        tmp_path,
        {
            "AutoML_1/run_details.json": details(
                "AutoML_1",
                "Running",
                runType="automl",
                properties={"AMLSettingsJsonString": settings},
                tags={"_aml_system_automl_status": "Canceled", "automl_best_child_run_id": "AutoML_1_0"},
            ),
            "AutoML_1_0/run_details.json": details(
                "AutoML_1_0",
                parentRunId="AutoML_1",
                properties={
                    "iteration": "0",
                    "run_algorithm": "LightGBM",
                    "run_preprocessor": "MaxAbsScaler",
                    "goal": "AUC_weighted_max",
                },
            ),
        },
    )
    reading = read(tmp_path)
    parent, child = reading.run("AutoML_1"), reading.run("AutoML_1_0")
    assert (parent.primary_metric, parent.primary_metric_goal) == ("AUC_weighted", Goal.MAXIMIZE)
    assert (child.params["run_algorithm"], child.properties["iteration"]) == ("LightGBM", "0")
    status = reading.of(SetStatus, "AutoML_1")[-1]
    assert (status.status, status.source) == (
        RunStatus.CANCELED,
        "run_details.json tags._aml_system_automl_status",
    )


def test_failed_run(tmp_path: Path) -> None:
    message = "User program failed with ValueError: bad"
    error = {"error": {"code": "UserError", "message": message, "innerError": {"code": "BadArgument"}}}
    put(
        tmp_path / "r",
        {
            "run_details.json": details(
                "r", "Failed", error=error, warnings=[{"source": "x", "message": "careful"}]
            )
        },
    )
    reading = read(tmp_path)
    [note] = reading.of(Annotate)
    assert note.error == RunFailure(message, "UserError", "BadArgument")
    assert note.warnings is not None
    assert [warning.message for warning in note.warnings] == ["careful"]
    assert reported(reading)[-1] == (RunStatus.FAILED, from_text(ENDED))


def test_queued_run(tmp_path: Path) -> None:
    queueing = {"code": "WaitingForNodes", "message": "No node is free.", "lastRefreshTimestamp": STARTED}
    put(tmp_path / "r", {"run_details.json": details("r", "Queued", startTimeUtc=..., queueingInfo=queueing)})
    reading = read(tmp_path)
    assert [note.queueing for note in reading.of(Annotate)] == [
        Queueing("WaitingForNodes", "No node is free.", from_text(STARTED))
    ]
    assert reported(reading) == [(RunStatus.QUEUED, from_text(STARTED))]


def test_a_run_on_the_machine_that_submitted_it_has_no_cluster(tmp_path: Path) -> None:
    put(tmp_path / "r", {"run_details.json": details("r", target="local")})
    run = read(tmp_path).run("r")
    assert (run.cluster, run.target) == (None, "local")


def test_a_run_without_details(tmp_path: Path) -> None:
    put(tmp_path / "r", {"user_logs/std_log.txt": "x\n"}, 1000)
    put(tmp_path / "r", {"user_logs/later.txt": "x\n"}, 2000)
    reading = read(tmp_path)
    run = reading.run("r")
    assert (run.experiment, run.name, run.created_at) == ("source", "r", 1_000_000_000)


def test_a_life_in_rewritten_details(tmp_path: Path) -> None:
    stages: list[tuple[str, dict[str, object]]] = [
        ("NotStarted", {"startTimeUtc": ...}),
        ("Queued", {"startTimeUtc": ...}),
        ("Queued", {"startTimeUtc": ..., "tags": {"note": "still"}}),
        ("Preparing", {"startTimeUtc": ...}),
        ("Running", {}),
        ("Running", {"tags": {"best": "0.9"}}),
        ("Finalizing", {}),
        ("Completed", {}),
    ]
    reading = Reading()
    seen: list[list[tuple[RunStatus, int | None]]] = []
    second = from_text("2020-08-04T22:14:01Z") / 1e6
    for step, (status, fields) in enumerate(stages):
        put(
            tmp_path / "r",
            {"run_details.json": details("r", status, createdUtc=CREATED, **fields)},
            second + 10 * step,
        )
        reading = read(tmp_path, reading.checkpoints)
        seen.append(reported(reading))
        assert read(tmp_path, reading.checkpoints).operations == []
    at = [round(1e6 * (second + 10 * step)) for step in range(len(stages))]
    assert seen == [
        [(RunStatus.NOT_STARTED, from_text(CREATED))],
        [(RunStatus.QUEUED, at[1])],
        [(RunStatus.QUEUED, at[1])],
        [(RunStatus.PREPARING, at[3])],
        [(RunStatus.RUNNING, from_text(STARTED))],
        [(RunStatus.RUNNING, from_text(STARTED))],
        # By the file's clock this was before the start, which the service's clock gave: time does not go back.
        [(RunStatus.FINALIZING, from_text(STARTED))],
        [(RunStatus.COMPLETED, from_text(ENDED))],
    ]


def test_a_run_that_responds_again(tmp_path: Path) -> None:
    reading = Reading()
    late = from_text(STARTED) / 1e6 + 1000
    for step, status in enumerate(["Running", "NotResponding", "Running"]):
        put(tmp_path / "r", {"run_details.json": details("r", status)}, late + step)
        reading = read(tmp_path, reading.checkpoints)
    assert reported(reading) == [(RunStatus.RUNNING, round(1e6 * (late + 2)))]


def test_tags_that_go(tmp_path: Path) -> None:
    put(tmp_path / "r", {"run_details.json": details("r", tags={"a": "1", "b": "2"})})
    first = read(tmp_path)
    put(tmp_path / "r", {"run_details.json": details("r", tags={"b": "3", "c": "4"})})
    second = read(tmp_path, first.checkpoints)
    assert [note.remove_tags for note in second.of(Annotate)] == [("a",)]
    assert second.run("r").tags == {"b": "3", "c": "4"}


def test_everything_is_said_once(tmp_path: Path) -> None:
    sweep(tmp_path)
    new_run(tmp_path / "new", "new")
    put(tmp_path, {"cluster.json": {"name": "c", "allocationState": "Steady"}})
    first = read(tmp_path)
    assert first.operations
    again = read(tmp_path, first.checkpoints)
    assert (again.operations, again.skipped, again.errors) == ([], [], [])
    assert len(again.clusters) == 1
    # A plugin that was started afresh keeps nothing in its head.
    assert read(tmp_path, first.checkpoints, ingester=AzureMLIngester()).operations == []


def test_an_instance_can_be_used_for_many_sources(tmp_path: Path) -> None:
    plugin = AzureMLIngester()
    for name in ("one", "two"):
        old_run(tmp_path / name / "r", f"run of {name}")
        assert {declared.run_id for declared in read(tmp_path / name, ingester=plugin).of(DeclareRun)} == {
            f"run of {name}"
        }


def test_no_signature_ever_gets_through(tmp_path: Path) -> None:
    sweep(tmp_path)
    put(tmp_path / "broken", {"run_details.json": json.dumps(details("x"))[:-40] + SECRET}, 1000)
    reading = read(tmp_path)
    said = [
        *reading.operations,
        *reading.skipped,
        *reading.errors,
        *map(str, reading.errors),
        reading.checkpoints,
    ]
    assert SECRET not in repr([thing for thing in said if not isinstance(thing, LogText)])


def test_a_run_that_goes_while_it_is_read(tmp_path: Path) -> None:
    old_run(tmp_path / "r", "r")
    plugin = AzureMLIngester()
    tree = tree_of(tmp_path)
    units = list(plugin.units(tree))
    empty = Context(Tree(tmp_path, "source", ()), AzureMLConfig(), Limits())
    assert [list(plugin.read(unit, None, empty)) for unit in units] == [[] for _ in units]


def test_details_that_become_another_runs(tmp_path: Path) -> None:
    put(tmp_path / "r", {"run_details.json": details("one")})
    plugin, tree = AzureMLIngester(), tree_of(tmp_path)
    [unit] = plugin.units(tree)
    put(tmp_path / "r", {"run_details.json": details("two")})
    with pytest.raises(Exception, match="is of run 'two' now, and was of 'one'"):
        list(plugin.read(unit, None, Context(tree, AzureMLConfig(), Limits())))
