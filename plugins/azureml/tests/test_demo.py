"""What the demo writes is read whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from graphql_runs.demo.cluster import NAME, Cluster
from graphql_runs.demo.nodelogs import Job, Layout, NewLayout, OldLayout
from graphql_runs.demo.record import RunRecord
from graphql_runs.model.operation import Annotate
from graphql_runs.model.records import ClusterNode, LogStream
from graphql_runs.model.run import Goal, Queueing
from graphql_runs.model.status import RunStatus
from plugins.azureml.tests.builder import Reading, read


def status(reading: Reading, run_id: str, *, reported: bool) -> RunStatus:
    return reading.statuses(run_id, reported=reported)[-1].status


@pytest.mark.parametrize("layout", [OldLayout(), NewLayout()])
@pytest.mark.parametrize("code", [0, 1])
def test_a_sweep_with_one_child(tmp_path: Path, layout: Layout, code: int) -> None:
    (tmp_path / "azureml").mkdir()
    cluster = Cluster(tmp_path / "azureml/cluster.json")
    cluster.grow()
    cluster.ready()
    parent = RunRecord(
        tmp_path / "azureml/HD_1", {"experimentName": "digits", "rootRunId": "HD_1", "parentRunId": None}
    )
    parent.note(
        tags={
            "_aml_system_HD_1_0": {"--lr": 0.1},
            "primary_metric_config": {"name": "val/accuracy", "goal": "maximize"},
        }
    )
    fields = {"experimentName": "digits", "rootRunId": "HD_1", "parentRunId": "HD_1", "target": NAME}
    child = RunRecord(tmp_path / "azureml/HD_1_0", fields)
    first = read(tmp_path)
    assert status(first, "HD_1_0", reported=True) is RunStatus.NOT_STARTED
    assert (first.run("HD_1").primary_metric, first.run("HD_1").primary_metric_goal) == (
        "val/accuracy",
        Goal.MAXIMIZE,
    )
    assert (first.run("HD_1_0").params, first.run("HD_1_0").cluster) == ({"lr": "0.1"}, NAME)

    child.queue(1, 2)
    second = read(tmp_path, first.checkpoints)
    assert status(second, "HD_1_0", reported=True) is RunStatus.QUEUED
    [queueing] = [note.queueing for note in second.of(Annotate) if note.queueing is not None]
    assert (queueing.code, queueing.position) == (Queueing("WaitingForNodes").code, 1)

    node = cluster.nodes[0]
    cluster.assign(node, "HD_1_0")
    job = Job(child.folder, "HD_1_0", "HD_1", NAME, node.node_id, "train.py", ["--lr", "0.1"])
    layout.prepare(job)
    layout.launch(job)
    child.move("Running")
    layout.exited(job, code)
    layout.release(job, 0.5, 3)
    third = read(tmp_path, second.checkpoints)
    assert status(third, "HD_1_0", reported=True) is RunStatus.RUNNING
    assert status(third, "HD_1_0", reported=False) is (RunStatus.FAILED if code else RunStatus.COMPLETED)
    assert third.clusters[0].nodes is not None
    assert third.clusters[0].nodes[0] == ClusterNode(node.node_id, "running", "HD_1_0")
    assert third.log("HD_1_0", layout.main_log) == (child.folder / layout.main_log).read_bytes()
    assert third.stream("HD_1_0", layout.main_log) is LogStream.STDOUT

    child.fail("UserError", "bad") if code else child.move("Completed")
    fourth = read(tmp_path, third.checkpoints)
    assert status(fourth, "HD_1_0", reported=True) is (RunStatus.FAILED if code else RunStatus.COMPLETED)
    assert [found for one in (first, second, third, fourth) for found in (*one.skipped, *one.errors)] == []
