"""Log files byte for byte, and what their lines tell."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath

import pytest

from graphql_runs.ingest.api import Limits, Unreadable
from graphql_runs.model.operation import Annotate, LogText, SetStatus
from graphql_runs.model.records import LogStream
from graphql_runs.model.status import RunStatus
from graphql_runs.model.time import from_text
from graphql_runs_azureml.layout import log_at
from plugins.azureml.tests.builder import COMPLETED, DRIVER, Reading, details, old_run, put, read, reasons

OLD, NEW = "azureml-logs/70_driver_log.txt", "user_logs/std_log.txt"
LONG_AGO = 1_600_000_000.0


def statuses(reading: Reading) -> list[tuple[RunStatus, str]]:
    """Status and source of every derived statement."""
    return [(status.status, status.source) for status in reading.of(SetStatus) if not status.reported]


@pytest.mark.parametrize(
    ("path", "stream", "rank"),
    [
        ("azureml-logs/70_driver_log.txt", LogStream.STDOUT, None),
        ("azureml-logs/70_driver_log_0.txt", LogStream.STDOUT, 0),
        ("azureml-logs/70_driver_log_12.txt", LogStream.STDOUT, 12),
        ("azureml-logs/70_driver_log-worker-2.txt", LogStream.STDOUT, 2),
        ("azureml-logs/80_driver_log.txt", LogStream.STDOUT, None),
        ("azureml-logs/60_control_log_rank_1.txt", LogStream.SYSTEM, 1),
        ("azureml-logs/65_job_prep-tvmps_7c64_d.txt", LogStream.SYSTEM, None),
        ("azureml-logs/process_info.json", LogStream.SYSTEM, None),
        ("user_logs/std_log.txt", LogStream.STDOUT, None),
        ("user_logs/std_log_process_03.txt", LogStream.STDOUT, 3),
        ("user_logs/std_log_ps.txt", LogStream.STDOUT, None),
        ("user_logs/mine.txt", LogStream.OTHER, None),
        ("logs/mine.log", LogStream.OTHER, None),
        ("logs/azureml/129_azureml.log", LogStream.SYSTEM, None),
        ("logs/azureml/dataprep/rslex.log", LogStream.SYSTEM, None),
        ("system_logs/metrics_capability/metrics-capability.log", LogStream.SYSTEM, None),
    ],
)
def test_streams_and_ranks(path: str, stream: LogStream, rank: int | None) -> None:
    log = log_at(PurePosixPath(path))
    assert log is not None
    assert (log.stream, log.rank) == (stream, rank)


@pytest.mark.parametrize(
    "path",
    [
        "logs/events.out.tfevents.1.host",
        "logs/checkpoint",
        "user_logs/table.csv",
        "outputs/a.txt",
        "std_log.txt",
    ],
)
def test_files_that_are_no_logs(path: str) -> None:
    assert log_at(PurePosixPath(path)) is None


def test_bytes_are_kept_as_they_are(tmp_path: Path) -> None:
    data = b"\x00\xff\xfe binary \r 10%|#   |\r 20%|##  |\r\n\xc3\x28 no end"
    put(tmp_path / "r", {NEW: data})
    reading = read(tmp_path, limits=Limits(delivery_bytes=7))
    assert reading.log("r", NEW) == data
    assert len(reading.of(LogText)) > 5


def test_growth_is_read_on_from_the_checkpoint(tmp_path: Path) -> None:
    place = put(tmp_path / "r", {NEW: "one\ntw"}) / NEW
    first = read(tmp_path)
    assert first.log("r", NEW) == b"one\ntw"
    assert read(tmp_path, first.checkpoints).of(LogText) == []
    with place.open("a") as file:
        file.write("o\nthree\n")
    second = read(tmp_path, first.checkpoints)
    assert second.log("r", NEW) == b"o\nthree\n"


def test_every_checkpoint_is_a_place_to_go_on_from(tmp_path: Path) -> None:
    put(
        tmp_path / "r",
        {
            OLD: DRIVER + COMPLETED,
            "azureml-logs/process_status.json": '{"process_name":"*","timestamp":"2020-08-04T22:16:41Z","status":"Completed"}\n',
        },
    )
    whole = read(tmp_path)
    for size in (1, 13, 64, 500):
        part = read(tmp_path, limits=Limits(delivery_bytes=size))
        assert part.log("r", OLD) == (DRIVER + COMPLETED).encode()
        assert statuses(part) == statuses(whole)


def test_a_replaced_log_goes_on_with_its_new_beginning(tmp_path: Path) -> None:
    place = put(tmp_path / "r", {NEW: "a first life of this log\n" * 100}) / NEW
    first = read(tmp_path)
    place.write_text("another life\n" * 300)
    second = read(tmp_path, first.checkpoints)
    assert second.log("r", NEW) == b"another life\n" * 300
    assert reasons(second.skipped) == ["the log was cut or replaced; it goes on with its new beginning"]


def test_a_download_that_is_repeated_is_the_same_log(tmp_path: Path) -> None:
    text = "the same line\n" * 200
    place = put(tmp_path / "r", {NEW: text}) / NEW
    first = read(tmp_path)
    place.unlink()
    place.write_text(text[:700])
    halfway = read(tmp_path, first.checkpoints)
    assert (halfway.of(LogText), halfway.skipped) == ([], [])
    place.write_text(text + "more\n")
    assert read(tmp_path, halfway.checkpoints).log("r", NEW) == b"more\n"


def test_a_log_is_complete_when_its_run_has_ended(tmp_path: Path) -> None:
    put(tmp_path / "r", {"run_details.json": details("r", "Running"), NEW: "x\n"})
    first = read(tmp_path)
    assert [text.complete for text in first.of(LogText)] == [None]
    put(tmp_path / "r", {"run_details.json": details("r", "Completed")})
    second = read(tmp_path, first.checkpoints)
    assert [(text.data, text.complete) for text in second.of(LogText)] == [(b"", True)]
    assert read(tmp_path, second.checkpoints).of(LogText) == []
    put(tmp_path / "r", {NEW: "x\nlate\n"})
    third = read(tmp_path, second.checkpoints)
    assert [(text.data, text.complete) for text in third.of(LogText)] == [(b"late\n", False), (b"", True)]


def test_old_driver_without_details(tmp_path: Path) -> None:
    put(tmp_path / "r", {OLD: DRIVER + COMPLETED})
    modified = (tmp_path / "r" / OLD).stat().st_mtime_ns // 1000
    reading = read(tmp_path)
    running, finalizing, completed = reading.of(SetStatus)
    assert running == SetStatus(
        "r",
        RunStatus.RUNNING,
        f"{OLD}:1",
        from_text("2020-08-04T22:15:44.407305Z"),
        reported=False,
        detail="[2020-08-04T22:15:44.407305] Entering context manager injector.",
    )
    assert finalizing == SetStatus(
        "r",
        RunStatus.FINALIZING,
        f"{OLD}:9",
        modified,
        reported=False,
        detail="The experiment completed successfully. Finalizing run...",
    )
    assert (completed.status, completed.source, completed.at) == (RunStatus.COMPLETED, f"{OLD}:12", modified)


def test_the_lines_time_is_taken_where_it_has_one(tmp_path: Path) -> None:
    put(
        tmp_path / "r",
        {
            NEW: "2022-03-01 10:00:01,5 INFO own logging, in any zone\n[2022-03-01T10:00:09.5] Command finished with return code 3\n"
        },
    )
    reading = read(tmp_path)
    _, failed = reading.of(SetStatus)
    assert (failed.status, failed.source) == (RunStatus.FAILED, f"{NEW}:2")
    # The script began to print when the file was written at the latest, and time does not go back within a log.
    assert failed.at == (tmp_path / "r" / NEW).stat().st_mtime_ns // 1000
    assert [note.exit_code for note in reading.of(Annotate)] == [3]
    put(
        tmp_path / "s",
        {
            NEW: "[2022-03-01T10:00:00] Script type = COMMAND\n[2022-03-01T10:00:09.5] Command finished with return code 0\n"
        },
    )
    running, finalizing = read(tmp_path).of(SetStatus, "s")
    assert (running.at, finalizing.at) == (
        from_text("2022-03-01T10:00:00Z"),
        from_text("2022-03-01T10:00:09.5Z"),
    )


@pytest.mark.parametrize(
    "lines",
    [
        "[2020-12-01T23:51:00.945744] The experiment failed. Finalizing run...\nCleanup took 0.4 seconds\n",
        "[2022-03-01T10:00:09.5] Command finished with return code 1\nThe experiment failed. Finalizing run...\nCleanup took 0.4 seconds\n",
        "[2020-12-01T23:51:02.0] Finished context manager injector with Exception.\n",
    ],
)
def test_failed_drivers(tmp_path: Path, lines: str) -> None:
    put(tmp_path / "r", {OLD: DRIVER + lines})
    found = [status.status for status in read(tmp_path).of(SetStatus)]
    assert found[0] is RunStatus.RUNNING
    assert set(found[1:]) == {RunStatus.FAILED}


def test_details_say_that_a_run_is_running(tmp_path: Path) -> None:
    old_run(tmp_path / "r", "r")
    put(tmp_path / "r", {"run_details.json": details("r", "Running")})
    assert [status for status, _ in statuses(read(tmp_path))] == [RunStatus.FINALIZING, RunStatus.COMPLETED]


def test_one_rank_does_not_end_a_run_unless_it_fails(tmp_path: Path) -> None:
    names = [f"azureml-logs/70_driver_log_{rank}.txt" for rank in range(3)]
    put(tmp_path / "r", {names[0]: DRIVER, names[1]: DRIVER + COMPLETED, names[2]: DRIVER + COMPLETED})
    assert statuses(read(tmp_path)) == [(RunStatus.RUNNING, f"{names[0]}:1")]
    put(tmp_path / "r", {names[2]: DRIVER + "The experiment failed. Finalizing run...\n"})
    assert statuses(read(tmp_path))[1:] == [(RunStatus.FAILED, f"{names[2]}:9")]


def test_execution_log(tmp_path: Path) -> None:
    lines = "[2020-08-04 22:14:00Z] Starting run\n[2020-08-04 22:14:05Z] Job is running, job runstatus is Queued\n[2020-08-04 22:15:05Z] Job is running, job runstatus is Running\n[2020-08-04 22:15:06Z] Job is running, job runstatus is Whatever\n"
    put(tmp_path / "r", {"logs/azureml/executionlogs.txt": lines, OLD: ""})
    found = read(tmp_path).of(SetStatus)
    assert [(status.status, status.original, status.at) for status in found] == [
        (RunStatus.QUEUED, "Queued", from_text("2020-08-04T22:14:05Z")),
        (RunStatus.RUNNING, "Running", from_text("2020-08-04T22:15:05Z")),
    ]
    assert found[1].source == "logs/azureml/executionlogs.txt:3"


def test_process_status(tmp_path: Path) -> None:
    name = "azureml-logs/process_status.json"
    lines = (
        '{"process_name":"worker_0","timestamp":"2019-10-28T22:30:10.764428389Z","status":"Started"}\n'
        '{"process_name":"worker_0","timestamp":"2019-10-28T22:31:10.764428389Z","status":"Completed"}\n'
        "not json\n[]\n"
    )
    put(tmp_path / "r", {name: lines})
    assert statuses(read(tmp_path)) == []
    put(
        tmp_path / "r",
        {
            name: lines
            + '{"process_name":"worker_1","timestamp":"2019-10-28T22:32:10.7Z","status":"Failed"}\n'
        },
    )
    [failed] = read(tmp_path).of(SetStatus)
    assert (failed.status, failed.source, failed.at) == (
        RunStatus.FAILED,
        f"{name}:5",
        from_text("2019-10-28T22:32:10.7Z"),
    )
    put(
        tmp_path / "s",
        {name: lines + '{"process_name":"*","timestamp":"2019-10-28T22:33:00Z","status":"Completed"}\n'},
    )
    assert statuses(read(tmp_path))[-1] == (RunStatus.COMPLETED, f"{name}:5")


TRACEBACK = """\
epoch 1
Traceback (most recent call last):
  File "train.py", line 3, in <module>
    main()
  File "train.py", line 2, in main
    raise ValueError("bad")
ValueError: bad
"""


@pytest.mark.parametrize("end", ["", "\n\n", "of more than one line\nand another\n"])
def test_a_traceback_at_the_end_of_a_quiet_log(tmp_path: Path, end: str) -> None:
    put(tmp_path / "r", {NEW: TRACEBACK + end}, LONG_AGO)
    reading = read(tmp_path)
    failed = reading.of(SetStatus)[-1]
    assert (failed.status, failed.source, failed.detail, failed.at) == (
        RunStatus.FAILED,
        f"{NEW}:7",
        "ValueError: bad",
        round(LONG_AGO * 1e6),
    )
    assert statuses(read(tmp_path, reading.checkpoints)) == []


def test_a_traceback_that_the_script_may_go_on_from(tmp_path: Path) -> None:
    put(tmp_path / "fresh", {NEW: TRACEBACK})
    put(tmp_path / "caught", {NEW: TRACEBACK + "retrying\n" * 20}, LONG_AGO)
    put(tmp_path / "lively", {NEW: TRACEBACK}, LONG_AGO)
    put(tmp_path / "lively", {"outputs/model.pt": "x"})
    assert {status for status, _ in statuses(read(tmp_path))} == {RunStatus.RUNNING}


def test_a_quiet_log_that_ended_well(tmp_path: Path) -> None:
    put(
        tmp_path / "r",
        {NEW: "hello\n[2022-03-01T10:00:09.5] Command finished with return code 0\n\n"},
        LONG_AGO,
    )
    assert statuses(read(tmp_path))[-1] == (RunStatus.COMPLETED, f"{NEW}:2")


def test_lines_of_any_length_and_no_end(tmp_path: Path) -> None:
    put(
        tmp_path / "r",
        {NEW: b"x" * 3_000_000 + b"\n" + b"The experiment failed. Finalizing run...\n" + b"y" * 300_000},
    )
    reading = read(tmp_path)
    assert len(reading.log("r", NEW)) == 3_300_042
    assert statuses(reading)[-1] == (RunStatus.FAILED, f"{NEW}:2")
    long = b"z" * 200_000 + b"The experiment failed. Finalizing run...\n"
    put(tmp_path / "s", {NEW: long})
    assert statuses(read(tmp_path))[-1] == (RunStatus.RUNNING, f"{NEW}:1")


def test_an_exit_that_is_cut_off_is_not_believed(tmp_path: Path) -> None:
    place = put(tmp_path / "r", {NEW: "x\nCommand finished with return code 1"}) / NEW
    first = read(tmp_path)
    assert [status for status, _ in statuses(first)] == [RunStatus.RUNNING]
    with place.open("a") as file:
        file.write("37\n")
    assert [note.exit_code for note in read(tmp_path, first.checkpoints).of(Annotate)] == [137]


def test_a_log_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    put(tmp_path / "r", {NEW: "x\n"})
    put(tmp_path / "elsewhere", {"secret": "s"})
    (tmp_path / "r/user_logs/std_log_1.txt").symlink_to(tmp_path / "elsewhere/secret")
    assert [text.path for text in read(tmp_path).of(LogText)] == [NEW]


def test_a_log_without_rights_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path / "r", {NEW: "x\n", OLD: "y\n"})
    # Root may read everything, so the refusal is made up.
    opening = os.open

    def refused(path: str, flags: int, *, dir_fd: int | None = None) -> int:
        if path == "std_log.txt":
            raise PermissionError(13, "Permission denied")
        return opening(path, flags, dir_fd=dir_fd)

    monkeypatch.setattr(os, "open", refused)
    reading = read(tmp_path)
    [error] = reading.errors
    assert isinstance(error, Unreadable)
    assert error.path == f"r/{NEW}"
    assert "Permission denied" in str(error)
    assert reading.log("r", OLD) == b"y\n"
