"""Log files."""

from typing import Annotated
from urllib.parse import quote

import strawberry

from graphql_runs.model import ids, records
from graphql_runs.model.cursor import encode_page
from graphql_runs.model.errors import InvalidInput
from graphql_runs.model.filter import Key
from graphql_runs.model.records import LogStream
from graphql_runs.model.run import Run as RunRecord
from graphql_runs.model.time import Micros
from graphql_runs.read import progress as bars
from graphql_runs.read.levels import LogLevel
from graphql_runs.read.lines import LogView, page_lines
from graphql_runs.read.moments import lines_around, time_of_step
from graphql_runs.read.paths import rank_of, stream_of
from graphql_runs.schema import enums as enums
from graphql_runs.schema.connection import Page, place
from graphql_runs.schema.context import Info
from graphql_runs.schema.field import argument, field
from graphql_runs.schema.limits import bounded
from graphql_runs.schema.log_line import (
    LogLineConnection,
    ShownLine,
    line_filter,
    spans_wanted,
)
from graphql_runs.schema.node import Node
from graphql_runs.schema.progress import Progress
from graphql_runs.schema.refs import RunRef
from graphql_runs.schema.run_edge import that_run
from graphql_runs.schema.scalars import DateTime

_LINES = 100
"""Lines of a page that says neither first nor last."""
View = Annotated[LogView, argument("How the bytes of the file become lines.")]


async def _lines(
    root: strawberry.Parent[records.LogFile],
    info: Info,
    view: View = LogView.RENDERED,
    first: Annotated[
        int | None, argument("The first so many lines; 100 if neither first nor last is given.")
    ] = None,
    last: Annotated[int | None, argument("The last so many lines instead: `last: 200` is the tail.")] = None,
    after: Annotated[str | None, argument("Only lines after the one with this cursor.")] = None,
    before: Annotated[str | None, argument("Only lines before the one with this cursor.")] = None,
    contains: Annotated[str | None, argument("Only lines with this text; ASCII letters in any case.")] = None,
    regex: Annotated[
        str | None,
        argument("Only lines in which this pattern is found; `(?i)` at its start ignores the case."),
    ] = None,
    level: Annotated[list[LogLevel] | None, argument("Only lines of one of these levels.")] = None,
) -> Page[ShownLine]:
    kind = _kind(root, view)
    if first is None and last is None:
        first = _LINES
    for name, value in (("first", first), ("last", last)):
        if value is not None:
            bounded(value, info.context.limits.lines, name)
    page = await page_lines(
        info.context.store,
        root,
        view,
        first=first,
        last=last,
        after=place(int, kind, after),
        before=place(int, kind, before, "before"),
        wanted=line_filter(info, contains, regex, level),
        spans=spans_wanted(info),
    )
    run = await that_run(info, root.run)
    return Page(
        [ShownLine(line, root, run) for line in page.lines],
        cursor=lambda index: _cursor(root, view, page.lines[index].offset),
        has_next=page.more_after,
        has_previous=page.more_before,
        start=_cursor(root, view, page.reached) if page.reached is not None and first is None else None,
        end=_cursor(root, view, page.reached - 1) if page.reached is not None and first is not None else None,
    )


async def _lines_around(
    root: strawberry.Parent[records.LogFile],
    info: Info,
    at: Annotated[DateTime | None, argument("The moment.")] = None,
    metric: Annotated[str | None, argument("A metric of the same run, to name the moment by a step.")] = None,
    step: Annotated[
        float | None, argument("The moment at which the metric's point nearest to this step was logged.")
    ] = None,
    above: Annotated[int, argument("How many lines from before the moment.")] = 10,
    below: Annotated[int, argument("How many lines from the moment on.")] = 10,
    view: View = LogView.RENDERED,
) -> Page[ShownLine]:
    for name, value in (("above", above), ("below", below)):
        bounded(value, info.context.limits.lines // 2, name)
    moment, run = await _moment(root, info, at, metric, step), await that_run(info, root.run)
    spans = spans_wanted(info)
    page, first = await lines_around(
        info.context.store,
        root,
        moment,
        near=run.created_at,
        before=above,
        after=below,
        view=view,
        spans=spans,
    )
    return Page(
        [ShownLine(line, root, run, line.offset == first) for line in page.lines],
        cursor=lambda index: _cursor(root, view, page.lines[index].offset),
        has_next=page.more_after,
        has_previous=page.more_before,
    )


async def _moment(
    log: records.LogFile, info: Info, at: DateTime | None, metric: str | None, step: float | None
) -> Micros:
    if at is not None and metric is None and step is None:
        return at
    if at is not None or metric is None or step is None:
        raise InvalidInput(
            "give either at, or both metric and step", field="at" if at is not None else "step"
        )
    found = await info.context.get(records.Metric, ids.metric_id(log.run, metric))
    moment = None if found is None else await time_of_step(info.context.store, found, step)
    if moment is None:
        raise InvalidInput(f"the run has no points of a metric {metric[:80]!r}", field="metric")
    return moment


def _kind(log: records.LogFile, view: LogView) -> str:
    return f"lines:{log.id}:{view}"


def _cursor(log: records.LogFile, view: LogView, offset: int) -> str:
    return encode_page(_kind(log, view), Key((offset,), log.id))


async def _run(root: strawberry.Parent[records.LogFile], info: Info) -> RunRecord:
    return await that_run(info, root.run)


async def _progress(root: strawberry.Parent[records.LogFile], info: Info) -> bars.Progress | None:
    return await bars.log_progress(info.context.store, root)


def _url(root: strawberry.Parent[records.LogFile], info: Info) -> str:
    return info.context.url(f"/logs/{root.run}/{quote(root.path)}")


@strawberry.type(description="A log file of a run. Its bytes are kept as they were written.")
class LogFile(Node):
    path: str = field("Its path within the run.")
    run: RunRef = field("The run it belongs to.", _run)
    stream: LogStream = field(
        "Which stream of the job it holds, as its producer said or as its path tells.", of=stream_of
    )
    rank: int | None = field(
        "The rank of the process that writes it, as its producer said or as its path tells (`rank_3`, `std_log_process_3.txt`, …).",
        of=rank_of,
    )
    size: float = field("Its size in bytes so far.")
    line_count: float = field(
        "How many lines it has so far; text after the last line feed counts as one.",
        of=lambda log: log.lines + log.ends_open,
    )
    complete: bool = field("It will not grow any more.")
    lines: LogLineConnection = field("Its lines, a page at a time from either end.", _lines)
    lines_around: LogLineConnection = field(
        "The lines around a moment, or around a step of a metric, by the times that lines give; by their arrival in a log without "
        "times. The first line from the moment on has `match: true`. Go on either way with `lines` and this page's cursors.",
        _lines_around,
    )
    progress: Progress | None = field("The newest progress bar or counter at its end.", _progress)
    url: str = field("Where its raw bytes are (ranges too).", _url)
