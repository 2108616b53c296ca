from __future__ import annotations

from typing import Any

import pytest

from graphql_runs.model.records import Cluster
from graphql_runs.model.run import Run, StatusEvidence
from graphql_runs.model.status import RunStatus
from graphql_runs.read.conflicts import APART, conflicts
from graphql_runs.store.port import Store
from tests.store.samples import HOME, a_run


async def stated(
    store: Store, one: dict[str, Any], other: dict[str, Any]
) -> dict[str, list[tuple[str, str]]]:
    runs = [a_run("a", source="one", **one), a_run("b", source="two", **other)]
    found = await conflicts(store, runs)
    return {one.field: [(each.value, each.source) for each in one.values] for one in found}


@pytest.mark.parametrize(
    ("one", "other", "field", "values"),
    [
        ({"name": "x"}, {"name": "y"}, "name", ["x", "y"]),
        ({"display_name": "x"}, {"display_name": "y"}, "displayName", ["x", "y"]),
        ({"target": "x"}, {"target": "X"}, "target", ["x", "X"]),
        ({"submitted_by": "x"}, {"submitted_by": "y"}, "submittedBy", ["x", "y"]),
        ({"exit_code": 0}, {"exit_code": 1}, "exitCode", ["0", "1"]),
        (
            {"started_at": 0},
            {"started_at": APART + 1},
            "startedAt",
            ["1970-01-01T00:00:00.000000Z", "1970-01-01T00:02:00.000001Z"],
        ),
        (
            {"params": {"a": "1", "b": "x"}},
            {"params": {"a": "1.0", "b": "y", "c": "z"}},
            "params.b",
            ["x", "y"],
        ),
    ],
)
async def test_what_differs(
    store: Store, one: dict[str, Any], other: dict[str, Any], field: str, values: list[str]
) -> None:
    found = await stated(store, one, other)
    assert found == {field: list(zip(values, ["one", "two"], strict=True))}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({}, {}),
        ({"exit_code": 0}, {}),
        ({"ended_at": 5, "target": "x"}, {"ended_at": 5 + APART, "target": "x"}),
        ({"params": {"a": "1"}}, {"params": {"b": "2"}}),
        ({"params": {"a": "1e-3"}}, {"params": {"a": "0.001"}}),
    ],
)
async def test_what_does_not(store: Store, one: dict[str, Any], other: dict[str, Any]) -> None:
    assert await stated(store, one, other) == {}


async def test_a_run_alone_has_none(store: Store) -> None:
    assert await conflicts(store, [a_run("a")]) == []


def said(
    status: RunStatus, source: str, *, reported: bool = True, origin: str | None = None
) -> StatusEvidence:
    return StatusEvidence(status, 7, reported, source, origin=origin)


async def test_the_status_is_what_each_was_told_itself(store: Store) -> None:
    own, theirs = said(RunStatus.RUNNING, "meta"), said(RunStatus.FAILED, "sacct")
    told = said(RunStatus.FAILED, "two b: sacct", origin=a_run("b").id)
    found = await stated(store, {"evidence": (own, told)}, {"evidence": (theirs,)})
    assert found == {"status": [("RUNNING", "meta"), ("FAILED", "sacct")]}
    # What counts is what would count for the run alone.
    derived = said(RunStatus.COMPLETED, "exit code", reported=False)
    assert await stated(store, {"evidence": (told,)}, {"evidence": (theirs, derived)}) == {}


async def test_clusters_go_by_their_names(store: Store) -> None:
    for name in ("gpu", "cpu"):
        await store.upsert(Cluster(f"cluster_{name}", HOME, name, 1), None)
    found = await stated(store, {"cluster": "cluster_gpu"}, {"cluster": "cluster_cpu"})
    assert found == {"cluster": [("gpu", "one"), ("cpu", "two")]}


async def test_who_says_what_of_three(store: Store) -> None:
    runs: list[Run] = [
        a_run(name, source=name, exit_code=code) for name, code in (("a", 1), ("b", None), ("c", 2))
    ]
    [found] = await conflicts(store, runs)
    assert [(one.value, one.run) for one in found.values] == [("1", runs[0]), ("2", runs[2])]
