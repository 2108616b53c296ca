from __future__ import annotations

import pytest

from graphql_runs.model.filter import And, RunFilter
from graphql_runs.model.operation import DeclareRun, LogPoints, LogRows
from graphql_runs.model.records import MetricKind
from graphql_runs.read import vocabulary as module
from graphql_runs.read.vocabulary import Name, NameKind, Vocabulary, vocabulary
from graphql_runs.record.recorder import Recorder
from graphql_runs.store.port import Store

ALL: RunFilter = And(())


@pytest.fixture
async def runs(recorder: Recorder) -> None:
    """Five runs; the oldest has metrics of its own, and the newest logged `pr` as rows."""
    for number in range(5):
        id = f"r{number}"
        declared = DeclareRun(
            id, "e", id, "test", created_at=number, params={"lr": "1", f"p{number}": "x"}, tags={"Team": "a"}
        )
        await recorder.record("default", [declared, LogPoints(id, "loss", [1.0])])
    await recorder.record("default", [LogPoints("r0", f"m{number}", [1.0]) for number in range(5)])
    await recorder.record("default", [LogPoints("r0", "pr", [1.0])])
    await recorder.record("default", [LogRows("r4", "pr", {"a": [1.0]})])


async def names(store: Store, of: NameKind, contains: str | None = None, most: int = 1000) -> Vocabulary:
    return await vocabulary(store, ALL, of, contains=contains, most=most)


async def test_metrics_with_how_many_runs_have_them(store: Store, runs: None) -> None:
    found = await names(store, NameKind.METRIC)
    assert (found.looked_at, found.complete) == (5, True)
    assert found.names == [
        Name("loss", MetricKind.SCALAR, 5),
        *(Name(f"m{number}", MetricKind.SCALAR, 1) for number in range(5)),
        Name("pr", MetricKind.ROW, 2),
    ]


async def test_keys_of_bags(store: Store, runs: None) -> None:
    params = await names(store, NameKind.PARAM)
    assert [(one.name, one.kind, one.runs) for one in params.names[:2]] == [("lr", None, 5), ("p0", None, 1)]
    assert (await names(store, NameKind.TAG)).names == [Name("Team", None, 5)]
    assert (await names(store, NameKind.PROPERTY)).names == []


async def test_names_that_contain_a_text(store: Store, runs: None) -> None:
    assert [one.name for one in (await names(store, NameKind.METRIC, "LO")).names] == ["loss"]
    assert [one.name for one in (await names(store, NameKind.TAG, "team")).names] == ["Team"]


async def test_too_many_runs_are_said(store: Store, runs: None) -> None:
    assert (await names(store, NameKind.PARAM, most=5)).complete
    found = await names(store, NameKind.PARAM, most=2)
    assert (found.looked_at, found.complete) == (2, False)
    assert [one.name for one in found.names] == ["lr", "p3", "p4"]


@pytest.mark.parametrize("together", [1, 16])
async def test_too_many_metrics_are_said(
    store: Store, runs: None, monkeypatch: pytest.MonkeyPatch, together: int
) -> None:
    monkeypatch.setattr(module, "_TOGETHER", together)
    monkeypatch.setattr(module, "_BLOCK", 2)
    # Five runs and six metrics: the oldest run would need seven more.
    found = await names(store, NameKind.METRIC, most=11)
    assert (found.looked_at, found.complete) == (4, False)
    assert [(one.name, one.runs) for one in found.names] == [("loss", 4), ("pr", 1)]
    assert (await names(store, NameKind.METRIC, most=17)).complete


async def test_of_one_run_with_too_many_metrics_some_are_named(store: Store, recorder: Recorder) -> None:
    await recorder.record(
        "default",
        [DeclareRun("r", "e", "r", "test"), *(LogPoints("r", f"m{number}", [1.0]) for number in range(9))],
    )
    found = await names(store, NameKind.METRIC, most=4)
    assert [one.name for one in found.names] == ["m0", "m1", "m2"]
    assert not found.complete
