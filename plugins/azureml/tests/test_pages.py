"""Many runs in one document, as the run history answers queries."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path, PurePosixPath

import pytest

from graphql_runs.ingest.api import Limits, Unreadable
from graphql_runs.model.operation import Annotate, LogPoints, LogRows
from graphql_runs.model.status import RunStatus
from graphql_runs_azureml import AzureMLIngester
from plugins.azureml.tests.builder import Reading, details, points, put, read, reasons, same, tree_of
from plugins.azureml.tests.test_host import following, until
from plugins.azureml.tests.written import recorded

BEGIN = 1_772_359_200_123_456
"""The time of creation that azureml-core was given, in microseconds."""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A copy of what azureml-core wrote."""
    shutil.copytree(recorded(), tmp_path, dirs_exist_ok=True)
    return tmp_path


def last_status(reading: Reading, run_id: str) -> tuple[RunStatus, int | None]:
    status = reading.statuses(run_id, reported=True)[-1]
    return status.status, status.at


def test_every_run_of_every_page_is_a_run(source: Path) -> None:
    reading = read(source)
    assert {run.run_id for run in reading.runs} == {
        "pipeline", "sweep", "sweep_3", "sweep_4", "failed", "offline",
    }  # fmt: skip
    parents = {run_id: reading.run(run_id).parent for run_id in ("pipeline", "sweep", "sweep_3", "sweep_4")}
    assert parents == {"pipeline": None, "sweep": None, "sweep_3": "sweep", "sweep_4": "sweep"}
    for run_id in parents:
        run = reading.run(run_id)
        assert (run.display_name, run.name) == (f"job {run_id} ü", f"name-{run_id}")
        assert (run.experiment, run.target, run.submitted_by) == ("digits", "cpu-cluster", "A Person")
        assert run.created_at == BEGIN
        assert last_status(reading, run_id) == (RunStatus.COMPLETED, BEGIN + 65_000_000)
        [facts] = reading.of(Annotate, run_id)
        assert (facts.started_at, facts.ended_at) == (BEGIN + 5_000_000, BEGIN + 65_000_000)
        assert [(one.source, one.message) for one in facts.warnings or ()] == [("compute", "slow disk")]
    assert reading.run("sweep_3").params == {"lr": "0.1"}
    assert reading.run("pipeline").tags == {"größe": "klein"}
    assert reading.run("pipeline").properties == {"azureml.git.branch": "main"}
    assert reading.run("sweep").kind == "hyperdrive"
    assert reading.errors == []
    assert reasons(reading.skipped) == ["metrics of the kind image are not read yet"]
    assert "secret-token" not in str(reading.operations)


def test_the_document_of_one_run(source: Path) -> None:
    reading = read(source / "failed")
    assert last_status(reading, "failed") == (RunStatus.FAILED, BEGIN + 65_000_000)
    [facts] = reading.of(Annotate, "failed")
    assert facts.error is not None
    assert (facts.error.message, facts.error.code, facts.error.detail) == (
        "out of memory",
        "UserError",
        "OOM",
    )


def test_what_a_run_without_a_service_prints(source: Path) -> None:
    reading = read(source / "offline")
    expected = [0.5, math.nan, math.inf, -math.inf, 1e-300, 0.25, 2**53 + 1]
    assert same(points(reading, "löss"), expected)
    [exact] = [one for points in reading.of(LogPoints) for one in points.values if one == 2**53 + 1]
    assert exact == 2**53 + 1
    assert points(reading, "n") == [3]
    assert same(points(reading, "list"), [1, 2.5, math.inf])
    rows = {
        (one.metric, name): [*column] for one in reading.of(LogRows) for name, column in one.columns.items()
    }
    assert rows["table", "x"] == [1, 2]
    assert rows["table", "y"] == [3, 4.5]
    row = [one.columns for one in reading.of(LogRows) if one.metric == "row"]
    assert [value for columns in row for value in columns["a"]] == [1, 2]
    assert [value for columns in row for value in columns["b"]] == [2.5, 0.125]


def test_a_page_and_the_files_of_its_runs_come_together(source: Path) -> None:
    put(source / "downloads" / "sweep_4", {"artifacts/user_logs/std_log.txt": "hello\n"})
    put(source / "downloads" / "any", {"get_details.json": {"runId": "sweep_3", "status": "Completed"}})
    reading = read(source)
    assert reading.log("sweep_4", "user_logs/std_log.txt") == b"hello\n"
    assert reading.run("sweep_4").display_name == "job sweep_4 ü"
    # The details by themselves have neither name nor parent.
    assert (reading.run("sweep_3").display_name, reading.run("sweep_3").parent) == ("job sweep_3 ü", "sweep")
    assert {run.root_id for run in reading.runs if run.run_id.startswith("sweep")} == {"sweep"}


def test_a_list_of_details_without_an_answer_around_it(tmp_path: Path) -> None:
    put(tmp_path, {"children.json": [details("a"), details("b", "Failed")]})
    reading = read(tmp_path)
    assert last_status(reading, "a")[0] is RunStatus.COMPLETED
    assert last_status(reading, "b")[0] is RunStatus.FAILED


def test_what_is_wrong_on_a_page_is_said_and_the_rest_is_taken(tmp_path: Path) -> None:
    entries = [
        details("good"), 7, {"status": "Running"}, details(""), details("no-status", " "), details("good", "Failed"),
        details("..", displayName="up"), details("a/b"),
    ]  # fmt: skip
    put(tmp_path, {"runs_1.json": {"value": entries, "continuationToken": None}})
    reading = read(tmp_path)
    assert {run.run_id for run in reading.runs} == {"good", "..", "a/b"}
    assert all(".." not in run.path.parts for run in reading.runs)
    assert [reason.split(":")[0] for reason in reasons(reading.skipped)] == [
        "entry 1 is a number, not an object",
        "entry 2 has a runId that is null, not a text",
        "entry 3 has a runId that is empty",
        "entry 4 of the run 'no-status' has no status",
        "entry 5 is of the run 'good', which the page has already",
    ]
    assert last_status(reading, "good")[0] is RunStatus.COMPLETED


@pytest.mark.parametrize(
    "content", ["{}", "[]", '{"value": 3}', '{"value": [{"a": 1}]}', "[1, 2]", "no json"]
)
def test_a_file_of_this_name_that_is_no_page_is_left_alone(tmp_path: Path, content: str) -> None:
    put(tmp_path, {"runs.json": content})
    assert list(AzureMLIngester().units(tree_of(tmp_path))) == []


def test_a_page_that_cannot_be_read_is_an_error_with_its_line(tmp_path: Path) -> None:
    put(tmp_path, {"runs.json": '{"value": [\n{"runId": "a", "status": "Running"},\n'})
    [error] = read(tmp_path).errors
    assert isinstance(error, Unreadable)
    assert (error.path, error.line) == ("runs.json", 3)
    put(tmp_path, {"runs.json": [details("a")]})
    [error] = read(tmp_path, limits=Limits(json_bytes=100)).errors
    assert "larger than 100 bytes" in str(error)


def test_a_run_that_has_not_changed_says_nothing_when_its_page_does(tmp_path: Path) -> None:
    put(tmp_path, {"runs.json": [details("a", "Running"), details("b", "Running")]})
    first = read(tmp_path)
    put(tmp_path, {"runs.json": [details("a", "Completed"), details("b", "Running"), details("c", "Queued")]})
    again = read(tmp_path, first.checkpoints)
    assert {getattr(operation, "run_id", None) for operation in again.operations} == {"a", "c"}
    assert last_status(again, "a")[0] is RunStatus.COMPLETED


async def test_a_page_is_followed(tmp_path: Path) -> None:
    page = put(tmp_path, {"runs.json": {"value": [details("a", "Running")]}}) / "runs.json"
    async with following(tmp_path) as (host, records):
        await until(lambda: "a" in records.runs())
        page.write_text(json.dumps({"value": [details("a", "Completed"), details("b", "Queued")]}))
        await until(lambda: "b" in records.runs())
        await until(lambda: records.statuses("a")[-1].status is RunStatus.COMPLETED)
        assert all(report.last_error is None for report in host.reports())


def test_units_of_a_page_take_nothing(source: Path) -> None:
    units = [unit for unit in AzureMLIngester().units(tree_of(source)) if unit.key.startswith("page/")]
    assert {unit.watches for unit in units} == {
        (PurePosixPath("runs.json"),),
        (PurePosixPath("runs-2.json"),),
    }
    assert all(unit.files == () and unit.run is None for unit in units)
