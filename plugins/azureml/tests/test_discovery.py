"""Which folders are runs, and whose children they are."""

from __future__ import annotations

import json
import time
from pathlib import Path, PurePosixPath

import pytest

from graphql_runs.ingest.api import Unreadable
from graphql_runs.model.operation import DeclareRun, LogText, SetStatus
from graphql_runs.model.status import RunStatus
from graphql_runs_azureml import AzureMLIngester
from plugins.azureml.tests.builder import (
    DRIVER,
    details,
    new_run,
    old_run,
    put,
    read,
    reasons,
    sweep,
    tree_of,
)

LONG_AGO = 1_600_000_000.0


def folders(source: Path) -> dict[str, tuple[str, str]]:
    """Run id and root id by folder."""
    return {str(run.path): (run.run_id, run.root_id) for run in AzureMLIngester().runs(tree_of(source))}


def parent(source: Path, run_id: str) -> str | None:
    return read(source).run(run_id).parent


def test_nothing_of_azure(tmp_path: Path) -> None:
    put(
        tmp_path,
        {
            "train.log": "x\n",
            "outputs/metrics.jsonl": "{}\n",
            "run.json": {"status": "RUNNING", "_id": 1},
            "details.json": "[1]",
        },
    )
    assert folders(tmp_path) == {}
    assert list(AzureMLIngester().units(tree_of(tmp_path))) == []


@pytest.mark.parametrize("name", ["run_details.json", "details.json", "run.json", "get_details.json"])
def test_details_make_a_run(tmp_path: Path, name: str) -> None:
    put(tmp_path / "anything", {name: details("the-id")})
    assert folders(tmp_path) == {"anything": ("the-id", "the-id")}


@pytest.mark.parametrize("marker", ["azureml-logs/70_driver_log.txt", "user_logs/std_log.txt"])
def test_log_folders_make_a_run_named_by_its_folder(tmp_path: Path, marker: str) -> None:
    put(tmp_path / "deep/dcid.the-id", {marker: "x\n"})
    assert folders(tmp_path) == {"deep/dcid.the-id": ("the-id", "the-id")}


def test_the_source_itself_is_a_run(tmp_path: Path) -> None:
    put(tmp_path / "HD_7", {"user_logs/std_log.txt": "x\n"})
    assert folders(tmp_path / "HD_7") == {".": ("HD_7", "HD_7")}
    old_run(tmp_path / "other", "r9")
    assert folders(tmp_path / "other") == {".": ("r9", "r9")}
    assert read(tmp_path / "other").log("r9", "azureml-logs/70_driver_log.txt").startswith(DRIVER.encode())


def test_runs_side_by_side(tmp_path: Path) -> None:
    assert folders(sweep(tmp_path)) == {
        "HD_1": ("HD_1", "HD_1"),
        "HD_1_0": ("HD_1_0", "HD_1"),
        "HD_1_1": ("HD_1_1", "HD_1"),
        "HD_1_2": ("HD_1_2", "HD_1"),
    }


def test_children_inside_of_their_parent(tmp_path: Path) -> None:
    put(tmp_path / "p", {"run_details.json": details("p")})
    old_run(tmp_path / "p/children/c", "c")
    put(tmp_path / "p/children/c/inner", {"user_logs/std_log.txt": "x\n"})
    assert folders(tmp_path) == {
        "p": ("p", "p"),
        "p/children/c": ("c", "p"),
        "p/children/c/inner": ("inner", "p"),
    }
    assert parent(tmp_path, "inner") == "c"


def test_a_root_by_its_own_words_stays_one_wherever_it_lies(tmp_path: Path) -> None:
    put(tmp_path / "p", {"run_details.json": details("p")})
    put(tmp_path / "p/c", {"run_details.json": details("c", rootRunId="c", parentRunId=None)})
    assert folders(tmp_path)["p/c"] == ("c", "c")


def test_what_a_run_keeps_among_its_outputs_is_no_run(tmp_path: Path) -> None:
    old_run(tmp_path / "r", "r")
    put(tmp_path / "r/outputs", {"run_details.json": details("copy"), "again/user_logs/std_log.txt": "x\n"})
    assert folders(tmp_path) == {"r": ("r", "r")}


def test_downloads_of_the_command_line(tmp_path: Path) -> None:
    put(
        tmp_path / "job",
        {
            "artifacts/user_logs/std_log.txt": "hello\n",
            "artifacts/system_logs/lifecycler/lifecycler.log": "x\n",
            "artifacts/outputs/model.pkl": "m",
            "named-outputs/data/part.parquet": "p",
        },
    )
    reading = read(tmp_path)
    assert [str(run.path) for run in reading.runs] == ["job"]
    assert reading.log("job", "user_logs/std_log.txt") == b"hello\n"
    assert reading.log("job", "system_logs/lifecycler/lifecycler.log") == b"x\n"


def test_placeholder_for_a_parent_that_is_elsewhere(tmp_path: Path) -> None:
    old_run(tmp_path / "c", "c", parentRunId="step", rootRunId="pipeline")
    assert folders(tmp_path) == {"c": ("c", "pipeline")}
    found = read(tmp_path).run("c")
    assert (found.parent, found.root) == ("step", "pipeline")


def test_only_the_root_is_known(tmp_path: Path) -> None:
    old_run(tmp_path / "c", "c", rootRunId="top")
    found = read(tmp_path).run("c")
    assert (found.parent, found.root) == ("top", "top")


def test_the_root_is_found_through_the_chain(tmp_path: Path) -> None:
    for child, above in (("c", "b"), ("b", "a"), ("a", "elsewhere")):
        put(tmp_path / child, {"run_details.json": details(child, parentRunId=above)})
    assert dict(folders(tmp_path).values()) == dict.fromkeys("abc", "elsewhere")


def test_parents_are_declared_before_their_children(tmp_path: Path) -> None:
    for child, above in (("a", "b"), ("b", "c"), ("c", None)):
        put(
            tmp_path / child,
            {"run_details.json": details(child, parentRunId=above), "user_logs/std_log.txt": "x\n"},
        )
    plugin, tree = AzureMLIngester(), tree_of(tmp_path)
    assert [run.run_id for run in plugin.runs(tree)] == ["c", "b", "a"]
    # Whatever unit is read first, nothing is said of a run before it and those above it are declared.
    for unit in plugin.units(tree):
        assert unit.run is not None
        declared: list[str] = []
        for operation in read(tmp_path).operations:
            if isinstance(operation, DeclareRun):
                assert operation.parent is None or operation.parent in declared
                declared.append(operation.run_id)
            else:
                assert operation.run_id in declared


def test_hints_for_parents(tmp_path: Path) -> None:
    put(tmp_path / "sweep", {"run_details.json": details("S", tags={"_aml_system_S_0": '{"lr": 1}'})})
    put(tmp_path / "x", {"run_details.json": details("S_0")})
    put(
        tmp_path / "y",
        {
            "run_details.json": details("y"),
            "logs/azureml/executionlogs.txt": "[2020-08-04 22:14:40Z] RunId:[y] ParentRunId:[S] ComputeTarget:[AmlCompute]\n",
        },
    )
    put(
        tmp_path / "z/azureml-logs",
        {"55_azureml-execution-n.txt": "2020-08-04T22:14:40Z RunId:[z] ParentRunId:[S]\n"},
    )
    assert dict(folders(tmp_path).values()) == {
        "S": "S",
        "S_0": "S",
        "y": "S",
        "z": "S",
    }
    assert read(tmp_path).run("S_0").params == {"lr": "1"}


def test_circles_of_parents_are_named_and_cut(tmp_path: Path) -> None:
    for child, above in (
        ("a", "b"),
        ("b", "c"),
        ("c", "a"),
        ("below", "a"),
        ("self", "self"),
        ("fine", None),
    ):
        put(tmp_path / child, {"run_details.json": details(child, parentRunId=above)})
    reading = read(tmp_path)
    assert {run.run_id: run.root_id for run in reading.runs} == {
        "a": "a",
        "b": "b",
        "c": "c",
        "below": "a",
        "self": "self",
        "fine": "fine",
    }
    told = [skipped for skipped in reading.skipped if "circle" in skipped.reason]
    assert sorted(skipped.path for skipped in told) == ["a", "b", "c", "self"]
    assert all(name in told[0].reason for name in ("'a'", "'b'", "'c'"))
    assert reading.errors == []
    assert len(reading.of(SetStatus)) == 12


def test_a_root_that_its_parents_do_not_lead_to_is_told(tmp_path: Path) -> None:
    put(tmp_path / "p", {"run_details.json": details("p", rootRunId="p")})
    put(tmp_path / "c", {"run_details.json": details("c", parentRunId="p", rootRunId="other")})
    reading = read(tmp_path)
    assert reading.run("c").root == "p"
    assert any(
        "rootRunId is 'other', but its parents lead to 'p'" in reason for reason in reasons(reading.skipped)
    )


def test_one_run_in_two_folders(tmp_path: Path) -> None:
    put(tmp_path / "a", {"run_details.json": details("r", displayName="shown"), "outputs/one.txt": "1"})
    put(tmp_path / "logs of it", {"run.json": details("r"), "user_logs/std_log.txt": "hello\n"})
    put(tmp_path / "logs again", {"run.json": details("r"), "user_logs/std_log.txt": "other\n"})
    reading = read(tmp_path)
    assert {run.run_id for run in reading.runs} == {"r"}
    assert len(reading.runs) == 3
    assert reading.run("r").display_name == "shown"
    assert reading.log("r", "user_logs/std_log.txt") in (b"hello\n", b"other\n")
    assert len(reading.of(LogText)) == 2  # the text, and that it is complete
    assert [skipped.path for skipped in reading.skipped] == ["logs of it/user_logs/std_log.txt"]


def test_broken_details_stop_nothing_else(tmp_path: Path) -> None:
    old_run(tmp_path / "good", "good")
    old_run(tmp_path / "bad", "bad")
    put(tmp_path / "bad", {"run_details.json": '{"runId": "real-id",\n "status": "Run'}, LONG_AGO)
    reading = read(tmp_path)
    [error] = reading.errors
    assert isinstance(error, Unreadable)
    assert (error.path, error.line) == ("bad/run_details.json", 2)
    # The id that can be made out is the run's; its logs are read, and say that it has ended.
    assert {run.run_id for run in reading.runs} == {"good", "real-id"}
    assert reading.log("real-id", "azureml-logs/70_driver_log.txt").startswith(DRIVER.encode())
    assert reading.of(SetStatus, "real-id")[-1].status is RunStatus.COMPLETED
    assert any(status.reported for status in reading.of(SetStatus, "good"))


def test_details_that_are_just_being_written_are_waited_for(tmp_path: Path) -> None:
    put(tmp_path / "folder", {"run_details.json": "", "user_logs/std_log.txt": "x\n"})
    reading = read(tmp_path)
    assert len(reading.errors) == 1
    # Nothing is said under an id that may be wrong in a moment.
    assert reading.operations == []
    put(tmp_path / "folder", {"run_details.json": details("real-id")})
    reading = read(tmp_path, reading.checkpoints)
    assert {run.run_id for run in reading.runs} == {"real-id"}
    assert reading.log("real-id", "user_logs/std_log.txt") == b"x\n"


def test_a_writer_that_finishes_in_a_moment_is_not_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = put(tmp_path / "folder", {"run_details.json": "{"}) / "run_details.json"

    def finish(_: float) -> None:
        place.write_text(json.dumps(details("real-id")), encoding="utf-8")

    monkeypatch.setattr(time, "sleep", finish)
    reading = read(tmp_path)
    assert (reading.errors, [run.run_id for run in reading.runs]) == ([], ["real-id"])


def test_broken_details_without_anything_else(tmp_path: Path) -> None:
    put(
        tmp_path, {"a/run_details.json": "{", "b/details.json": "{", "c/run.json": '{"runId": "r",'}, LONG_AGO
    )
    # `details.json` may be anybody's, unless it says so.
    assert folders(tmp_path) == {"a": ("a", "a"), "c": ("r", "r")}
    assert sorted(str(error.path) for error in read(tmp_path).errors if isinstance(error, Unreadable)) == [
        "a/run_details.json",
        "c/run.json",
    ]


def test_details_in_pieces_are_united(tmp_path: Path) -> None:
    put(
        tmp_path / "r",
        {
            "run.json": {
                "runId": "r",
                "status": "Running",
                "displayName": "shown",
                "createdUtc": "2020-01-01T00:00:00Z",
            }
        },
        1000,
    )
    put(tmp_path / "r", {"get_details.json": details("r", "Completed")}, 2000)
    reading = read(tmp_path)
    assert reading.run("r").display_name == "shown"
    last = reading.of(SetStatus)[-1]
    assert (last.status, last.source) == (RunStatus.COMPLETED, "get_details.json")
    put(tmp_path / "r", {"run.json": "{"}, LONG_AGO)
    reading = read(tmp_path)
    assert reading.of(SetStatus)[-1].status is RunStatus.COMPLETED
    assert [(skipped.path, skipped.line) for skipped in reading.skipped] == [("r/run.json", 1)]


def test_details_over_the_limit(tmp_path: Path) -> None:
    put(tmp_path / "r", {"run_details.json": details("r", description="x" * 40_000_000)}, LONG_AGO)
    [error] = read(tmp_path).errors
    assert isinstance(error, Unreadable)
    assert "larger than 33554432 bytes" in str(error)


def test_keys_of_units_are_names_and_unique(tmp_path: Path) -> None:
    sweep(tmp_path)
    put(
        tmp_path / "HD_1_0",
        {
            "azureml-logs/" + "n" * 200 + "/" + "m" * 200 + "/x.txt": "1",
            "azureml-logs/a\nb.txt": "2",
            "azureml-logs/a.txt": "3",
        },
    )
    put(tmp_path / "deep", {"run_details.json": details("r" * 900), "user_logs/std_log.txt": "4"})
    keys = [unit.key for unit in AzureMLIngester().units(tree_of(tmp_path))]
    assert len(keys) == len(set(keys))
    assert all(key.isprintable() and len(key.encode()) <= 512 for key in keys)


def test_files_of_others_are_left_alone(tmp_path: Path) -> None:
    old_run(tmp_path / "r", "r")
    put(
        tmp_path / "r",
        {
            "outputs/metrics.jsonl": "{}\n",
            "logs/events.out.tfevents.1.host": "x",
            "train.csv": "a,b\n",
            "notes.txt": "n",
        },
    )
    taken = {path for unit in AzureMLIngester().units(tree_of(tmp_path)) for path in unit.files}
    assert not taken & {
        PurePosixPath(f"r/{name}")
        for name in ("outputs/metrics.jsonl", "logs/events.out.tfevents.1.host", "train.csv", "notes.txt")
    }


def test_new_layout_is_whole(tmp_path: Path) -> None:
    new_run(tmp_path / "r", "r")
    reading = read(tmp_path)
    assert {text.path for text in reading.of(LogText)} == {
        "user_logs/std_log.txt",
        "system_logs/lifecycler/execution-wrapper.log",
        "system_logs/lifecycler/lifecycler.log",
        "system_logs/cs_capability/cs-capability.log",
    }
