"""What aliases tell their principals, and that they tell it once."""

from __future__ import annotations

import asyncio

import pytest

from graphql_runs.model.errors import StoreUnavailable
from graphql_runs.model.operation import (
    Annotate,
    DeclareRun,
    SetStatus,
)
from graphql_runs.model.run import Queueing, RunFailure, RunWarning
from graphql_runs.model.status import RunStatus
from graphql_runs.record.limits import RecordLimits
from graphql_runs.record.recorder import Recorder
from graphql_runs.store.port import Store
from tests.record.uniting import JOB, id_of, run_of, seen, write


async def test_a_run_that_ran_for_ever_becomes_failed(store: Store, recorder: Recorder) -> None:
    await write(recorder, seen("m", "mlflow", JOB), SetStatus("m", RunStatus.RUNNING, "meta.yaml", at=10))
    await write(
        recorder,
        DeclareRun(
            "j",
            "exp",
            "train.sh",
            "slurm",
            cluster="gpu",
            target="a100",
            submitted_by="ada",
            identities=(JOB,),
        ),
        SetStatus("j", RunStatus.QUEUED, "sacct", at=5),
        SetStatus("j", RunStatus.RUNNING, "sacct", at=9),
    )
    before = await run_of(store, "m")
    assert (before.status, before.target, before.submitted_by) == (RunStatus.RUNNING, "a100", "ada")
    assert before.cluster == (await run_of(store, "j")).cluster is not None
    failure = RunFailure("killed", "OUT_OF_MEMORY")
    await write(
        recorder,
        SetStatus("j", RunStatus.FAILED, "sacct", at=50, original="OUT_OF_MEMORY"),
        Annotate("j", exit_code=0, error=failure, ended_at=49, started_at=8, queueing=Queueing("Priority")),
    )
    run = await run_of(store, "m")
    assert (run.status, run.status_at, run.original_status) == (RunStatus.FAILED, 50, "OUT_OF_MEMORY")
    assert (run.exit_code, run.error, run.ended_at, run.queueing) == (0, failure, 49, Queueing("Priority"))
    # It knew itself when it began.
    assert (run.started_at, run.name, run.source) == (10, "m", "mlflow")
    assert [(one.status, one.source, one.origin, one.at) for one in run.evidence] == [
        (RunStatus.RUNNING, "meta.yaml", None, 10),
        (RunStatus.QUEUED, "slurm j: sacct", id_of("j"), 5),
        (RunStatus.RUNNING, "slurm j: sacct", id_of("j"), 9),
        (RunStatus.FAILED, "slurm j: sacct", id_of("j"), 50),
    ]


async def test_own_facts_are_never_overwritten_and_told_ones_follow(store: Store, recorder: Recorder) -> None:
    await write(recorder, seen("m", "mlflow", JOB), Annotate("m", target="own", display_name="Own"))
    await write(
        recorder,
        seen("j", "slurm", JOB),
        Annotate("j", target="theirs", exit_code=1, warnings=(RunWarning("w"),), submitted_by="ada"),
    )
    run = await run_of(store, "m")
    assert (run.target, run.exit_code, run.warnings) == ("own", 1, (RunWarning("w"),))
    # The alias corrects what it said.
    await write(recorder, Annotate("j", exit_code=2, submitted_by="bea", display_name="Theirs"))
    run = await run_of(store, "m")
    assert (run.exit_code, run.submitted_by, run.display_name) == (2, "bea", "Own")
    # What the run itself says then counts, whatever the alias says.
    await write(recorder, Annotate("m", exit_code=3))
    await write(recorder, Annotate("j", exit_code=4))
    assert (await run_of(store, "m")).exit_code == 3
    # And what another alias says is not taken for the first one's.
    await write(
        recorder, seen("w", "wandb", JOB), Annotate("w", submitted_by="eve", portal_url="https://w.test")
    )
    run = await run_of(store, "m")
    assert (run.submitted_by, run.portal_url) == ("bea", "https://w.test")


async def test_a_new_principal_is_told_everything(store: Store, recorder: Recorder) -> None:
    await write(recorder, seen("a", "wandb"))
    await write(recorder, seen("b", "mlflow", JOB), SetStatus("b", RunStatus.RUNNING, "b", at=1))
    await write(recorder, seen("c", "slurm", JOB), SetStatus("c", RunStatus.FAILED, "c", at=2))
    await write(recorder, Annotate("a", identities=(JOB,)))
    run = await run_of(store, "a")
    assert run.status is RunStatus.FAILED
    # Each by whom it was said to, not once more by way of the old principal.
    assert sorted((one.source, one.origin) for one in run.evidence) == sorted(
        [("mlflow b: b", id_of("b")), ("slurm c: c", id_of("c"))]
    )


async def test_each_statement_is_told_once_whatever_crashes(
    store: Store, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    await write(recorder, seen("m", "mlflow", JOB))
    await write(recorder, seen("j", "slurm", JOB))
    other = Recorder(store)
    commit = store.commit

    async def lost(batch: object) -> None:
        await commit(batch)  # type: ignore[arg-type]  # passed on
        raise StoreUnavailable("the answer was lost")

    words = (RunStatus.RUNNING, RunStatus.QUEUED) * 3
    for i, word in enumerate(words):
        await write(recorder, SetStatus("j", word, "sacct", at=i))
        await write(recorder, SetStatus("m", RunStatus.RUNNING, f"own {i}", at=i))
        with monkeypatch.context() as patch:
            patch.setattr(store, "commit", lost)
            with pytest.raises(StoreUnavailable):
                await write(
                    other, SetStatus("j", RunStatus.PAUSED, "scontrol", at=100 + 2 * i, detail=str(i))
                )
        await asyncio.gather(
            *(one.uniter.settle([id_of(name)], anew=True) for one in (recorder, other) for name in "mj")
        )
    told = [one for one in (await run_of(store, "m")).evidence if one.origin is not None]
    assert [(one.status, one.at) for one in told] == [
        (one.status, one.at) for one in (await run_of(store, "j")).evidence
    ]
    assert len(told) == 12
    await other.close()


async def test_more_statements_than_are_kept(store: Store) -> None:
    recorder = Recorder(store, RecordLimits(evidence=5))
    await write(recorder, seen("m", "mlflow", JOB))
    await write(recorder, seen("j", "slurm", JOB))
    for i in range(12):
        status = RunStatus.RUNNING if i % 2 else RunStatus.QUEUED
        await write(recorder, SetStatus("j", status, "sacct", at=i))
    alias, run = await run_of(store, "j"), await run_of(store, "m")
    assert [one.at for one in run.evidence] == [one.at for one in alias.evidence] == [0, 8, 9, 10, 11]
    assert run.status is RunStatus.RUNNING
    await recorder.close()
