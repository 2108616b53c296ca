"""Looking at records: does what they say of themselves agree with what there is? What is wrong comes back by id.

Every look takes ids and reads the records itself, after the ends of their streams: a record then counts at least the rows seen
before, so a store that is written to meanwhile gives no false alarm.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from hashlib import sha256
from typing import TypeVar

from graphql_runs.maintain.findings import Finding
from graphql_runs.maintain.mark import read_mark
from graphql_runs.maintain.pieces import Damage
from graphql_runs.maintain.recount import LogRecount, MetricRecount, Recount, S, rows_of
from graphql_runs.model import ids as server_ids
from graphql_runs.model.change import Entry
from graphql_runs.model.errors import NotFound, RunsError
from graphql_runs.model.records import Artifact, Cluster, Experiment, LogFile, Metric, Workspace
from graphql_runs.model.run import Run
from graphql_runs.store.port import Extent, R, Store

Homed = TypeVar("Homed", Cluster, Experiment)


async def look_at_standing(store: Store, kind: type[Homed], ids: Sequence[str]) -> list[Finding]:
    """Clusters and experiments: is their workspace there?"""
    found = [record for record in await store.get(kind, ids) if record is not None]
    homes = await _known(store, Workspace, [record.workspace for record in found])
    return [
        Finding(record.id, f"its workspace {record.workspace} does not exist")
        for record in found
        if record.workspace not in homes
    ]


async def look_at_runs(store: Store, ids: Sequence[str]) -> list[Finding]:
    """Runs: are parent, root, workspace, experiment and cluster there, is the run where it says in the tree, and what it says it is an
    alias of no alias itself?"""
    runs = [run for run in await store.get(Run, ids) if run is not None]
    near = await _known(store, Run, [id for run in runs for id in (run.root, run.parent) if id is not None])
    homes = await _known(store, Workspace, [run.workspace for run in runs])
    experiments = await _known(store, Experiment, [run.experiment for run in runs])
    clusters = await _known(store, Cluster, [run.cluster for run in runs if run.cluster is not None])
    findings = []
    for run in runs:
        for name, id, known in (
            ("workspace", run.workspace, homes),
            ("experiment", run.experiment, experiments),
            ("cluster", run.cluster, clusters),
        ):
            if id is not None and id not in known:
                findings.append(Finding(run.id, f"its {name} {id} does not exist"))
        findings += [Finding(run.id, problem) for problem in _place(run, near)]
    return [*findings, *await _aliases(store, [run for run in runs if run.alias_of is not None])]


async def _aliases(store: Store, runs: Sequence[Run]) -> list[Finding]:
    found = await _known(store, Run, [run.alias_of for run in runs if run.alias_of is not None])
    wrong = [run for run in runs if _alias_problem(run, found) is not None]
    # A run may just have been purged or united anew.
    again = [
        run for run in await store.get(Run, [run.id for run in wrong]) if run is not None and run.alias_of
    ]
    found = await _known(store, Run, [run.alias_of for run in again if run.alias_of is not None])
    findings = []
    for run in again:
        problem = _alias_problem(run, found)
        # Into a copy the principal may be yet to come.
        if problem is not None and (run.alias_of in found or await read_mark(store, run.root) is None):
            findings.append(Finding(run.id, f"{problem}; a server that runs on the store puts that right"))
    return findings


def _alias_problem(run: Run, known: dict[str, Run]) -> str | None:
    principal = known.get(run.alias_of or "")
    if principal is None:
        return f"it is an alias of {run.alias_of}, which does not exist"
    if principal.alias_of is not None:
        return f"it is an alias of {run.alias_of}, which is one of {principal.alias_of}"
    if principal.workspace != run.workspace:
        return f"its workspace is {run.workspace}, that of {run.alias_of}, which it is an alias of, {principal.workspace}"
    return None


def _place(run: Run, near: dict[str, Run]) -> list[str]:
    problems = []
    if run.root not in near:
        problems.append(f"its root {run.root} does not exist")
    if run.parent is None:
        if run.root != run.id:
            problems.append(f"it has no parent, but {run.root} as its root")
        if run.depth != 0:
            problems.append(f"its depth is {run.depth}, and it has no parent")
        return problems
    parent = near.get(run.parent)
    if parent is None:
        return [*problems, f"its parent {run.parent} does not exist"]
    if parent.root != run.root:
        problems.append(f"its root is {run.root}, that of its parent {parent.root}")
    if parent.workspace != run.workspace:
        problems.append(f"its workspace is {run.workspace}, that of its parent {parent.workspace}")
    if run.depth != parent.depth + 1:
        problems.append(f"its depth is {run.depth}, that of its parent {parent.depth}")
    return problems


async def look_at_metrics(store: Store, ids: Sequence[str]) -> list[Finding]:
    """Metrics: is their run there, do all points read well, and is the summary that of the points?"""
    ends = dict(zip(ids, await store.ends(ids), strict=True))
    metrics = [metric for metric in await store.get(Metric, ids) if metric is not None]
    findings = await _owners(store, metrics)
    for metric in metrics:
        findings += await _rows(store, metric, ends[metric.id], MetricRecount(metric))
    return findings


async def look_at_logs(store: Store, ids: Sequence[str]) -> list[Finding]:
    """Log files: is their run there, are all bytes there, and do size and lines agree with them?"""
    ends = dict(zip(ids, await store.ends(ids), strict=True))
    logs = [log for log in await store.get(LogFile, ids) if log is not None]
    findings = await _owners(store, logs)
    for log in logs:
        recount = LogRecount(log)
        findings += await _rows(store, log, ends[log.id], recount)
        findings += [
            Finding(log.id, f"the number of lines before byte {row} is noted wrong")
            for row in recount.wrong_marks
        ]
    return findings


async def _rows(store: Store, record: S, end: int, recount: Recount[S]) -> list[Finding]:
    if end < rows_of(record):
        # Rows may have come since the end was read.
        [end] = await store.ends([record.id])
        end = min(end, rows_of(record))
    try:
        await recount.read(store, end)
    except Damage as error:
        return [Finding(record.id, error.what)]
    differences = recount.differences(record)
    return [Finding(record.id, "; ".join(differences), repairable=True)] if differences else []


async def look_at_artifacts(store: Store, ids: Sequence[str], *, blobs: bool) -> list[Finding]:
    """Outputs: is their run there, and their blob, with the right size and, if `blobs`, the right content?"""
    artifacts = [artifact for artifact in await store.get(Artifact, ids) if artifact is not None]
    findings = await _owners(store, artifacts)
    for artifact in artifacts:
        problem = None if artifact.blob is None else await _blob(store, artifact, artifact.blob, blobs=blobs)
        if problem is not None:
            findings.append(Finding(artifact.id, problem))
    return findings


async def _blob(store: Store, artifact: Artifact, blob: str, *, blobs: bool) -> str | None:
    size = await store.blob_size(blob)
    if size is None:
        return f"its blob {blob} does not exist"
    if size != artifact.size:
        return f"its size is {artifact.size}, that of its blob {size}"
    if not blobs:
        return None
    content = sha256()
    try:
        async for chunk in store.read_blob(blob, 0, size):
            content.update(chunk)
    except NotFound:
        return f"its blob {blob} does not exist"
    if content.hexdigest() != blob:
        return f"the content of its blob {blob} has the SHA-256 {content.hexdigest()}"
    return None


async def look_at_streams(store: Store, extents: Sequence[Extent]) -> list[Finding]:
    """Streams: is there a record that they belong to?"""
    names = [extent.stream for extent in extents if extent.start < extent.end]
    owners = {
        *await _known(store, Metric, [name for name in names if name.startswith("metric_")]),
        *await _known(store, LogFile, [name for name in names if name.startswith("log_")]),
    }
    findings = []
    for extent in extents:
        if extent.start == extent.end or extent.stream in owners:
            continue
        if extent.stream.startswith("journal_"):
            findings += await _journal_owner(store, extent)
        elif not await _being_copied(store, extent.stream):
            rows = f"rows [{extent.start}, {extent.end})"
            findings.append(Finding(extent.stream, f"a stream with {rows} that no record belongs to"))
    return findings


async def _journal_owner(store: Store, extent: Extent) -> list[Finding]:
    root = server_ids.run_of(extent.stream)
    if root in await _known(store, Run, [root]):
        return []
    # The journal of a tree that was purged stays, and ends by saying so.
    for item in await store.read_back(extent.stream, extent.end, limit=1):
        with suppress(RunsError):
            if root in Entry.decode(item.data).purged:
                return []
    return [Finding(extent.stream, f"a journal of {root}, which does not exist")]


async def _being_copied(store: Store, stream: str) -> bool:
    """Whether the stream is the beginning of one that a copy has not brought all of; its tree says so itself."""
    if server_ids.kind_of(stream) is None:
        return False
    [run] = await store.get(Run, [server_ids.run_of(stream)])
    mark = None if run is None else await read_mark(store, run.root)
    return mark is not None and mark.n is None


async def _owners(
    store: Store, records: Sequence[Metric] | Sequence[LogFile] | Sequence[Artifact]
) -> list[Finding]:
    runs = await _known(store, Run, [record.run for record in records])
    findings = []
    for record in records:
        run = runs.get(record.run)
        if run is None:
            findings.append(Finding(record.id, f"its run {record.run} does not exist"))
        elif run.root != record.root:
            findings.append(Finding(record.id, f"its root is {record.root}, that of its run {run.root}"))
    return findings


async def _known(store: Store, kind: type[R], ids: Sequence[str]) -> dict[str, R]:
    wanted = list(dict.fromkeys(ids))
    found = await store.get(kind, wanted) if wanted else []
    return {record.id: record for record in found if record is not None}
