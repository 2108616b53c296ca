"""Log files and their lines."""

from dataclasses import dataclass
from typing import Annotated
from urllib.parse import quote

import strawberry

from graphql_runs.model import records
from graphql_runs.model.cursor import encode_page
from graphql_runs.model.filter import Key
from graphql_runs.model.records import LogStream
from graphql_runs.model.run import Run as RunRecord
from graphql_runs.read.levels import LogLevel
from graphql_runs.read.lines import Line, LineFilter, LogView, page_lines
from graphql_runs.schema import enums as enums
from graphql_runs.schema.connection import Edge, Page, PageInfo, place
from graphql_runs.schema.context import Info
from graphql_runs.schema.field import argument, field
from graphql_runs.schema.limits import bounded
from graphql_runs.schema.node import Node
from graphql_runs.schema.refs import RunRef
from graphql_runs.schema.run_edge import one_run
from graphql_runs.schema.scalars import DateTime

_LINES = 100
"""Lines of a page that says neither first nor last."""


@dataclass(frozen=True, slots=True)
class ShownLine:
    """A line, and the file it is of."""

    line: Line
    log: records.LogFile


async def _line_run_id(root: strawberry.Parent[ShownLine], info: Info) -> str | None:
    run = await info.context.get(RunRecord, root.log.run)
    return None if run is None else run.run_id


@strawberry.type(description="A line of a log file.")
class LogLine:
    number: float = field(
        "Its number, from 1: the line feeds before it, and one.", of=lambda shown: shown.line.number
    )
    offset: float = field("The byte of the file where it starts.", of=lambda shown: shown.line.offset)
    at: DateTime | None = field(
        "When it was written, if it begins with a time; one without a zone is taken as UTC.",
        of=lambda shown: shown.line.at,
    )
    level: LogLevel | None = field(
        "How serious it is, if it says so near its beginning.", of=lambda shown: shown.line.level
    )
    text: str = field(
        "Its text without the line feed; bytes that are not UTF-8 are shown as �.",
        of=lambda shown: shown.line.text,
    )
    continues: bool = field(
        "The line is longer than a mebibyte and is given in pieces; this is not the last one.",
        of=lambda shown: shown.line.continues,
    )
    path: str = field("The file it is of.", of=lambda shown: shown.log.path)
    run_id: str = field("The producer's id of the run it is of.", _line_run_id)
    rank: int | None = field(
        "The rank of the process that wrote it, if known.", of=lambda shown: shown.log.rank
    )


@strawberry.type(
    description=(
        "A page of log lines. It may hold fewer than asked for, even none, when they are long or a search takes long; go on "
        "from its cursors while there is a next (or, backwards, a previous) page."
    )
)
class LogLineConnection:
    edges: list[Edge[LogLine]] = field("The lines with their cursors.", of=lambda page: page.edges)
    nodes: list[LogLine] = field("The lines alone.")
    page_info: PageInfo = field("Where this page lies in the file.", of=lambda page: page)


async def _lines(
    root: strawberry.Parent[records.LogFile],
    info: Info,
    view: Annotated[LogView, argument("How the bytes of the file become lines.")] = LogView.RENDERED,
    first: Annotated[
        int | None, argument("The first so many lines; 100 if neither first nor last is given.")
    ] = None,
    last: Annotated[int | None, argument("The last so many lines instead: `last: 200` is the tail.")] = None,
    after: Annotated[str | None, argument("Only lines after the one with this cursor.")] = None,
    before: Annotated[str | None, argument("Only lines before the one with this cursor.")] = None,
    contains: Annotated[str | None, argument("Only lines with this text; ASCII letters in any case.")] = None,
    level: Annotated[list[LogLevel] | None, argument("Only lines of one of these levels.")] = None,
) -> Page[ShownLine]:
    kind = f"lines:{root.id}:{view}"
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
        wanted=LineFilter(contains, None if level is None else frozenset(level)),
    )

    def cursor(offset: int) -> str:
        return encode_page(kind, Key((offset,), root.id))

    return Page(
        [ShownLine(line, root) for line in page.lines],
        cursor=lambda index: cursor(page.lines[index].offset),
        has_next=page.more_after,
        has_previous=page.more_before,
        start=cursor(page.reached) if page.reached is not None and first is None else None,
        end=cursor(page.reached - 1) if page.reached is not None and first is not None else None,
    )


async def _run(root: strawberry.Parent[records.LogFile], info: Info) -> RunRecord | None:
    return await one_run(info, root.run)


def _url(root: strawberry.Parent[records.LogFile], info: Info) -> str:
    return info.context.url(f"/logs/{root.run}/{quote(root.path)}")


@strawberry.type(description="A log file of a run. Its bytes are kept as they were written.")
class LogFile(Node):
    path: str = field("Its path within the run.")
    run: RunRef = field("The run it belongs to.", _run)
    stream: LogStream = field("Which stream of the job it holds.")
    rank: int | None = field("The rank of the process that writes it, if known.")
    size: float = field("Its size in bytes so far.")
    line_count: float = field(
        "How many lines it has so far; text after the last line feed counts as one.",
        of=lambda log: log.lines + log.ends_open,
    )
    complete: bool = field("It will not grow any more.")
    lines: LogLineConnection = field("Its lines, a page at a time from either end.", _lines)
    url: str = field("Where its raw bytes are (ranges too).", _url)
