"""Jobs as `sacct` gives them: `--json` of Slurm 21.08 to 25.11, or `--parsable2` with the fields below."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from graphql_runs.ingest.api import Skipped
from graphql_runs_slurm.document import jobs
from graphql_runs_slurm.job import Attempt, checked
from graphql_runs_slurm.paths import expanded
from graphql_runs_slurm.queue import exit_of
from graphql_runs_slurm.value import count, first, moment, nested, number, text, words

FIELDS = (
    "JobIDRaw", "JobID", "UID", "User", "Group", "Account", "Partition", "QOS", "Cluster", "State", "ExitCode", "Submit", "Eligible",
    "Start", "End", "TimelimitRaw", "Priority", "NNodes", "NCPUS", "ReqTRES", "AllocTRES", "NodeList", "Reason", "Reservation",
    "Constraints", "WorkDir", "JobName",
)  # fmt: skip
"""Fields that every version since 20.11 has. What users may write freely comes last."""
_FACTS = {
    "qos": "qos",
    "group": "group",
    "work_dir": "working_directory",
    "features": "constraints",
    "licenses": "licenses",
    "container": "container",
}
_TEXT_FACTS = {
    "qos": "QOS",
    "group": "Group",
    "work_dir": "WorkDir",
    "features": "Constraints",
    "reservation": "Reservation",
    "node_count": "NNodes",
    "cpus": "NCPUS",
    "tres_requested": "ReqTRES",
    "tres_allocated": "AllocTRES",
}
_STEPS = 100


def attempts(document: object, cluster: str) -> Iterator[Attempt]:
    """The jobs of a JSON document. What is no job is passed over."""
    for given in jobs(document):
        if (found := attempt(given, cluster)) is not None:
            yield found


def attempt(job: Mapping[str, object], cluster: str) -> Attempt | None:
    """One record of the accounts, None when it has no id."""
    id = count(job.get("job_id"))
    if not id:
        return None
    array, het = count(nested(job, "array", "job_id")) or None, count(nested(job, "het", "job_id")) or None
    waiting = text(nested(job, "array", "task"))
    code, signal = exit_of(job.get("exit_code"))
    user = text(job.get("user")) or text(nested(job, "association", "user"))
    found = Attempt(
        id=id,
        cluster=text(job.get("cluster")) or cluster,
        array=array,
        task=None if array is None or waiting else count(nested(job, "array", "task_id")),
        waiting=waiting if array is not None else "",
        het=het,
        offset=count(nested(job, "het", "job_offset")) if het is not None else None,
        name=text(job.get("name")),
        user=user,
        account=text(job.get("account")),
        partition=text(job.get("partition")),
        words=words(nested(job, "state", "current")),
        reason=text(nested(job, "state", "reason")),
        submitted=moment(nested(job, "time", "submission")),
        eligible=moment(nested(job, "time", "eligible")),
        started=moment(nested(job, "time", "start")),
        ended=moment(nested(job, "time", "end")),
        exit_code=code,
        signal=signal,
        limit=count(nested(job, "time", "limit")),
        priority=count(job.get("priority")),
        canceled_by=text(job.get("kill_request_user")),
        nodes=text(job.get("nodes")),
        failed_node=text(job.get("failed_node")),
        facts=_facts(job),
    )
    if waiting:
        return checked(found)
    stdout = text(job.get("stdout_expanded")) or text(job.get("stdout"))
    stderr = text(job.get("stderr_expanded")) or text(job.get("stderr"))
    return expanded(checked(found), stdout, stderr)


def _facts(job: Mapping[str, object]) -> dict[str, str]:
    found = {name: value for name, field in _FACTS.items() if (value := text(job.get(field)))}
    if comment := text(nested(job, "comment", "job")):
        found["comment"] = comment
    if reservation := text(nested(job, "reservation", "name")):
        found["reservation"] = reservation
    if wckey := text(nested(job, "wckey", "wckey")):
        found["wckey"] = wckey
    for name, field in (("tres_requested", "requested"), ("tres_allocated", "allocated")):
        if tres := _tres(nested(job, "tres", field)):
            found[name] = tres
    for name, given in (
        ("node_count", job.get("allocation_nodes")),
        ("cpus", nested(job, "required", "CPUs")),
        ("restarts", job.get("restart_cnt")),
    ):
        if amount := number(given):
            found[name] = str(int(amount))
    return found | _steps(job.get("steps"))


def _tres(listed: object) -> str:
    """Resources as in `cpu=2,mem=200M,gres/gpu:a100=1`."""
    parts = []
    for one in listed if isinstance(listed, list) else ():
        kind, name, amount = (
            text(nested(one, "type")),
            text(nested(one, "name")),
            number(nested(one, "count")),
        )
        if kind and amount is not None and amount >= 0:
            unit = "M" if kind == "mem" else ""
            parts.append(f"{kind}{'/' if name else ''}{name}={int(amount)}{unit}")
    return ",".join(parts)


def _steps(listed: object) -> dict[str, str]:
    """The steps with their states, the most memory that one of their tasks had in use, and their CPU time."""
    states: list[str] = []
    memory = microseconds = 0
    steps = [one for one in listed if isinstance(one, Mapping)] if isinstance(listed, list) else []
    for step in steps:
        name = first(text(nested(step, "step", "name")), text(nested(step, "step", "id"))) or "?"
        state = "+".join(words(step.get("state")))
        states.append(f"{name} {state}")
        maxima = nested(step, "tres", "requested", "max")
        for one in maxima if isinstance(maxima, list) else ():
            if nested(one, "type") == "mem":
                memory = max(memory, count(nested(one, "count")) or 0)
        seconds = count(nested(step, "time", "total", "seconds")) or 0
        microseconds += seconds * 1_000_000 + (count(nested(step, "time", "total", "microseconds")) or 0)
    found: dict[str, str] = {}
    if states:
        more = [f"and {len(states) - _STEPS} more"] if len(states) > _STEPS else []
        found["steps"] = ", ".join(states[:_STEPS] + more)
    if memory:
        found["max_memory_bytes"] = str(memory)
    if microseconds:
        found["cpu_seconds"] = f"{microseconds / 1_000_000:.6f}".rstrip("0").rstrip(".")
    return found


def from_lines(said: str, cluster: str) -> tuple[list[Attempt], list[Skipped]]:
    """The records of `sacct --parsable2 --noheader --allocations` with FIELDS and times in seconds, and lines that are none."""
    found, skipped = [], []
    for number_, line in enumerate(said.split("\n"), 1):
        if not line.strip():
            continue
        values = line.split("|", len(FIELDS) - 1)
        one = (
            _from_values(dict(zip(FIELDS, values, strict=True)), cluster)
            if len(values) == len(FIELDS)
            else None
        )
        if one is None:
            skipped.append(Skipped("sacct", "not a record of the accounts", number_))
        else:
            found.append(one)
    return found, skipped


def _from_values(values: Mapping[str, str], cluster: str) -> Attempt | None:
    id = _integer(values["JobIDRaw"])
    if not id:
        return None
    array = task = het = offset = None
    waiting = ""
    head, mark, rest = values["JobID"].partition("_")
    if mark:
        array, task = _integer(head), _integer(rest)
        waiting = rest.strip("[]") if rest.startswith("[") else ""
    elif "+" in head:
        leader, _, part = head.partition("+")
        het, offset = _integer(leader), _integer(part)
    code, _, signal = values["ExitCode"].partition(":")
    state, _, by = values["State"].partition(" by ")
    found = Attempt(
        id=id,
        cluster=text(values["Cluster"]) or cluster,
        array=array,
        task=task,
        waiting=waiting,
        het=het,
        offset=offset,
        name=text(values["JobName"]),
        user=text(values["User"]),
        account=text(values["Account"]),
        partition=text(values["Partition"]),
        words=words(state),
        reason=text(values["Reason"]),
        submitted=moment(_integer(values["Submit"])),
        eligible=moment(_integer(values["Eligible"])),
        started=moment(_integer(values["Start"])),
        ended=moment(_integer(values["End"])),
        exit_code=_integer(code),
        signal=_integer(signal) or None,
        limit=_integer(values["TimelimitRaw"]),
        priority=_integer(values["Priority"]),
        canceled_by=text(by),
        nodes=text(values["NodeList"]),
        facts={name: value for name, field in _TEXT_FACTS.items() if (value := text(values[field]))},
        sure=False,
    )
    return checked(replace(found, array=array or None))


def _integer(given: str) -> int | None:
    return int(given) if given.isascii() and given.isdigit() and len(given) < 19 else None
