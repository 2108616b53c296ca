"""What there is to say of a source: one report for the source itself and one for each plugin that reads in it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import replace

from graphql_runs.ingest.api import Skipped
from graphql_runs.ingest.jobs import ReadJob
from graphql_runs.ingest.plan import Share
from graphql_runs.ingest.plugins import RESERVED
from graphql_runs.ingest.reader import Outcome
from graphql_runs.ingest.source import Source
from graphql_runs.model.source import SkippedInput, SourceReport, SourceState

_NEWEST = 50


def reports_of(source: Source, *, stopped: bool, newest: int | None = _NEWEST) -> list[SourceReport]:
    """The reports of one source, the source itself first, with so many of the skipped inputs (None: all that are remembered)."""
    jobs: dict[str, list[ReadJob]] = {name: [] for name in source.shares}
    for (name, _, _), job in source.jobs.items():
        jobs[name].append(job)
    reports = [_of_folder(source, newest)]
    for name, share in source.shares.items():
        clashes = source.clashes.get(name, [])
        if jobs[name] or share.error is not None or share.skipped or clashes:
            reports.append(_of_plugin(source, share, jobs[name], clashes, newest))
    if stopped:
        return [replace(report, state=SourceState.STOPPED) for report in reports]
    return reports


def _of_folder(source: Source, newest: int | None) -> SourceReport:
    walked, error = source.follower.walked, source.follower.error
    if error is not None:
        state = SourceState.FAILED
    elif walked is None:
        state = SourceState.STARTING
    elif source.planned_at == 0 or not all(job.caught_up for job in source.jobs.values()):
        state = SourceState.SCANNING
    else:
        state = SourceState.FOLLOWING
    skipped = _skipped(walked.problems, source.walked_at) if walked else []
    skipped += _skipped([run.skipped for run in source.runs.values() if run.skipped], source.planned_at)
    troubles = [f"{run.run.run.path}: {run.error}" for run in source.runs.values() if run.error]
    unlisted = walked.problem_count - len(walked.problems) if walked else 0
    return SourceReport(
        uri=os.fspath(source.config.path),
        name=source.config.name,
        workspace=source.config.workspace,
        plugin=RESERVED,
        state=state,
        last_error=error or (troubles[-1] if troubles else str(skipped[-1]) if skipped else None),
        last_read_at=source.walked_at or None,
        runs=len(source.runs),
        files=len(source.follower.files),
        skipped=tuple(skipped if newest is None else skipped[-newest:]),
        skipped_total=len(skipped) + unlisted,
    )


def _of_plugin(
    source: Source, share: Share, jobs: Sequence[ReadJob], clashes: Sequence[str], newest: int | None
) -> SourceReport:
    readers = [job.reader for job in jobs]
    failed = [
        reader.error
        for reader in readers
        if reader.outcome in {Outcome.FAILED, Outcome.BROKEN} and reader.error
    ]
    waiting = [reader.error for reader in readers if reader.outcome is Outcome.LATER and reader.error]
    errors = [*waiting, *failed, *clashes, *([share.error] if share.error else [])]
    if share.error is not None or (len(failed) + len(clashes) > 0 and len(failed) == len(readers)):
        state = SourceState.FAILED
    elif waiting:
        state = SourceState.RETRYING
    elif all(job.caught_up for job in jobs):
        state = SourceState.FOLLOWING
    else:
        state = SourceState.SCANNING
    skipped = sorted((one for reader in readers for one in reader.counts.recent), key=lambda one: one.at or 0)
    skipped = _skipped(share.skipped, source.planned_at) + skipped
    runs = {reader.unit.run.run_id for reader in readers if reader.unit.run} | {
        run.run_id for run in share.runs
    }
    return SourceReport(
        uri=os.fspath(source.config.path),
        name=source.config.name,
        workspace=source.config.workspace,
        plugin=share.plugin.name,
        state=state,
        last_error=errors[-1] if errors else None,
        last_read_at=max((reader.last_read_at for reader in readers if reader.last_read_at), default=None),
        runs=len(runs),
        files=sum(len(reader.unit.files) for reader in readers),
        points=sum(reader.counts.points for reader in readers),
        lines=sum(reader.counts.lines for reader in readers),
        skipped=tuple(skipped if newest is None else skipped[-newest:]),
        skipped_total=sum(reader.counts.skipped for reader in readers) + len(share.skipped),
    )


def _skipped(found: Iterable[Skipped], at: int) -> list[SkippedInput]:
    return [SkippedInput(one.path, one.reason, one.line, at or None) for one in found]
