"""Reading once what sources hold now, to the end, instead of following them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from graphql_runs.ingest.host import Host
from graphql_runs.ingest.jobs import ReadJob
from graphql_runs.ingest.reader import Outcome
from graphql_runs.ingest.remote_source import RemoteSource
from graphql_runs.ingest.report import reports_of
from graphql_runs.ingest.source import Source
from graphql_runs.model.source import SkippedInput, SourceReport

_LOOK_SECONDS = 0.02
_SPARING = 20
"""Looking how far it has come takes one part in so many of the time, however many files there are."""
_BROKEN = frozenset({Outcome.FAILED, Outcome.BROKEN})


@dataclass(frozen=True, slots=True)
class Progress:
    """How far reading has come: files read of those found so far that are read at all, and what was new in them. What is
    read without files (a run of a tracking server) counts as one."""

    files: int = 0
    total: int = 0
    points: int = 0
    lines: int = 0


@dataclass(frozen=True, slots=True)
class Loaded:
    """What came of it.

    runs, files:     what there was, whether new or not.
    points, lines:   what was new of it: values and rows, and line feeds of text.
    known:           points and lines that had been read before.
    skipped:         what was left out and why, by source; each unit remembers its newest, `unlisted` counts the others.
    unread:          files that no plugin takes, by source.
    failures:        what could not be read.
    """

    runs: int
    files: int
    points: int
    lines: int
    known: tuple[int, int]
    skipped: Sequence[SkippedInput]
    unlisted: int
    unread: Sequence[str]
    failures: Sequence[str]


Told = Callable[[Progress], None]


async def read_once(host: Host, told: Told, *, patience: float = 30.0) -> Loaded:
    """Read everything that a host which is not started yet finds in its sources, and close it.

    `told` is called as it goes. When nothing but troubles that might pass is left for `patience` seconds, they count as failures.
    """
    await host.start()
    try:
        await _until_read(host, told, patience)
        for source in _folders(host):
            for run in source.runs.values():
                await run.finish()
        told(_progress(host))
        return _loaded(host)
    finally:
        await host.close()


async def _until_read(host: Host, told: Told, patience: float) -> None:
    last, since = Progress(), time.monotonic()
    while True:
        began = time.monotonic()
        now = _progress(host)
        if now != last:
            told(now)
            last, since = now, began
        left = [job for job in _jobs(host) if not job.caught_up]
        if not left and all(source.chosen for source in host.sources):
            return
        if not (
            all(job.reader.outcome is Outcome.LATER for job in left)
            and all(source.chosen or source.error is not None for source in host.sources)
        ):
            since = time.monotonic()
        elif time.monotonic() - since > patience:
            return
        await asyncio.sleep(max(_LOOK_SECONDS, _SPARING * (time.monotonic() - began)))


def _progress(host: Host) -> Progress:
    files = total = points = lines = 0
    for job in _jobs(host):
        count = len(job.reader.unit.files) or 1
        total += count
        files += count if job.caught_up else 0
        new = _new(job)
        points, lines = points + new[0], lines + new[1]
    return Progress(files, total, points, lines)


def _loaded(host: Host) -> Loaded:
    progress = _progress(host)
    counts = [job.reader.counts for job in _jobs(host)]
    reports = [report for source in host.sources for report in reports_of(source, stopped=False, newest=None)]
    skipped = [
        SkippedInput(_place(report, one.path), one.reason, one.line, one.at)
        for report in reports
        for one in report.skipped
    ]
    return Loaded(
        runs=len({(source.config.workspace, run) for source in host.sources for run in _runs(source)}),
        files=sum(len(job.reader.unit.files) for job in _jobs(host)),
        points=progress.points,
        lines=progress.lines,
        known=(
            sum(count.points for count in counts) - progress.points,
            sum(count.lines for count in counts) - progress.lines,
        ),
        skipped=skipped,
        unlisted=sum(report.skipped_total for report in reports) - len(skipped),
        unread=[path for source in _folders(host) for path in source.unread],
        failures=[
            *(f"plugin {plugin.name}: {plugin.error}" for plugin in host.plugins if plugin.error is not None),
            *(failure for source in host.sources for failure in _failures(source)),
        ],
    )


def _failures(source: Source | RemoteSource) -> Iterator[str]:
    name = source.config.name
    if source.error is not None:
        yield f"{source.config.uri}: {source.error}" if isinstance(source, RemoteSource) else source.error
    for plugin, trouble in _troubles(source):
        yield f"{name}: {plugin}: {trouble}"
    for job in source.jobs.values():
        reader = job.reader
        if reader.outcome in _BROKEN or not job.caught_up:
            yield f"{name}: {reader.plugin.name}: {reader.error}"
    if isinstance(source, Source):
        for run in source.runs.values():
            if run.error is not None:
                yield f"{name}: {run.run.run.path}: {run.error}"


def _troubles(source: Source | RemoteSource) -> Iterator[tuple[str, str]]:
    """What keeps plugins from reading: the plugin's name and what it is."""
    if isinstance(source, RemoteSource):
        yield from ((source.plugin.name, clash) for clash in source.clashes)
        return
    for plugin, share in source.shares.items():
        if share.error is not None:
            yield plugin, share.error
        yield from ((plugin, clash) for clash in source.clashes.get(plugin, ()))


def _runs(source: Source | RemoteSource) -> Iterator[str]:
    for job in source.jobs.values():
        if job.reader.unit.run is not None:
            yield job.reader.unit.run.run_id
    if isinstance(source, Source):
        for share in source.shares.values():
            yield from (run.run_id for run in share.runs)


def _folders(host: Host) -> Iterator[Source]:
    return (source for source in host.sources if isinstance(source, Source))


def _place(report: SourceReport, path: str) -> str:
    """A path of a source for people who gave several."""
    return path if path == "." else f"{report.name}/{path}"


def _new(job: ReadJob) -> tuple[int, int]:
    counts, earlier = job.reader.counts, job.reader.earlier
    if earlier is None:
        return counts.points, counts.lines
    return counts.points - earlier.points, counts.lines - earlier.lines


def _jobs(host: Host) -> Iterator[ReadJob]:
    for source in host.sources:
        yield from source.jobs.values()
