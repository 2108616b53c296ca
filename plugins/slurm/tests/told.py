"""What is told of the recorded jobs, by the commands and forms that they were asked in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from graphql_runs.model.operation import Annotate, DeclareRun, RunOperation, SetStatus
from graphql_runs_slurm import accounting, oneline, queue
from graphql_runs_slurm.config import SlurmConfig
from graphql_runs_slurm.document import load
from graphql_runs_slurm.facts import operations
from graphql_runs_slurm.family import Families, gather
from graphql_runs_slurm.job import Attempt
from plugins.slurm.tests.recorded import CLUSTER, ids, said


@dataclass(frozen=True, slots=True)
class Told:
    """The operations of one run."""

    declared: DeclareRun
    statuses: Sequence[SetStatus]
    facts: Annotate


def accounts(version: str, moment: str, form: str) -> list[Attempt]:
    """From sacct, as `json` or `txt`."""
    if form == "json":
        return list(accounting.attempts(load(said(version, moment, "accounting.json")), CLUSTER))
    found, skipped = accounting.from_lines(said(version, moment, "accounting.txt").decode(), CLUSTER)
    assert skipped == []
    return found


def queued(version: str, moment: str, form: str) -> list[Attempt]:
    """From squeue, as `json`, or scontrol, as `txt`."""
    if form == "json":
        return list(queue.attempts(load(said(version, moment, "queue.json")), CLUSTER))
    return list(oneline.attempts(said(version, moment, "jobs.txt").decode(), CLUSTER))


def families(version: str, moment: str, form: str) -> Families:
    """All runs, from both commands."""
    found = gather(
        accounts(version, moment, form), queued(version, moment, form), 10_000, 1000, everyone=True
    )
    assert found.skipped == []
    return found


def told(found: Families, config: SlurmConfig | None = None) -> dict[str, Told]:
    """By run id."""
    return {member.run_id: _told(operations(member, config or SlurmConfig())) for member in found.members}


def told_of(version: str, moment: str, form: str) -> dict[str, Told]:
    """By what happens to the jobs; what has no name there is by its run id."""
    names = {f"slurm/{CLUSTER}/{id}": name for name, id in ids(version).items()}
    return {names.get(id, id): one for id, one in told(families(version, moment, form)).items()}


def _told(given: Sequence[RunOperation]) -> Told:
    declared, *statuses, facts = given
    assert isinstance(declared, DeclareRun)
    assert isinstance(facts, Annotate)
    return Told(declared, [one for one in statuses if isinstance(one, SetStatus)], facts)
