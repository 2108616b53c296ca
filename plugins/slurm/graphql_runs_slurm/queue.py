"""Jobs as `squeue --json` and `scontrol show job --json` give them, of Slurm 21.08 to 25.11."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from graphql_runs_slurm.document import jobs
from graphql_runs_slurm.job import Attempt, checked
from graphql_runs_slurm.paths import DEFAULT, DEFAULT_ARRAY, expanded
from graphql_runs_slurm.value import count, first, moment, nested, number, text, words

FACTS = {
    "qos": "qos",
    "group": "group_name",
    "command": "command",
    "work_dir": "current_working_directory",
    "comment": "comment",
    "dependency": "dependency",
    "reservation": "resv_name",
    "features": "features",
    "licenses": "licenses",
    "container": "container",
    "wckey": "wckey",
    "tres_requested": "tres_req_str",
    "tres_allocated": "tres_alloc_str",
    "tres_per_node": "tres_per_node",
    "tres_per_job": "tres_per_job",
    "tres_per_task": "tres_per_task",
    "nodes_required": "required_nodes",
    "nodes_excluded": "excluded_nodes",
    "batch_host": "batch_host",
    "federation": "federation_origin",
}
"""Properties by name, and the fields they come from."""
COUNTS = {"node_count": "node_count", "cpus": "cpus", "tasks": "tasks", "restarts": "restart_cnt"}


def attempts(document: object, cluster: str) -> Iterator[Attempt]:
    """The jobs of a document. What is no job is passed over."""
    for given in jobs(document):
        if (found := attempt(given, cluster)) is not None:
            yield found


def attempt(job: Mapping[str, object], cluster: str) -> Attempt | None:
    """A job as it is now, None when it has no id."""
    id = count(job.get("job_id"))
    if not id:
        return None
    array, het = count(job.get("array_job_id")) or None, count(job.get("het_job_id")) or None
    waiting = text(job.get("array_task_string"))
    task = None if array is None or waiting else count(job.get("array_task_id"))
    code, signal = exit_of(job.get("exit_code"))
    found = Attempt(
        id=id,
        cluster=text(job.get("cluster")) or cluster,
        array=array,
        task=task,
        waiting=waiting if array is not None else "",
        het=het,
        offset=count(job.get("het_job_offset")) if het is not None else None,
        name=text(job.get("name")),
        user=text(job.get("user_name")),
        uid=count(job.get("user_id")),
        account=text(job.get("account")),
        partition=text(job.get("partition")),
        words=words(job.get("job_state")),
        reason=text(job.get("state_reason")),
        description=text(job.get("state_description")),
        submitted=moment(job.get("submit_time")),
        eligible=moment(job.get("eligible_time")),
        started=moment(job.get("start_time")),
        ended=moment(job.get("end_time")),
        suspended=moment(job.get("suspend_time")),
        exit_code=code,
        signal=signal,
        limit=count(job.get("time_limit")),
        priority=count(job.get("priority")),
        nodes=text(job.get("nodes")),
        failed_node=text(job.get("failed_node")),
        evaluated=moment(job.get("last_sched_evaluation")),
        facts=_facts(job),
    )
    if waiting:
        return checked(found)  # paths of several tasks
    stdout = text(job.get("standard_output"))
    if not stdout and job.get("batch_flag") in (True, 1):
        stdout = DEFAULT_ARRAY if array is not None else DEFAULT  # 22.05 leaves it out
    return expanded(checked(found), stdout, text(job.get("standard_error")))


def exit_of(value: object) -> tuple[int | None, int | None]:
    """Exit code and signal. 22.05 writes a wait status (code times 256 and signal) as a bare number in the queue."""
    if isinstance(value, Mapping):
        code = count(value.get("return_code"))
        signal = first(count(nested(value, "signal", "id")), count(nested(value, "signal", "signal_id")))
        return code, signal or None
    status = count(value)
    if status is None:
        return None, None
    return status >> 8 & 0xFF, status & 0x7F or None


def _facts(job: Mapping[str, object]) -> dict[str, str]:
    found = {name: value for name, field in FACTS.items() if (value := text(job.get(field)))}
    for name, field in COUNTS.items():
        amount = number(job.get(field))
        if amount:
            found[name] = str(int(amount))
    return found
