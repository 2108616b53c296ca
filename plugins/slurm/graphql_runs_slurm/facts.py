"""What is written of a run: its declaration, its statuses and its facts."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from hashlib import blake2b

from graphql_runs.model.operation import Annotate, DeclareRun, RunOperation, SetStatus
from graphql_runs.model.run import Queueing
from graphql_runs.model.status import RunStatus
from graphql_runs.model.time import Micros
from graphql_runs_slurm.config import SlurmConfig
from graphql_runs_slurm.family import Member
from graphql_runs_slurm.job import Attempt
from graphql_runs_slurm.status import duration, exit_code, failure, status_of, statuses

SOURCE = "slurm"
NAME_BYTES = 1024
"""The server's own limit of names."""
_FULFILLED = re.compile(r"\((?:un)?fulfilled\)")
_REASONS = {
    "Priority": "jobs of higher priority are before it",
    "Resources": "it waits for nodes, memory or other resources",
    "Dependency": "it waits for other jobs",
    "DependencyNeverSatisfied": "the jobs it waits for did not end as it wants: it will never start",
    "JobHeldUser": "its user holds it back",
    "JobHeldAdmin": "an administrator holds it back",
    "BeginTime": "its begin time has not come",
    "JobArrayTaskLimit": "as many tasks of its array run as may run at once",
    "Licenses": "it waits for a license",
    "ReqNodeNotAvail": "a node it asks for is not available",
    "PartitionDown": "its partition is down",
    "PartitionTimeLimit": "it asks for more time than its partition gives",
    "PartitionNodeLimit": "it asks for more nodes than its partition gives",
    "NodeDown": "a node it asks for is down",
    "Reservation": "its reservation has not begun",
    "launch failed requeued held": "it could not be launched, and is held back",
}
"""Reasons of squeue(1), "JOB REASON CODES", in words. Of all others the code itself tells."""


def operations(member: Member, config: SlurmConfig) -> list[RunOperation]:
    """All that is known of a run. Told again it changes nothing."""
    source = f"{SOURCE}:{member.cluster}"
    if not member.attempts:
        return [_declaration(member, config), *_of_array(member, source)]
    last = member.attempts[-1]
    return [
        _declaration(member, config),
        *statuses(member.run_id, member.attempts, source),
        Annotate(
            member.run_id,
            ended_at=last.ended if status_of(last).terminal else None,
            exit_code=exit_code(last),
            error=failure(last),
            queueing=_queueing(last, member.position),
            properties=_properties(member),
        ),
    ]


def digest(member: Member) -> str:
    """Another one whenever something of the run changed that is told."""
    held = (member.attempts, member.position, member.waiting)
    tasks = [
        (task.key, task.attempts[-1].words, task.attempts[-1].ended, len(task.attempts))
        for task in member.tasks
    ]
    text = re.sub(r"evaluated=(?:None|\d+)", "", repr((held, tasks)))
    return blake2b(text.encode("utf-8", "replace"), digest_size=16).hexdigest()


def declared(member: Member, config: SlurmConfig) -> DeclareRun:
    """A declaration of the run that is enough to write its log."""
    one = member.sample
    return DeclareRun(
        member.run_id,
        experiment=name_of(_experiment(one, config), "slurm"),
        name=name_of(one.name, member.key.text),
        source=SOURCE,
        parent=member.root_id if member.key.part else None,
        root=member.root_id if member.key.part else None,
        created_at=_created(member),
    )


def cluster_name(cluster: str, partition: str) -> str:
    """What a partition is called here: partitions of several clusters may have one name."""
    return f"{cluster}/{partition}"


def name_of(text: str, otherwise: str) -> str:
    """A text as a name: one line, not empty, cut to what a name may have."""
    line = " ".join(text.split())
    data = line.encode()
    return (
        line if len(data) <= NAME_BYTES else data[: NAME_BYTES - 3].decode("utf-8", "ignore") + "…"
    ) or otherwise


def _declaration(member: Member, config: SlurmConfig) -> DeclareRun:
    one, least = member.sample, declared(member, config)
    partition = one.partition.partition(",")[0]
    name, part = least.name, member.key.part
    return DeclareRun(
        member.run_id,
        experiment=least.experiment,
        name=name,
        source=SOURCE,
        parent=least.parent,
        root=least.root,
        display_name=f"{name}{part}" if part else None,
        kind=_kind(member),
        cluster=name_of(cluster_name(member.cluster, partition), member.cluster) if partition else None,
        target=name_of(partition, "") or None,
        submitted_by=name_of(one.user, "" if one.uid is None else str(one.uid)) or None,
        created_at=least.created_at,
        properties={} if member.attempts else {"slurm.cluster_name": member.cluster},
        identities=_identities(member, config),
    )


def _kind(member: Member) -> str:
    if not member.attempts:
        return "array"
    if member.key.part:
        return "task" if member.key.part.startswith("_") else "component"
    return "job"


def _experiment(one: Attempt, config: SlurmConfig) -> str:
    match config.experiment:
        case "user":
            return one.user
        case "partition":
            return one.partition.partition(",")[0]
        case "name":
            return one.name
        case "account":
            return one.account or one.user


def _created(member: Member) -> Micros | None:
    attempts = member.attempts or [task.attempts[0] for task in member.tasks]
    return min((one.submitted for one in attempts if one.submitted is not None), default=None)


def _identities(member: Member, config: SlurmConfig) -> tuple[str, ...]:
    """None of an array, as nothing runs in it: its job id is also that of its last task."""
    if not member.attempts:
        return ()
    last = member.attempts[-1]
    ids = [] if last.waiting else [str(last.id)]
    if member.key.part.startswith("_"):
        ids.append(member.key.text)
    return tuple(
        f"slurm:{prefix}{id}"
        for prefix in ((f"{member.cluster}/", "") if config.bare_identity else (f"{member.cluster}/",))
        for id in ids
    )


def _queueing(last: Attempt, position: int | None) -> Queueing:
    """Why it waits; an empty one takes away what was said while it still did."""
    if status_of(last) is not RunStatus.QUEUED or not last.reason:
        return Queueing()
    message = last.description or _REASONS.get(last.reason)
    return Queueing(last.reason, message, last.evaluated, position)


def _properties(member: Member) -> dict[str, str]:
    last = member.attempts[-1]
    found = {
        "cluster_name": member.cluster,
        "job_id": "" if last.waiting else str(last.id),
        "array_job_id": str(last.array or ""),
        "array_task_id": "" if last.task is None else str(last.task),
        "het_job_id": str(last.het or ""),
        "het_job_offset": "" if last.offset is None else str(last.offset),
        "account": last.account,
        "partition": last.partition,
        "nodes": last.nodes,
        "time_limit": duration(last.limit) if last.limit else "",
        "stdout": last.stdout,
        "stderr": last.stderr if last.stderr != last.stdout else "",
        "canceled_by": last.canceled_by,
        "failed_node": last.failed_node,
        "attempts": str(len(member.attempts)) if len(member.attempts) > 1 else "",
        **last.facts,
    }
    if dependency := found.get("dependency"):
        found["dependency"] = _FULFILLED.sub("", dependency)
    return {f"slurm.{name}": value for name, value in found.items() if value}


def _of_array(member: Member, source: str) -> Iterator[RunOperation]:
    """The statuses of an array: nobody reports them, they follow from those of its tasks."""
    lasts = [task.attempts[-1] for task in member.tasks]
    counts = Counter(status_of(one) for one in lasts)
    summary = ", ".join(f"{status.value} {counts[status]}" for status in RunStatus if counts[status])
    created, run_id = _created(member), member.run_id
    starts = [one.started for task in member.tasks for one in task.attempts if one.started is not None]

    def derived(status: RunStatus, at: Micros | None, detail: str | None = None) -> SetStatus:
        return SetStatus(run_id, status, source, at, reported=False, detail=detail)

    yield derived(RunStatus.QUEUED, created)
    if starts:
        yield derived(RunStatus.RUNNING, min(starts))
        again = [one.submitted or 0 for task in member.tasks for one in task.attempts[1:]]
        if again:
            yield derived(RunStatus.RUNNING, max(again), "a task began anew")
    ends = [one.ended for one in lasts if one.ended is not None]
    ended = None
    if counts and all(status.terminal for status in counts):
        ended = max(ends, default=created)
        worst = next(
            status for status in (RunStatus.FAILED, RunStatus.CANCELED, RunStatus.COMPLETED) if counts[status]
        )
        yield derived(worst, ended, f"of its tasks: {summary}")
    properties = {
        "slurm.array_job_id": str(member.key.root),
        "slurm.task_states": summary,
        "slurm.tasks_waiting": member.waiting,
        "slurm.account": member.sample.account,
        "slurm.partition": member.sample.partition,
    }
    yield Annotate(
        run_id,
        ended_at=ended,
        properties={name: value for name, value in properties.items() if value is not None},
    )
