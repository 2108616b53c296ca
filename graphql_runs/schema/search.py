"""Searching the logs of a run tree."""

from typing import Annotated

import strawberry

from graphql_runs.model.cursor import decode_page, encode_page
from graphql_runs.model.errors import InvalidInput
from graphql_runs.model.filter import Key
from graphql_runs.model.run import Run
from graphql_runs.read.levels import LogLevel
from graphql_runs.read.search import LogOrder, LogQuery, Place, search_logs
from graphql_runs.read.treelogs import TreeLog, tree_logs
from graphql_runs.schema import enums as enums
from graphql_runs.schema.connection import Page
from graphql_runs.schema.context import Info
from graphql_runs.schema.field import argument
from graphql_runs.schema.limits import bounded
from graphql_runs.schema.log_line import ShownLine, line_filter, spans_wanted
from graphql_runs.schema.scalars import DateTime

SEARCH = (
    "The lines of the logs of this run and of all runs below it that match, merged by time. Without anything to search for it is "
    "all lines: the ranks of a run as one log. A line without a time goes with the one above it; a log without times comes first."
)
_LINES = 100


async def searched(
    root: strawberry.Parent[Run],
    info: Info,
    text: Annotated[str | None, argument("Lines with this text; ASCII letters in any case.")] = None,
    match_case: Annotated[bool, argument("Tell capital letters of `text` from small ones.")] = False,
    regex: Annotated[
        str | None,
        argument("Lines in which this pattern is found; `(?i)` at its start ignores the case."),
    ] = None,
    level: Annotated[list[LogLevel] | None, argument("Lines of one of these levels.")] = None,
    paths: Annotated[
        list[str] | None, argument("Only log files with one of these paths; `*` stands for any text.")
    ] = None,
    ranks: Annotated[list[int] | None, argument("Only log files of these ranks.")] = None,
    below: Annotated[bool, argument("Look into the runs below this one, too.")] = True,
    since: Annotated[
        DateTime | None,
        argument("Only lines from this time on; logs without times have none. The lines of a log are taken to be in order of time."),
    ] = None,
    until: Annotated[DateTime | None, argument("Only lines from before this time.")] = None,
    context: Annotated[
        int, argument("So many lines before and after each one that matches, with `match: false`.")
    ] = 0,
    order_by: Annotated[
        LogOrder, argument("Merged by time, which up to 256 files can be, or file after file.")
    ] = LogOrder.TIME,
    first: Annotated[
        int | None, argument("The first so many lines that match; 100 if neither first nor last is given.")
    ] = None,
    last: Annotated[int | None, argument("The last so many lines that match instead.")] = None,
    after: Annotated[str | None, argument("Only lines after the one with this cursor.")] = None,
    before: Annotated[str | None, argument("Only lines before the one with this cursor.")] = None,
) -> Page[ShownLine]:  # fmt: skip
    store, limits = info.context.store, info.context.limits
    count = _count(info, first, last, context)
    wanted = line_filter(info, text, regex, level, match_case=match_case, name="text")
    query = LogQuery(wanted, since, until, order_by, context, spans_wanted(info), limits.search_seconds)
    files = [
        file
        for run in await info.context.members(root)
        for file in await tree_logs(store, run, below=below, paths=paths, ranks=ranks)
    ]
    kind = f"search:{root.id}:{order_by}"
    found = await search_logs(
        store,
        files,
        query,
        count=count,
        back=last is not None,
        after=_place(kind, after, files, "after"),
        before=_place(kind, before, files, "before"),
    )
    return Page(
        [ShownLine(one.line, one.file.log, one.file.run, one.match) for one in found.lines],
        cursor=lambda index: _cursor(kind, found.lines[index].place),
        has_next=found.more_after,
        has_previous=found.more_before,
        start=None if found.start is None else _cursor(kind, found.start),
        end=None if found.end is None else _cursor(kind, found.end),
    )


def _count(info: Info, first: int | None, last: int | None, context: int) -> int:
    """How many matching lines the page has, with the lines around them no more than a page of lines may have."""
    if first is not None and last is not None:
        raise InvalidInput("give one of first and last", field="last")
    limit = info.context.limits.lines
    bounded(context, limit // 2, "context")
    name = "last" if last is not None else "first"
    most = limit // (1 + 2 * context)
    count = last if last is not None else first
    return min(_LINES, most) if count is None else bounded(count, most, name)


def _place(kind: str, cursor: str | None, files: list[TreeLog], field: str) -> Place | None:
    if cursor is None:
        return None
    key = decode_page(kind, cursor, field=field)
    match key.values:
        case [int(offset), str(packed)]:
            return Place.unpack(key.id or None, offset, packed, files, field)
    raise InvalidInput(f"{field} is not a cursor of this list", field=field)


def _cursor(kind: str, place: Place) -> str:
    return encode_page(kind, Key((place.offset, place.pack()), place.log or ""))
