"""Lines of log files."""

from dataclasses import dataclass

import strawberry

from graphql_runs.model import records
from graphql_runs.model.errors import LimitExceeded
from graphql_runs.model.regex import compiled
from graphql_runs.model.run import Run as RunRecord
from graphql_runs.read.ansi import Span
from graphql_runs.read.levels import LogLevel
from graphql_runs.read.lines import Line
from graphql_runs.read.paths import rank_of
from graphql_runs.read.wanted import LineFilter
from graphql_runs.schema.connection import Edge, PageInfo
from graphql_runs.schema.context import Info
from graphql_runs.schema.field import field
from graphql_runs.schema.scalars import DateTime
from graphql_runs.schema.selection import selects


@dataclass(frozen=True, slots=True)
class ShownLine:
    """A line, the file and the run it is of; `match`: it is what was asked for."""

    line: Line
    log: records.LogFile
    run: RunRecord
    match: bool = True

    @property
    def spans(self) -> list[Span]:
        """The spans of its text, counted as JavaScript and Java do."""
        text, spans = self.line.text, self.line.spans
        if not spans or text.isascii():
            return list(spans)

        def place(index: int) -> int:
            return len(text[:index].encode("utf-16-le", "surrogatepass")) // 2

        return [Span(place(span.start), place(span.end), span.style) for span in spans]


@strawberry.type(description="A stretch of a line's text that its program coloured or styled.")
class LogSpan:
    start: int = field("Its first character, counted from 0 in UTF-16 code units, as JavaScript does.")
    end: int = field("The character after its last one.")
    foreground: str | None = field(
        "The colour of the text: one of the terminal's sixteen by name (`red`, `bright_red`), or `#rrggbb`; null is the ordinary one.",
        of=lambda span: span.style.foreground,
    )
    background: str | None = field(
        "The colour behind the text, in the same words.", of=lambda span: span.style.background
    )
    bold: bool = field("Bold.", of=lambda span: span.style.bold)
    dim: bool = field("Fainter than other text.", of=lambda span: span.style.dim)
    italic: bool = field("Italic.", of=lambda span: span.style.italic)
    underline: bool = field("Underlined.", of=lambda span: span.style.underline)
    inverse: bool = field("The two colours change places.", of=lambda span: span.style.inverse)
    strike: bool = field("Struck through.", of=lambda span: span.style.strike)


@strawberry.type(description="A line of a log file.")
class LogLine:
    number: float = field(
        "Its number, from 1: the line feeds before it, and one.", of=lambda shown: shown.line.number
    )
    offset: float = field("The byte of the file where it starts.", of=lambda shown: shown.line.offset)
    at: DateTime | None = field(
        "When it was written, if it begins with a time; one without a zone is taken as UTC.",
        of=lambda shown: shown.line.time(shown.run.created_at),
    )
    level: LogLevel | None = field(
        "How serious it is, if it says so near its beginning.", of=lambda shown: shown.line.level
    )
    text: str = field(
        "Its text without the line feed; bytes that are not UTF-8 are shown as �.",
        of=lambda shown: shown.line.text,
    )
    spans: list[LogSpan] = field(
        "Where its text is coloured or styled, in order; none in the view RAW, whose text has the control sequences in it."
    )
    continues: bool = field(
        "The line is longer than a mebibyte and is given in pieces; this is not the last one.",
        of=lambda shown: shown.line.continues,
    )
    match: bool = field("It is what was asked for; false: it is shown because it stands next to such a line.")
    path: str = field("The file it is of.", of=lambda shown: shown.log.path)
    run_id: str = field("The producer's id of the run it is of.", of=lambda shown: shown.run.run_id)
    rank: int | None = field(
        "The rank of the process that wrote it, if known.", of=lambda shown: rank_of(shown.log)
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
    page_info: PageInfo = field("Where this page lies in the list.", of=lambda page: page)


def spans_wanted(info: Info) -> bool:
    """The operation selects the spans of the lines of this connection."""
    return selects(info, "nodes", "spans") or selects(info, "edges", "node", "spans")


def line_filter(
    info: Info,
    contains: str | None,
    regex: str | None,
    level: list[LogLevel] | None,
    *,
    match_case: bool = False,
    name: str = "contains",
) -> LineFilter:
    """What these arguments choose. Raises LimitExceeded naming one that is too long, InvalidText for a pattern that is none."""
    limits = info.context.limits
    for argument, value, most in (
        (name, contains, limits.filter_text),
        ("regex", regex, limits.filter_regex),
    ):
        if value is not None and len(value) > most:
            raise LimitExceeded(
                f"{argument} has {len(value)} characters, at most {most} are taken", field=argument
            )
    return LineFilter(
        contains=contains or None,
        levels=None if level is None else frozenset(level),
        regex=None if regex is None else compiled(regex, "regex"),
        match_case=match_case,
    )
