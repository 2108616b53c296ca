"""What there is to say of a source: one report for the source itself and one for each plugin that reads in it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from graphql_runs.ingest.api import Skipped
from graphql_runs.ingest.jobs import ReadJob
from graphql_runs.ingest.plugins import RESERVED
from graphql_runs.ingest.reader import Outcome
from graphql_runs.ingest.remote_source import RemoteConfig, RemoteSource
from graphql_runs.ingest.source import Source, SourceConfig
from graphql_runs.model.source import SkippedInput, SourceReport, SourceState
from graphql_runs.model.time import Micros

_NEWEST = 50
_SILENT_SECONDS = 30.0
"""A plugin that gives nothing for so long waits for something that does not answer."""


@dataclass(frozen=True, slots=True)
class _Choice:
    """What a plugin chose to read at some time: the runs it claims, why it could not choose, what it or the host left out."""

    plugin: str
    at: Micros
    runs: frozenset[str] = frozenset()
    error: str | None = None
    skipped: Sequence[Skipped] = ()
    clashes: Sequence[str] = ()


def reports_of(
    source: Source | RemoteSource, *, stopped: bool, newest: int | None = _NEWEST
) -> list[SourceReport]:
    """The reports of one source, that of a folder itself first, with so many of the skipped inputs (None: all that are
    remembered)."""
    reports = [_of_remote(source, newest)] if isinstance(source, RemoteSource) else _of_source(source, newest)
    if stopped:
        return [replace(report, state=SourceState.STOPPED) for report in reports]
    return reports


def _of_source(source: Source, newest: int | None) -> list[SourceReport]:
    jobs: dict[str, list[ReadJob]] = {name: [] for name in source.shares}
    for (name, _, _), job in source.jobs.items():
        jobs[name].append(job)
    reports = [_of_folder(source, newest)]
    for name, share in source.shares.items():
        clashes = source.clashes.get(name, [])
        if jobs[name] or share.error is not None or share.skipped or clashes:
            runs = frozenset(run.run_id for run in share.runs)
            choice = _Choice(name, source.planned_at, runs, share.error, share.skipped, clashes)
            reports.append(_of_plugin(source.config, choice, jobs[name], newest))
    return reports


def _of_remote(source: RemoteSource, newest: int | None) -> SourceReport:
    choice = _Choice(
        source.plugin.name,
        source.looked_at,
        error=source.error,
        skipped=source.skipped,
        clashes=source.clashes,
    )
    report = _of_plugin(source.config, choice, list(source.jobs.values()), newest)
    report = replace(report, last_read_at=max(report.last_read_at or 0, source.looked_at) or None)
    if source.error is not None and source.passing:
        return replace(report, state=SourceState.RETRYING)
    if source.error is None and source.looked_at == 0:
        return replace(report, state=SourceState.STARTING)
    return report


def _of_folder(source: Source, newest: int | None) -> SourceReport:
    walked, error = source.follower.walked, source.error
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
        uri=source.config.uri,
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
    config: SourceConfig | RemoteConfig, choice: _Choice, jobs: Sequence[ReadJob], newest: int | None
) -> SourceReport:
    readers = [job.reader for job in jobs]
    failed = [
        reader.error
        for reader in readers
        if reader.outcome in {Outcome.FAILED, Outcome.BROKEN} and reader.error
    ]
    waiting = [reader.error for reader in readers if reader.outcome is Outcome.LATER and reader.error]
    waiting += [
        f"{reader.unit.key}: nothing has come for {reader.silent_seconds:.0f} seconds"
        for reader in readers
        if reader.silent_seconds > _SILENT_SECONDS
    ]
    errors = [*waiting, *failed, *choice.clashes, *([choice.error] if choice.error else [])]
    if choice.error is not None or (len(failed) + len(choice.clashes) > 0 and len(failed) == len(readers)):
        state = SourceState.FAILED
    elif waiting:
        state = SourceState.RETRYING
    elif all(job.caught_up for job in jobs):
        state = SourceState.FOLLOWING
    else:
        state = SourceState.SCANNING
    skipped = sorted((one for reader in readers for one in reader.counts.recent), key=lambda one: one.at or 0)
    skipped = _skipped(choice.skipped, choice.at) + skipped
    runs = choice.runs | {reader.unit.run.run_id for reader in readers if reader.unit.run}
    return SourceReport(
        uri=config.uri,
        name=config.name,
        workspace=config.workspace,
        plugin=choice.plugin,
        state=state,
        last_error=errors[-1] if errors else None,
        last_read_at=max((reader.last_read_at for reader in readers if reader.last_read_at), default=None),
        runs=len(runs),
        files=sum(len(reader.unit.files) for reader in readers),
        points=sum(reader.counts.points for reader in readers),
        lines=sum(reader.counts.lines for reader in readers),
        skipped=tuple(skipped if newest is None else skipped[-newest:]),
        skipped_total=sum(reader.counts.skipped for reader in readers) + len(choice.skipped),
    )


def _skipped(found: Iterable[Skipped], at: Micros) -> list[SkippedInput]:
    return [SkippedInput(one.path, one.reason, one.line, at or None) for one in found]
