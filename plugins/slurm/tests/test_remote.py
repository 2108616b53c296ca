import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from graphql_runs.ingest.api import Context, Delivery, Limits, Tree, Unreadable
from graphql_runs.ingest.remote import Look
from graphql_runs.ingest.testing import content_of
from graphql_runs.model.operation import DescribeCluster, SetStatus
from graphql_runs.model.status import RunStatus
from graphql_runs_slurm import remote
from graphql_runs_slurm.config import SlurmConfig
from graphql_runs_slurm.remote import SlurmConnection
from plugins.slurm.tests.recorded import VERSIONS, answer, asked, config, moved, said
from plugins.slurm.tests.told import families, told

AT_ONCE = {"queue_seconds": 0, "nodes_seconds": 0, "accounting_seconds": 0}


def _connect(folder: Path, address: str = "slurm:", **settings: Any) -> SlurmConnection:
    return remote.connect(address, "source", config(folder, **{**AT_ONCE, **settings}), Limits())


def _read(connection: SlurmConnection, look: Look, key: str, run: str | None = None) -> list[Delivery]:
    [unit] = [
        seen.unit
        for seen in look.units
        if seen.unit.key == key
        and (run is None or (seen.unit.run is not None and seen.unit.run.run_id == run))
    ]
    context = Context(Tree(Path(), "source", ()), SlurmConfig(), Limits())
    return list(connection.read(unit, None, context))


def _statuses(connection: SlurmConnection, look: Look, run: str) -> list[SetStatus]:
    deliveries = _read(connection, look, "job", run)
    return [one for each in deliveries for one in each.operations if isinstance(one, SetStatus)]


def _clusters(connection: SlurmConnection, look: Look) -> dict[str, DescribeCluster]:
    [delivery] = _read(connection, look, "clusters/test")
    return {one.name: one for one in delivery.clusters}


def _runs(look: Look) -> Iterator[str]:
    return (
        seen.unit.run.run_id for seen in look.units if seen.unit.run is not None and seen.unit.key == "job"
    )


# What is asked


@pytest.mark.parametrize("version", VERSIONS)
def test_every_version_is_asked_in_a_form_that_it_knows(tmp_path: Path, version: str) -> None:
    answer(tmp_path, version, "late")
    connection = _connect(tmp_path, logs=False)
    look = connection.look()
    assert set(_runs(look)) == set(told(families(version, "late", "json")))
    assert list(look.skipped) == []
    forms = {
        line.split()[0] if "scontrol" not in line else line: "--json" in line for line in asked(tmp_path)
    }
    old = version.startswith("22.")
    assert forms["squeue"]
    assert forms.get("sacct", False) is not old  # its JSON has wrong exit codes
    assert ("env SLURM_TIME_FORMAT=%s scontrol show node --oneliner" in asked(tmp_path)) is old
    clusters = _clusters(connection, look)
    assert sorted(clusters) == ["test/main", "test/spare", "test/urgent"]
    main = clusters["test/main"]
    assert (main.kind, main.state, main.vm_size) == ("slurm", "UP", "4 CPUs, 2000 MB, gpu:a100:2")
    assert (main.min_nodes, main.max_nodes, main.current_nodes, main.target_nodes) == (2, 2, 2, 2)
    assert main.nodes is not None
    assert [(node.name, node.ip, node.port) for node in main.nodes] == [
        ("node1", "127.0.0.1", 17001),
        ("node2", "127.0.0.1", 17002),
    ]
    spare = clusters["test/spare"]
    assert (spare.max_nodes, spare.current_nodes) == (2, 1)
    assert spare.node_states is not None
    assert spare.node_states["unusable"] == 1
    running = {node.run for node in main.nodes}
    assert running <= {"slurm/test/6", "slurm/test/12", "slurm/test/15", "slurm/test/15+1", None}
    assert running != {None}


@pytest.mark.parametrize("version", VERSIONS)
def test_without_json_lines_are_asked_for(tmp_path: Path, version: str) -> None:
    answer(tmp_path, version, "late", "queue.json", "nodes.json", "partitions.json", "accounting.json")
    connection = _connect(tmp_path)
    look = connection.look()
    assert set(_runs(look)) == set(told(families(version, "late", "txt")))
    assert sorted(_clusters(connection, look)) == ["test/main", "test/spare", "test/urgent"]
    before = len(asked(tmp_path))
    connection.look()
    assert [line for line in asked(tmp_path)[before:] if "--json" in line] == []


def test_broken_json_is_asked_for_as_lines(tmp_path: Path) -> None:
    answer(tmp_path, "24.11.5", "late")
    (tmp_path / "queue.json").write_bytes(said("24.11.5", "late", "queue.json")[:5000])
    (tmp_path / "accounting.json").write_text("[" * 100_000)
    look = _connect(tmp_path).look()
    assert set(_runs(look)) == set(told(families("24.11.5", "late", "txt")))


def test_each_command_has_its_turn(tmp_path: Path) -> None:
    answer(tmp_path, "24.11.5", "late")
    connection = _connect(tmp_path, queue_seconds=600, nodes_seconds=600, accounting_seconds=600)
    first = connection.look()
    count = len(asked(tmp_path))
    assert count == 5
    again = connection.look()
    assert len(asked(tmp_path)) == count
    assert [seen.version for seen in first.units] == [seen.version for seen in again.units]


def test_filters_are_given_and_kept(tmp_path: Path) -> None:
    answer(tmp_path, "24.11.5", "late")
    settings: dict[str, Any] = {"users": ["runner"], "accounts": ["research"], "partitions": ["spare"]}
    connection = _connect(tmp_path, **settings)
    look = connection.look()
    assert sorted(_runs(look)) == sorted(
        ["slurm/test/8", *(f"slurm/test/8_{task}" for task in range(10)), "slurm/test/24", "slurm/test/26"]
    )
    assert list(_clusters(connection, look)) == ["test/spare"]
    [squeue] = [line for line in asked(tmp_path) if line.startswith("squeue")]
    assert squeue == "squeue --json --states=all --users=runner --account=research --partition=spare"
    [sacct] = [line for line in asked(tmp_path) if line.startswith("sacct")]
    assert sacct.endswith("--user=runner --accounts=research --partition=spare")
    assert list(_runs(_connect(tmp_path, users=["nobody"]).look())) == []


def test_another_cluster_is_named_to_every_command(tmp_path: Path) -> None:
    answer(tmp_path, "24.11.5", "late")
    (tmp_path / "config.txt").write_text(
        said("24.11.5", "late", "config.txt").decode().replace("= test", "= far")
    )
    (tmp_path / "queue.json").write_bytes(b"CLUSTER: near\n" + said("24.11.5", "late", "queue.json"))
    _connect(tmp_path, "slurm:near").look()
    assert asked(tmp_path)[0] == "scontrol show config"
    assert all("--clusters=near" in line for line in asked(tmp_path)[1:])


def test_the_cluster_at_hand_may_be_named(tmp_path: Path) -> None:
    answer(tmp_path, "24.11.5", "late")
    _connect(tmp_path, "slurm:test").look()
    assert [line for line in asked(tmp_path) if "--clusters" in line] == []


@pytest.mark.parametrize("address", ["slurm", "slurm://x/y", "slurm:a b", "slurm:-x;y", "http://slurm"])
def test_other_addresses_are_refused(address: str) -> None:
    with pytest.raises(ValueError, match="an address is slurm: or slurm:NAME"):
        remote.connect(address, "n", SlurmConfig(), Limits())


# What goes wrong


def test_a_cluster_that_does_not_answer_is_passing(tmp_path: Path) -> None:
    answer(tmp_path, "24.11.5", "late")
    connection = _connect(tmp_path)
    connection.look()
    (tmp_path / "down").touch()
    with pytest.raises(OSError, match="Unable to contact slurm controller"):
        connection.look()
    (tmp_path / "down").unlink()
    connection.look()


def test_an_error_inside_of_the_answer_is_one(tmp_path: Path) -> None:
    answer(tmp_path, "24.11.5", "late")
    connection = _connect(tmp_path)
    connection.look()
    broken = {
        "jobs": [],
        "errors": [{"description": "Unable to contact slurm controller", "error_number": 1}],
    }
    (tmp_path / "queue.json").write_text(json.dumps(broken))
    with pytest.raises(OSError, match="squeue: Unable to contact slurm controller"):
        connection.look()
    (tmp_path / "queue.json").write_text(
        json.dumps({"jobs": [], "errors": [{"description": "Nothing found"}]})
    )
    assert "slurm/test/1" in set(_runs(connection.look()))  # the accounts have it


def test_a_document_without_a_list_is_asked_for_as_lines(tmp_path: Path) -> None:
    answer(tmp_path, "24.11.5", "late")
    (tmp_path / "queue.json").write_text("{}")
    assert set(_runs(_connect(tmp_path).look())) == set(told(families("24.11.5", "late", "txt")))


def test_accounts_that_do_not_answer_are_done_without(tmp_path: Path) -> None:
    answer(tmp_path, "22.05.8", "late", "accounting.txt")
    look = _connect(tmp_path).look()
    assert "slurm/test/1" in set(_runs(look))
    assert [one.reason for one in look.skipped if one.path == "sacct"] == [
        "cannot be asked: sacct: unrecognized option '--json'"
    ]


def test_a_cluster_without_accounts_is_not_asked_for_them(tmp_path: Path) -> None:
    answer(tmp_path, "24.11.5", "late")
    text = (
        said("24.11.5", "late", "config.txt")
        .decode()
        .replace("accounting_storage/slurmdbd", "accounting_storage/none")
    )
    (tmp_path / "config.txt").write_text(text)
    _connect(tmp_path).look()
    answer(tmp_path, "24.11.5", "late")
    _connect(tmp_path, accounting=False).look()
    assert [line for line in asked(tmp_path) if "sacct" in line] == []


def test_a_host_without_slurm_is_told_of() -> None:
    with pytest.raises(Unreadable, match="the command no-such-login is not there"):
        remote.connect("slurm:", "n", SlurmConfig(prefix=("no-such-login",)), Limits()).look()


def test_what_is_printed_is_bounded(tmp_path: Path) -> None:
    answer(tmp_path, "24.11.5", "late")
    with pytest.raises(Unreadable, match=r"output_bytes"):
        _connect(tmp_path, output_bytes=20_000).look()


def test_jobs_beyond_the_limit_are_told_of(tmp_path: Path) -> None:
    answer(tmp_path, "24.11.5", "late")
    look = _connect(tmp_path, jobs=3, array_tasks=2).look()
    assert len(set(_runs(look))) == 3
    assert "older jobs than the newest 3 were left out" in " ".join(one.reason for one in look.skipped)


# What becomes of jobs


def _without(folder: Path, name: str, *job_ids: int) -> None:
    queue = json.loads((folder / name).read_text())
    queue["jobs"] = [job for job in queue["jobs"] if job["job_id"] not in job_ids]
    (folder / name).write_text(json.dumps(queue))


def test_a_job_that_left_the_queue_is_looked_up_at_once(tmp_path: Path) -> None:
    answer(tmp_path, "24.11.5", "early")
    connection = _connect(tmp_path, accounting_seconds=600)
    assert _statuses(connection, connection.look(), "slurm/test/4")[-1].status is RunStatus.RUNNING
    answer(tmp_path, "24.11.5", "late")
    _without(tmp_path, "queue.json", 4)
    last = _statuses(connection, connection.look(), "slurm/test/4")[-1]
    assert (last.status, last.original) == (RunStatus.FAILED, "TIMEOUT")
    [_, again] = [line for line in asked(tmp_path) if line.startswith("sacct")]
    assert "--starttime=now-11minutes" in again or "--starttime=now-10minutes" in again


def test_a_job_that_nobody_knows_any_more_is_unknown(tmp_path: Path) -> None:
    answer(tmp_path, "24.11.5", "early")
    connection = _connect(tmp_path, accounting=False)
    connection.look()
    _without(tmp_path, "queue.json", 6, 8, 21, 22, 1)
    look = connection.look()
    last = _statuses(connection, look, "slurm/test/6")[-1]
    assert (last.status, last.reported) == (RunStatus.UNKNOWN, False)
    assert "slurm/test/1" not in set(_runs(look))  # it had ended, and that was told
    assert _statuses(connection, look, "slurm/test/8_0")[-1].status is RunStatus.UNKNOWN
    assert _statuses(connection, look, "slurm/test/8_5")[-1].status is RunStatus.UNKNOWN
    answer(tmp_path, "24.11.5", "early")
    assert _statuses(connection, connection.look(), "slurm/test/6")[-1].status is RunStatus.RUNNING


def test_tasks_that_start_are_not_gone(tmp_path: Path) -> None:
    answer(tmp_path, "24.11.5", "early")
    connection = _connect(tmp_path, accounting=False)
    connection.look()
    _without(tmp_path, "queue.json", 8)  # the last of those that waited has started
    look = connection.look()
    assert {one for one in _runs(look) if one.startswith("slurm/test/8")} == {
        "slurm/test/8", "slurm/test/8_0", "slurm/test/8_1",
    }  # fmt: skip


# What jobs print


def test_output_is_read_from_where_jobs_write_it(tmp_path: Path) -> None:
    answer(tmp_path, "22.05.8", "late")
    moved(tmp_path, os.getuid(), "queue.json", "accounting.txt")
    (tmp_path / "out").mkdir()
    (tmp_path / "out/train-ok-1.out").write_bytes(b"begin\nend\n")
    (tmp_path / "out/train-ok-1.err").write_bytes(b"warn\n")
    (tmp_path / "sweep_8-0.log").write_bytes(b"task 0\n")
    (tmp_path / "slurm-2.out").symlink_to("sweep_8-0.log")
    connection = _connect(tmp_path)
    look = connection.look()
    logs = {
        (seen.unit.run.run_id, seen.unit.key): seen
        for seen in look.units
        if seen.unit.run is not None and seen.unit.key != "job"
    }
    assert set(logs) == {
        ("slurm/test/1", "log/train-ok-1.out"),
        ("slurm/test/1", "log/train-ok-1.err"),
        ("slurm/test/8_0", "log/sweep_8-0.log"),
    }
    content = content_of(delivery for run, key in logs for delivery in _read(connection, look, key, run))
    assert content.logs == {
        ("slurm/test/1", "train-ok-1.out"): b"begin\nend\n",
        ("slurm/test/1", "train-ok-1.err"): b"warn\n",
        ("slurm/test/8_0", "sweep_8-0.log"): b"task 0\n",
    }
    assert list(connection.look().skipped) == list(look.skipped)
    reasons = {one.path: one.reason for one in look.skipped}
    assert reasons[f"{tmp_path}/slurm-2.out"] == "it is no regular file"
    assert reasons["logs"].startswith("output files that cannot be seen from here: ")
    # The queue forgets a job, and the accounts of this version have no paths.
    _without(tmp_path, "queue.json", 1)
    (tmp_path / "out/train-ok-1.out").write_bytes(b"begin\nend\nmore\n")
    keys = {seen.unit.key for seen in connection.look().units}
    assert {"log/train-ok-1.out", "log/train-ok-1.err"} <= keys


def test_output_of_a_job_is_not_that_of_others(tmp_path: Path) -> None:
    answer(tmp_path, "24.11.5", "late")
    moved(tmp_path, os.getuid() + 1, "queue.json", "accounting.json")
    (tmp_path / "slurm-2.out").write_bytes(b"x\n")
    look = _connect(tmp_path).look()
    assert not any(seen.unit.key.startswith("log/") for seen in look.units)
    assert (
        f"it belongs to user {os.getuid()}"
        in {one.path: one.reason for one in look.skipped}[f"{tmp_path}/slurm-2.out"]
    )


def test_output_may_be_left_alone(tmp_path: Path) -> None:
    answer(tmp_path, "24.11.5", "late")
    moved(tmp_path, os.getuid(), "queue.json", "accounting.json")
    (tmp_path / "slurm-2.out").write_bytes(b"x\n")
    look = _connect(tmp_path, logs=False).look()
    assert not any(seen.unit.key.startswith("log/") for seen in look.units)
    assert list(look.skipped) == []
