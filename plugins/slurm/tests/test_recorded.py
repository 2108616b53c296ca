"""What real clusters of three versions said, compared with what is told of it."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from graphql_runs.model.run import Queueing, RunFailure
from graphql_runs.model.status import RunStatus
from graphql_runs_slurm import accounting, queue
from graphql_runs_slurm.config import SlurmConfig
from graphql_runs_slurm.document import load
from plugins.slurm.tests.generate import record
from plugins.slurm.tests.recorded import CLUSTER, MOMENTS, VERSIONS, document, ids, said
from plugins.slurm.tests.told import accounts, families, queued, told, told_of

Q, R, C, F, X = (
    RunStatus.QUEUED,
    RunStatus.RUNNING,
    RunStatus.COMPLETED,
    RunStatus.FAILED,
    RunStatus.CANCELED,
)
MEMORY = "it used more memory than it was given (50M)"
EARLY = {
    "ok": (C, "COMPLETED", None, 0),
    "fail": (F, "FAILED", "exit code 3", 3),
    "signal": (F, "FAILED", "signal 11 (SIGSEGV)", 139),
    "timeout": (R, "RUNNING", None, None),
    "oom": (F, "OUT_OF_MEMORY", MEMORY, None),
    "running": (R, "RUNNING", None, None),
    "steps": (C, "COMPLETED", None, 0),
    "array": (R, None, None, None),
    "held": (Q, "PENDING", None, None),
    "later": (Q, "PENDING", None, None),
    "large": (Q, "PENDING", None, None),
    "requeued": (R, "RUNNING", None, None),
    "cancelled": (R, "RUNNING", None, None),
    "suspended": (RunStatus.PAUSED, "SUSPENDED", None, None),
    "het": (Q, "PENDING", None, None),
    "deadline": (Q, "PENDING", None, None),
    "dependent": (Q, "PENDING", None, None),
    "never": (Q, "PENDING", None, None),
    "withdrawn": (X, "CANCELLED", None, None),
}
LATE = EARLY | {
    "timeout": (F, "TIMEOUT", "it reached its time limit of 1:00", None),
    "array": (X, None, "of its tasks: CANCELED 10", None),
    "requeued": (R, "RUNNING", "attempt 2", None),
    "cancelled": (X, "CANCELLED", "by runner", None),
    "suspended": (F, "FAILED", "signal 9 (SIGKILL)", 137),
    "het": (R, "RUNNING", None, None),
    "deadline": (F, "DEADLINE", "it could not end before its deadline", None),
    "preempted": (X, "PREEMPTED", "it was pushed out by a job of higher priority", None),
    "urgent": (C, "COMPLETED", None, 0),
    "stranded": (F, "NODE_FAIL", "node node3 failed", None),
}
BY_LINES = {"by runner": "by 5001", "node node3 failed": "a node failed (node3)"}
"""What lines tell in other words: sacct has numbers for users there, scontrol no node that failed. So has 22.05 for that node."""
LIMITS = {1: "1:00", 10: "10:00", 60: "1:00:00", 120: "2:00:00", 525_600: "365-00:00:00"}
REASONS = {"held": "JobHeldUser", "later": "BeginTime", "dependent": "Dependency", "never": "Dependency"}


@pytest.mark.parametrize("form", ["json", "txt"])
@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(("moment", "expected"), [("early", EARLY), ("late", LATE)])
def test_every_job_is_in_its_status(
    version: str,
    moment: str,
    form: str,
    expected: Mapping[str, tuple[RunStatus, str | None, str | None, int | None]],
) -> None:
    found = told_of(version, moment, form)
    assert set(expected) == set(ids(version)) - (
        set() if moment == "late" else {"preempted", "urgent", "stranded"}
    )
    for name, (status, original, detail, code) in expected.items():
        last = found[name].statuses[-1]
        if form == "txt" or (version.startswith("22.") and name == "stranded"):
            detail = BY_LINES.get(detail or "", detail)
        said_of = (last.status, last.original, last.detail, found[name].facts.exit_code)
        assert said_of == (status, original, detail, code), name
        assert last.source == "slurm:test"
        assert last.reported is (name != "array")


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("moment", MOMENTS)
def test_times_are_those_of_the_cluster(version: str, moment: str) -> None:
    found = told(families(version, moment, "json"))
    checked = 0
    for job in document(version, moment, "queue.json")["jobs"]:
        if _number(job["array_job_id"]) or _number(job.get("het_job_offset")) or job["name"] == "again":
            continue
        one = found[f"slurm/test/{job['job_id']}"]
        state = _state(job["job_state"])
        submit, start, end = (_number(job[name]) for name in ("submit_time", "start_time", "end_time"))
        times = {(each.status, each.original): each.at for each in one.statuses if each.detail != "eligible"}
        assert one.declared.created_at == submit * 1_000_000
        assert times[Q, "PENDING"] == submit * 1_000_000
        assert times.get((R, "RUNNING")) == (start * 1_000_000 if job["nodes"] else None)
        over = state not in ("PENDING", "RUNNING", "SUSPENDED")
        assert one.facts.ended_at == (end * 1_000_000 if over else None)
        if over:
            assert one.statuses[-1].at == end * 1_000_000
        elif state == "SUSPENDED":
            assert one.statuses[-1].at == _number(job["suspend_time"]) * 1_000_000
        checked += 1
    assert checked >= 15


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("moment", MOMENTS)
def test_facts_are_those_of_the_cluster(version: str, moment: str) -> None:
    found = told(families(version, moment, "json"))
    for job in document(version, moment, "queue.json")["jobs"]:
        if _number(job["array_job_id"]) and job["array_task_string"]:
            continue
        task, offset = _number(job["array_task_id"]), _number(job.get("het_job_offset"))
        if _number(job["array_job_id"]):
            id = f"{_number(job['array_job_id'])}_{task}"
        else:
            id = f"{_number(job['het_job_id'])}+{offset}" if offset else str(job["job_id"])
        one = found[f"slurm/test/{id}"]
        facts = {name.removeprefix("slurm."): value for name, value in one.facts.properties.items()}
        assert (one.declared.name, one.declared.experiment) == (job["name"], "research")
        assert (one.declared.submitted_by, one.declared.cluster) == ("runner", f"test/{job['partition']}")
        assert facts["cluster_name"] == CLUSTER
        assert facts["job_id"] == str(job["job_id"])
        for name, field in (
            ("account", "account"),
            ("partition", "partition"),
            ("qos", "qos"),
            ("nodes", "nodes"),
            ("command", "command"),
            ("work_dir", "current_working_directory"),
            ("comment", "comment"),
            ("tres_requested", "tres_req_str"),
            ("tres_allocated", "tres_alloc_str"),
            ("tres_per_node", "tres_per_node"),
        ):
            assert facts.get(name, "") == job[field], (id, name)
        assert facts.get("dependency", "") == str(job["dependency"]).replace("(unfulfilled)", "")
        limit = _number(job["time_limit"])
        assert facts.get("time_limit") == LIMITS.get(limit)
        assert int(facts["node_count"]) == _number(job["node_count"])
        if _number(job["cpus"]) is not None:  # 22.05 does not know it of jobs that wait
            assert int(facts["cpus"]) == _number(job["cpus"])
        assert facts.get("restarts", "0") == str(job["restart_cnt"])
        named = {"1": "out/train-ok-1.out"}.get(id, f"slurm-{job['job_id']}.out")
        if task is not None and _number(job["array_job_id"]):
            named = f"sweep_8-{task}.log"
        assert facts["stdout"] == f"/tmp/slurm-jobs/{named}"
        assert facts.get("stderr") == ("/tmp/slurm-jobs/out/train-ok-1.err" if id == "1" else None)


@pytest.mark.parametrize("version", VERSIONS)
def test_who_waits_and_why(version: str) -> None:
    found = told_of(version, "early", "json")
    for name, reason in REASONS.items():
        queueing = found[name].facts.queueing
        assert queueing is not None
        assert queueing.code == reason
        assert queueing.message
        assert queueing.position is None
    large = found["large"].facts.queueing
    assert large is not None
    assert (large.code, large.position) == ("Resources", 1)
    waiting = [found[name].facts.queueing for name in ("large", "het", "deadline")]
    # The component of the heterogeneous job comes in between.
    assert [one.position for one in waiting if one is not None] == [1, 2, 4]
    assert found["running"].facts.queueing == Queueing()


@pytest.mark.parametrize("version", VERSIONS)
def test_a_failed_job_has_an_error(version: str) -> None:
    found = told_of(version, "late", "json")
    assert found["timeout"].facts.error == RunFailure(
        "The job failed: it reached its time limit of 1:00.", "TIMEOUT", "TimeLimit"
    )
    oom = found["oom"].facts.error
    assert oom is not None
    assert (oom.message, oom.code) == (f"The job failed: {MEMORY}.", "OUT_OF_MEMORY")
    assert [
        name for name, one in found.items() if one.facts.error is None and one.statuses[-1].status is F
    ] == []
    assert found["cancelled"].facts.error is None


@pytest.mark.parametrize("form", ["json", "txt"])
@pytest.mark.parametrize("version", VERSIONS)
def test_an_array_has_its_tasks_below_it(version: str, form: str) -> None:
    found = told(families(version, "early", form))
    tasks = {id: one for id, one in found.items() if one.declared.parent == "slurm/test/8"}
    assert sorted(tasks) == [f"slurm/test/8_{index}" for index in range(10)]
    assert {one.declared.root for one in tasks.values()} == {"slurm/test/8"}
    assert {one.declared.kind for one in tasks.values()} == {"task"}
    running = [id for id, one in tasks.items() if one.statuses[-1].status is R]
    assert running == ["slurm/test/8_0", "slurm/test/8_1"]
    waiting = tasks["slurm/test/8_7"].facts
    assert waiting.queueing is not None
    assert waiting.queueing.code == "JobArrayTaskLimit"
    assert tasks["slurm/test/8_7"].declared.display_name == "sweep_7"
    array = found["slurm/test/8"]
    assert (array.declared.kind, array.declared.parent, array.declared.name) == ("array", None, "sweep")
    assert array.facts.properties["slurm.tasks_waiting"] == "2-9%2"
    assert array.facts.properties["slurm.task_states"] == "QUEUED 8, RUNNING 2"


@pytest.mark.parametrize("version", VERSIONS)
def test_runs_are_known_by_the_ids_that_jobs_see(version: str) -> None:
    found = told(families(version, "early", "json"))
    assert found["slurm/test/1"].declared.identities == ("slurm:test/1", "slurm:1")
    assert found["slurm/test/8"].declared.identities == ()
    assert found["slurm/test/8_7"].declared.identities == ("slurm:test/8_7", "slurm:8_7")
    raw = found["slurm/test/8_1"].facts.properties["slurm.job_id"]
    assert found["slurm/test/8_1"].declared.identities == (
        f"slurm:test/{raw}", "slurm:test/8_1", f"slurm:{raw}", "slurm:8_1",
    )  # fmt: skip
    exact = told(families(version, "early", "json"), SlurmConfig(bare_identity=False))
    assert exact["slurm/test/15+1"].declared.identities == ("slurm:test/16",)


@pytest.mark.parametrize("form", ["json", "txt"])
@pytest.mark.parametrize("version", VERSIONS)
def test_a_requeued_job_is_one_run_with_its_attempts(version: str, form: str) -> None:
    one = told_of(version, "late", form)["requeued"]
    assert [each.status for each in one.statuses] == [Q, R, Q, Q, Q, R]
    assert [each.detail for each in one.statuses] == [None, None, None, "attempt 2", "eligible", "attempt 2"]
    times = [each.at or 0 for each in one.statuses]
    assert times == sorted(times)
    assert one.facts.properties["slurm.attempts"] == "2"


@pytest.mark.parametrize("version", VERSIONS)
def test_a_heterogeneous_job_has_its_components_below_it(version: str) -> None:
    found = told(families(version, "late", "json"))
    leader, second = found["slurm/test/15"], found["slurm/test/15+1"]
    assert (leader.declared.parent, second.declared.parent) == (None, "slurm/test/15")
    assert second.declared.kind == "component"
    assert second.facts.properties["slurm.job_id"] == "16"
    assert {leader.facts.properties["slurm.nodes"], second.facts.properties["slurm.nodes"]} == {
        "node1",
        "node2",
    }


@pytest.mark.parametrize("version", VERSIONS[1:])
def test_steps_are_summed_up(version: str) -> None:
    facts = told_of(version, "late", "json")["steps"].facts.properties
    assert facts["slurm.steps"] == "batch COMPLETED, true COMPLETED, false FAILED, sleep COMPLETED"
    [job] = [one for one in document(version, "late", "accounting.json")["jobs"] if one["name"] == "steps"]
    steps: list[Any] = job["steps"]  # type: ignore[assignment]  # as it comes
    memory = [
        one["count"] for step in steps for one in step["tres"]["requested"]["max"] if one["type"] == "mem"
    ]
    assert int(facts["slurm.max_memory_bytes"]) == max(memory)
    seconds = sum(
        step["time"]["total"]["seconds"] + step["time"]["total"]["microseconds"] / 1e6 for step in steps
    )
    assert float(facts["slurm.cpu_seconds"]) == pytest.approx(seconds, abs=1e-6)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("moment", MOMENTS)
def test_lines_tell_the_same_as_json(version: str, moment: str) -> None:
    for as_json, as_lines in (
        (queued(version, moment, "json"), queued(version, moment, "txt")),
        (accounts(version, moment, "json"), accounts(version, moment, "txt")),
    ):
        # sacct of 22.05 puts attempts in another order as JSON.
        one = sorted(as_json, key=lambda job: (job.id, job.submitted or 0))
        other = sorted(as_lines, key=lambda job: (job.id, job.submitted or 0))
        assert len(one) == len(other)
        for this, that in zip(one, other, strict=True):
            for name in (
                "id", "cluster", "array", "task", "waiting", "het", "name", "user", "account", "partition", "base", "submitted",
                "eligible", "started", "ended", "limit", "nodes", "reason",
            ):  # fmt: skip
                if (name, this.over) == ("base", True) and "REQUEUED" in this.words:
                    continue  # lines have the flag in place of the base state
                ours, theirs = getattr(this, name), getattr(that, name)
                if name == "reason":  # lines have the description with it
                    ours, theirs = ours.partition(":")[0], theirs.partition(":")[0]
                assert ours == theirs, (this.id, name)


@pytest.mark.parametrize("version", VERSIONS[1:])
@pytest.mark.parametrize("moment", MOMENTS)
def test_scontrol_tells_the_same_as_squeue(version: str, moment: str) -> None:
    by_scontrol = list(queue.attempts(load(said(version, moment, "jobs.json")), CLUSTER))
    assert by_scontrol == queued(version, moment, "json")


def test_sacct_was_asked_as_the_plugin_asks_it() -> None:
    assert record.FIELDS == accounting.FIELDS


def test_the_recordings_are_of_these_versions() -> None:
    for version in VERSIONS:
        meta = json.loads(said(version, "late", "queue.json"))["meta"]
        assert (meta.get("slurm") or meta["Slurm"])["release"] == version


def _state(value: Any) -> str:
    """The only word of a state."""
    [state] = [value] if isinstance(value, str) else value
    return str(state)


def _number(value: Any) -> Any:
    """A number as either form has it."""
    if isinstance(value, dict):
        return value["number"] if value["set"] else None
    return value
