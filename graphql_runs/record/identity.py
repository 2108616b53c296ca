"""What identifies a run beyond its own id: what was declared, and what trackers carry along in tags, params and properties.

An identity is `<system>:<id>`, as in `slurm:cluster/4242`. Without being asked to, a run takes those that these keys of its tags,
params or properties tell of:

    graphql-runs.identity                                            one or several identities, with commas between
    SLURM_JOB_ID, slurm_job_id, slurm.job_id                         slurm:<job>, or with one of the next slurm:<cluster>/<job>
    SLURM_CLUSTER_NAME, slurm_cluster_name, slurm.cluster_name

What is no identity or no id of a job there is passed over, and so is what comes after the sixteenth identity: it was not written
for us, and must not keep a run from being recorded. Identities stay: a tag that goes away takes none along.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from graphql_runs.model.errors import LimitExceeded
from graphql_runs.model.run import Run
from graphql_runs.record.limits import RecordLimits
from graphql_runs.record.validation import IDENTITIES, IDENTITY

KEY = "graphql-runs.identity"
_JOB = ("SLURM_JOB_ID", "slurm_job_id", "slurm.job_id")
_CLUSTER = ("SLURM_CLUSTER_NAME", "slurm_cluster_name", "slurm.cluster_name")
_JOB_ID = re.compile(r"\d+(?:_\d+)?", re.ASCII)
_CLUSTER_NAME = re.compile(r"[\w.-]+", re.ASCII)


def identified(run: Run, given: Sequence[str], limits: RecordLimits) -> Run:
    """The run with the identities it is given and those that it carries. Raises LimitExceeded when too many are given."""
    found = dict.fromkeys((*run.identities, *given))
    if len(found) > IDENTITIES:
        raise LimitExceeded(
            f"run {run.run_id!r} would have {len(found)} identities, the limit is {IDENTITIES}",
            field="identities",
        )
    for one in carried(run, limits):
        if len(found) < IDENTITIES:
            found[one] = None
    return run if len(found) == len(run.identities) else replace(run, identities=tuple(found))


def carried(run: Run, limits: RecordLimits) -> Iterator[str]:
    """The identities that the tags, params and properties of a run tell of."""
    for text in _values(run, (KEY,)):
        for one in map(str.strip, text.split(",")):
            if IDENTITY.fullmatch(one) and one.isprintable() and len(one.encode()) <= limits.name_bytes:
                yield one
    cluster = next(filter(_CLUSTER_NAME.fullmatch, _values(run, _CLUSTER)), None)
    for job in filter(_JOB_ID.fullmatch, _values(run, _JOB)):
        yield f"slurm:{job}" if cluster is None else f"slurm:{cluster}/{job}"


def _values(run: Run, keys: Sequence[str]) -> Iterator[str]:
    for values in (run.tags, run.params, run.properties):
        for key in keys:
            if key in values:
                yield values[key]
