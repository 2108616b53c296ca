from __future__ import annotations

import pytest

from graphql_runs.model.errors import InvalidInput, LimitExceeded
from graphql_runs.model.operation import Annotate, DeclareRun, RunOperation
from graphql_runs.record.identity import carried
from graphql_runs.record.limits import RecordLimits
from graphql_runs.record.recorder import Recorder
from graphql_runs.store.port import Store
from tests.record.uniting import id_of, run_of
from tests.store.samples import a_run

LIMITS = RecordLimits()


@pytest.mark.parametrize(
    ("tags", "params", "expected"),
    [
        ({"graphql-runs.identity": "slurm:c/1"}, {}, ["slurm:c/1"]),
        ({"graphql-runs.identity": " slurm:c/1 , mlflow:a b,,"}, {}, ["slurm:c/1", "mlflow:a b"]),
        ({"graphql-runs.identity": "none"}, {"graphql-runs.identity": "x:y"}, ["x:y"]),
        ({"SLURM_JOB_ID": "4242"}, {}, ["slurm:4242"]),
        ({}, {"slurm_job_id": "4242_7"}, ["slurm:4242_7"]),
        ({"slurm.job_id": "4242"}, {"SLURM_CLUSTER_NAME": "alpha"}, ["slurm:alpha/4242"]),
        ({"slurm.cluster_name": "alpha"}, {"SLURM_JOB_ID": "1"}, ["slurm:alpha/1"]),
        ({"slurm.cluster_name": "not a name"}, {"SLURM_JOB_ID": "1"}, ["slurm:1"]),
        ({"SLURM_JOB_ID": "1"}, {"SLURM_JOB_ID": "2"}, ["slurm:1", "slurm:2"]),
        # What is no id of a job.
        ({"SLURM_JOB_ID": ""}, {"slurm_job_id": "job"}, []),
        ({"SLURM_JOB_ID": "1;2"}, {"slurm_job_id": "-1", "slurm.job_id": "1_2_3"}, []),
        ({"SLURM_JOB_ID": "١٢"}, {"SLURM_JOB_ID": "1.0"}, []),
        # What is no identity.
        ({"graphql-runs.identity": "slurm:, :1, a b:c, x:\x00"}, {}, []),
        ({"graphql-runs.identity": "x:" + "y" * LIMITS.name_bytes}, {}, []),
        ({"job": "4242", "SLURM_CLUSTER_NAME": "alpha"}, {}, []),
    ],
)
def test_trackers_carry_identities(tags: dict[str, str], params: dict[str, str], expected: list[str]) -> None:
    assert list(carried(a_run("r", tags=tags, params=params), LIMITS)) == expected


def test_properties_carry_them_too() -> None:
    run = a_run("r", properties={"SLURM_JOB_ID": "7", "SLURM_CLUSTER_NAME": "a.b-c"})
    assert list(carried(run, LIMITS)) == ["slurm:a.b-c/7"]


async def test_identities_are_declared_added_and_stay(store: Store, recorder: Recorder) -> None:
    declared = DeclareRun("r", "exp", "r", "one", tags={"SLURM_JOB_ID": "1"}, identities=["a:1", "a:1"])
    await recorder.record("w", [declared])
    assert (await run_of(store, "r")).identities == ("a:1", "slurm:1")
    await recorder.record("w", [Annotate("r", identities=("b:2", "a:1"), remove_tags=("SLURM_JOB_ID",))])
    await recorder.record("w", [Annotate("r", params={"graphql-runs.identity": "c:3,a:1"})])
    await recorder.record("w", [DeclareRun("r", "exp", "r", "one", identities=("d:4",))])
    assert (await run_of(store, "r")).identities == ("a:1", "slurm:1", "b:2", "c:3", "d:4")


async def test_a_run_has_sixteen(store: Store, recorder: Recorder) -> None:
    many = tuple(f"x:{i}" for i in range(17))
    with pytest.raises(LimitExceeded, match=r"operations\[0\]\.identities has 17"):
        await recorder.record("w", [DeclareRun("r", "exp", "r", "one", identities=many)])
    tags = {"graphql-runs.identity": ",".join(many)}
    await recorder.record("w", [DeclareRun("r", "exp", "r", "one", tags=tags, identities=("own:1",))])
    assert (await run_of(store, "r")).identities == ("own:1", *many[:15])
    with pytest.raises(LimitExceeded, match="17 identities") as caught:
        await recorder.record("w", [Annotate("r", identities=("new:1",))])
    assert caught.value.field == "identities"


@pytest.mark.parametrize("bad", ["", " ", "slurm", "slurm:", ":1", "a b:1", "slurm: 1", "slurm:1 ", "a:\n"])
async def test_what_is_no_identity_is_refused(store: Store, recorder: Recorder, bad: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        await recorder.record("w", [DeclareRun("r", "exp", "r", "one", identities=(bad,))])
    assert caught.value.field == "operations[0].identities"
    assert await store.count_runs(None) == 0


async def test_a_long_one_is_refused(recorder: Recorder) -> None:
    with pytest.raises(LimitExceeded, match="1027 bytes"):
        await recorder.record("w", [DeclareRun("r", "exp", "r", "one", identities=("é:" + "x" * 1024,))])


async def test_a_repetition_from_before_identities_is_recognised(store: Store, recorder: Recorder) -> None:
    """The hash of a call counts identities only where there are some, so that the same content gives the same hash as ever."""
    said: list[RunOperation] = [
        DeclareRun("r", "exp", "r", "one", tags={"a": "b"}),
        Annotate("r", exit_code=1),
    ]
    await recorder.record("w", said, writer="w", sequence=0)
    [position] = await store.positions(id_of("r"), ["w"])
    assert position is not None
    # As computed by the version before identities.
    assert position.digest.hex() == "aac29e04b8aeb31e4184788d3d5603d7"
