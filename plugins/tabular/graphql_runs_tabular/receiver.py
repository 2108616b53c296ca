"""`POST /ingest/jsonl`: rows of metrics as JSON lines, for scripts that have curl."""

from __future__ import annotations

import zlib
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from graphql_runs.ingest.api import Skipped, Stability
from graphql_runs.ingest.receiver import Desk
from graphql_runs.model import ids
from graphql_runs.model.errors import InvalidInput, LimitExceeded
from graphql_runs.model.operation import DeclareRun, LogPoints, LogRows, RunOperation, SetStatus
from graphql_runs.model.records import MetricKind
from graphql_runs.model.run import Run
from graphql_runs.model.status import RunStatus
from graphql_runs_tabular import recognition
from graphql_runs_tabular.batch import Batch, Full
from graphql_runs_tabular.jsonl import parse
from graphql_runs_tabular.keys import Kinds, Names

_PATH = "/ingest/jsonl"
_SKIPS = 10_000
"""Lines and values left out that an answer names; the others are counted."""
_KINDS = {MetricKind.SCALAR: "s", MetricKind.LIST: "l", MetricKind.TEXT: "t"}
_PIECE = 1 << 20
_GZIP = b"\x1f\x8b"
_CREATED = b"created"
"""The note of a batch that made its run."""


@dataclass(frozen=True, slots=True)
class Asked:
    """The parameters of a request."""

    workspace: str
    run: str
    experiment: str | None
    writer: str | None
    sequence: int | None


@dataclass(slots=True)
class Taken:
    """What came of the lines of a body."""

    operations: list[RunOperation] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    rows: int = 0

    @property
    def points(self) -> int:
        """Values of scalars and lists, and rows of texts."""
        count = 0
        for operation in self.operations:
            match operation:
                case LogPoints():
                    count += len(operation.values)
                case LogRows():
                    count += len(next(iter(operation.columns.values()), ()))
        return count


class JsonlReceiver:
    """Takes rows by the rules that files of them are read by."""

    name = "jsonl"
    description = "POST /ingest/jsonl: rows of metrics as JSON lines, for scripts that have curl."
    stability = Stability.BETA
    claims: Sequence[str] = ()

    def routes(self, desk: Desk) -> Sequence[Route]:
        """The one route."""

        async def post(request: Request) -> Response:
            return await take(desk, request)

        return [Route(_PATH, post, methods=["POST"])]


async def take(desk: Desk, request: Request) -> Response:
    """Write the rows of a body in one batch, all or nothing. Raises InvalidInput, LimitExceeded and what the recorder does."""
    asked = read_query(request, desk.workspace)
    lines = [line async for line in read_lines(request, desk.body_bytes)]
    run = await desk.reading.find_run(asked.workspace, asked.run)
    if run is not None and asked.experiment is not None:
        await _check_experiment(desk, run, asked.experiment)
    names = Names(recognition.STEPS, recognition.TIMES)
    taken = _rows(desk, asked, lines, names, Kinds())
    if run is not None:
        kinds = await _known_kinds(desk, run, taken.operations)
        if kinds.kinds:
            taken = _rows(desk, asked, lines, names, kinds)
    created = run is None or await _created_by_this(desk, asked, run)
    operations = taken.operations
    if created:
        operations = [*_creation(asked, operations), *operations]
    repeated = False
    if operations:
        answer = await desk.recording.record(
            asked.workspace,
            operations,
            writer=asked.writer,
            sequence=asked.sequence,
            note=_CREATED if created and asked.writer is not None else None,
        )
        repeated = answer.repeated
    return _answer(asked, taken, repeated=repeated)


def read_query(request: Request, workspace: str) -> Asked:
    """The parameters. Raises InvalidInput naming the one that is wrong, missing or not known."""
    given = dict(request.query_params)
    known = {"workspace", "run", "experiment", "writer", "sequence"}
    if unknown := sorted(given.keys() - known):
        raise InvalidInput(
            f"there is no parameter {unknown[0][:80]!r}; there are {', '.join(sorted(known))}",
            field=unknown[0][:80],
        )
    if not given.get("run"):
        raise InvalidInput("the parameter run is missing: ?run=NAME", field="run")
    if ids.kind_of(given["run"]) is not None:
        raise InvalidInput("run is the id that its producer gave it, not the server's", field="run")
    number = given.get("sequence")
    if number is not None and not (number.isascii() and number.isdecimal() and len(number) < 19):
        raise InvalidInput("sequence is a number: 0, 1, 2, …", field="sequence")
    if (number is None) != (given.get("writer") is None):
        raise InvalidInput(
            "writer and sequence go together", field="sequence" if number is None else "writer"
        )
    return Asked(
        given.get("workspace") or workspace,
        given["run"],
        given.get("experiment") or None,
        given.get("writer"),
        None if number is None else int(number),
    )


async def read_lines(request: Request, limit: int) -> AsyncIterator[bytes]:
    """The lines of a body, unpacked if it is gzip (by its header, or by how it begins). Raises InvalidInput, LimitExceeded."""
    held: list[bytes] = []
    async for data in _unpacked(request, limit):
        first, *rest = data.split(b"\n")
        held.append(first)
        for piece in rest:
            yield b"".join(held)
            held = [piece]
    if last := b"".join(held):
        yield last


async def _unpacked(request: Request, limit: int) -> AsyncIterator[bytes]:
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("identity", "gzip", "x-gzip"):
        raise InvalidInput(
            f"content-encoding {encoding[:40]!r} is not taken; gzip is", field="content-encoding"
        )
    body = _begun(request)
    head = await anext(body, b"")
    if encoding == "identity" and not head.startswith(_GZIP):
        pieces = _plain(head, body)
    else:
        pieces = _gunzipped(head, body)
    size = 0
    async for data in pieces:
        size += len(data)
        if size > limit:
            raise LimitExceeded(f"the body is larger than {limit} bytes", field="request_bytes")
        yield data


async def _begun(request: Request) -> AsyncGenerator[bytes]:
    """The pieces of a body, none empty, the first long enough to know gzip by it."""
    held: bytes | None = b""
    async for chunk in request.stream():
        if held is None:
            if chunk:
                yield chunk
            continue
        held += chunk
        if len(held) >= len(_GZIP):
            yield held
            held = None
    if held:
        yield held


async def _plain(head: bytes, body: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    yield head
    async for chunk in body:
        yield chunk


async def _gunzipped(head: bytes, body: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    """What is packed, in pieces of bounded size. Raises InvalidInput when it is no gzip, or ends early."""
    unpacker, inside = zlib.decompressobj(wbits=31), False
    async for rest in _plain(head, body):
        while rest:
            inside = True
            try:
                data = unpacker.decompress(rest, _PIECE)
            except zlib.error as error:
                raise InvalidInput(f"the body is not gzip: {error}", field="body") from error
            rest = unpacker.unconsumed_tail
            if unpacker.eof:
                # There may be another one behind it.
                rest, inside = unpacker.unused_data, False
                unpacker = zlib.decompressobj(wbits=31)
            yield data
    if inside:
        raise InvalidInput("the gzip body is cut off", field="body")


def _rows(desk: Desk, asked: Asked, lines: Sequence[bytes], names: Names, kinds: Kinds) -> Taken:
    """Lines by the rules of files. `kinds` has those of metrics that the run has already."""
    taken = Taken()
    now = Batch(asked.run, _PATH, "", kinds, names, None, desk.limits, _SKIPS)
    for number, raw in enumerate(lines, 1):
        text = raw.strip()
        if not text:
            continue
        if len(raw) > desk.limits.line_bytes:
            now.skip(f"the line is longer than {desk.limits.line_bytes} bytes", number)
            continue
        row = parse(text)
        if not isinstance(row, dict):
            now.skip(row, number)
            continue
        try:
            now.row(row, number)
        except Full as error:
            # One batch is all or nothing, and its points of one metric are all of one shape.
            raise InvalidInput(
                f"line {number}: a metric has a step and a time in some lines and not in others; "
                "send those lines in a request of their own",
                field="body",
            ) from error
        taken.rows += 1
    # In this order: what was too much to report is counted last.
    taken.operations = now.operations()
    taken.skipped = now.skipped
    return taken


async def _known_kinds(desk: Desk, run: Run, operations: Sequence[RunOperation]) -> Kinds:
    """The kinds that the run's metrics have, of those that operations name."""
    named = dict.fromkeys(one.metric for one in operations if isinstance(one, LogPoints | LogRows))
    kinds = Kinds()
    for metric in await desk.reading.metrics([ids.metric_id(run.id, name) for name in named]):
        if metric is not None and metric.kind in _KINDS:
            kinds.add(metric.name, _KINDS[metric.kind])
    return kinds


def _creation(asked: Asked, operations: Sequence[RunOperation]) -> list[RunOperation]:
    """The run, which runs since its first row unless a row says how it is."""
    declared = DeclareRun(asked.run, asked.experiment or "default", asked.run, "jsonl")
    if any(isinstance(one, SetStatus) for one in operations):
        return [declared]
    times = [
        int(at)
        for one in operations
        if isinstance(one, LogPoints | LogRows) and isinstance(one.at, np.ndarray)
        for at in one.at[:1]
    ]
    return [
        declared,
        SetStatus(
            asked.run,
            RunStatus.RUNNING,
            _PATH,
            min(times, default=None),
            reported=False,
            detail="rows come in",
        ),
    ]


async def _check_experiment(desk: Desk, run: Run, experiment: str) -> None:
    if run.placeholder or run.experiment == ids.experiment_id(run.workspace, experiment):
        return
    raise InvalidInput(f"run {run.run_id!r} is in another experiment", field="experiment")


async def _created_by_this(desk: Desk, asked: Asked, run: Run) -> bool:
    """Whether the run was made by the very batch that is sent again, which has to be the same then."""
    if run.placeholder:
        return True
    if asked.writer is None or run.parent is not None:
        return False
    position = await desk.recording.position(asked.workspace, asked.run, asked.writer)
    return position is not None and position.sequence == asked.sequence and position.note == _CREATED


def _answer(asked: Asked, taken: Taken, *, repeated: bool) -> Response:
    run = ids.run_id(ids.workspace_id(asked.workspace), asked.run)
    skipped = [
        {"reason": one.reason} if one.line is None else {"line": one.line, "reason": one.reason}
        for one in taken.skipped
    ]
    body = {
        "run": run,
        "runId": asked.run,
        "rows": taken.rows,
        "points": taken.points,
        "repeated": repeated,
        "skipped": skipped,
    }
    return Response(orjson.dumps(body) + b"\n", media_type="application/json")


receiver = JsonlReceiver()
