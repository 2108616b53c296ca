"""What `scontrol show … --oneliner` prints, for versions that know no JSON: `Name=value` with blanks between.

Values may hold blanks and equals signs, a job's name for one, so what users write can look like any field. Nothing that rights
depend on is taken from here; jobs have no `uid`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from graphql_runs_slurm.job import Attempt, checked
from graphql_runs_slurm.paths import expanded
from graphql_runs_slurm.value import count, moment, text, words

_FIELD = re.compile(r"(?:^| )([A-Z][A-Za-z]*(?:[/:][A-Za-z:/]+)?)=")
_DURATION = re.compile(r"(?:(\d+)-)?(\d+):(\d+):(\d+)", re.ASCII)
_FACTS = {
    "qos": "QOS",
    "command": "Command",
    "work_dir": "WorkDir",
    "comment": "Comment",
    "dependency": "Dependency",
    "reservation": "Reservation",
    "features": "Features",
    "licenses": "Licenses",
    "tres_requested": "ReqTRES",
    "tres_allocated": "AllocTRES",
    "tres_per_node": "TresPerNode",
    "batch_host": "BatchHost",
    "cpus": "NumCPUs",
    "tasks": "NumTasks",
    "restarts": "Restarts",
}


def records(said: str) -> Iterator[dict[str, str]]:
    """A line each. Of a name that comes twice the first counts."""
    for line in said.split("\n"):
        marks = list(_FIELD.finditer(line))
        found: dict[str, str] = {}
        ends = [mark.start() for mark in marks[1:]] + [len(line)]
        for mark, end in zip(marks, ends, strict=False):
            found.setdefault(mark[1], line[mark.end() : end].strip())
        if found:
            yield found


def attempts(said: str, cluster: str) -> Iterator[Attempt]:
    """The jobs of `scontrol show job --oneliner` with times in seconds."""
    for job in records(said):
        id = _integer(job.get("JobId", ""))
        if id:
            yield _attempt(id, job, cluster)


def _attempt(id: int, job: Mapping[str, str], cluster: str) -> Attempt:
    array, het = _integer(job.get("ArrayJobId", "")), _integer(job.get("HetJobId", ""))
    task = job.get("ArrayTaskId", "")
    waiting = "" if task.isdigit() else task
    code, _, signal = job.get("ExitCode", "").partition(":")
    user, _, _ = job.get("UserId", "").partition("(")
    group, _, _ = job.get("GroupId", "").partition("(")
    facts = {
        name: value for name, field in _FACTS.items() if (value := text(job.get(field))) and value != "0"
    }
    nodes, _, _ = job.get("NumNodes", "").partition("-")
    if nodes:
        facts["node_count"] = nodes
    if group:
        facts["group"] = text(group)
    found = Attempt(
        id=id,
        cluster=cluster,
        array=array,
        task=_integer(task),
        waiting=waiting if array else "",
        het=het,
        offset=_integer(job.get("HetJobOffset", "")) if het else None,
        name=text(job.get("JobName")),
        user=text(user),
        account=text(job.get("Account")),
        partition=text(job.get("Partition")),
        words=words(job.get("JobState", "")),
        reason=text(job.get("Reason")),
        submitted=_moment(job, "SubmitTime"),
        eligible=_moment(job, "EligibleTime"),
        started=_moment(job, "StartTime"),
        ended=_moment(job, "EndTime"),
        suspended=_moment(job, "SuspendTime"),
        exit_code=_integer(code),
        signal=_integer(signal) or None,
        limit=_minutes(job.get("TimeLimit", "")),
        priority=_integer(job.get("Priority", "")),
        nodes=text(job.get("NodeList")),
        evaluated=_moment(job, "LastSchedEval"),
        facts=facts,
        sure=False,
    )
    if waiting:
        return checked(found)
    return expanded(checked(found), text(job.get("StdOut")), text(job.get("StdErr")))


def _moment(job: Mapping[str, str], name: str) -> int | None:
    return moment(_integer(job.get(name, "")))


def _minutes(given: str) -> int | None:
    found = _DURATION.fullmatch(given)
    if found is None:
        return None
    days, hours, minutes, _ = (int(part or 0) for part in found.groups())
    return (days * 24 + hours) * 60 + minutes


def _integer(given: str) -> int | None:
    return count(int(given)) if given.isascii() and given.isdigit() and len(given) < 19 else None
