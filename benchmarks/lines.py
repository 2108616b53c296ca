"""W5b: the end of a long log, and searching all of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from benchmarks.bench import Bench, milliseconds, timed
from benchmarks.figure import Beside, Figure, Wrong
from benchmarks.replay import request
from benchmarks.seed import EXPERIMENT, RUN, WORKSPACE
from benchmarks.server import Server
from graphql_runs.model.operation import DeclareRun, LogText
from graphql_runs.model.time import to_text
from graphql_runs.record.recorder import Recorder
from graphql_runs.store.sqlite import SqliteStore

TAIL = 200
RANKS = 8
_BATCH = 1000
_START = 1_769_817_600_000_000
_LINE = "{ workspace(name: $workspace) { run(runId: $run) { %s } } }"
READ_TAIL = "query ($workspace: String!, $run: String!, $last: Int!) " + _LINE % (
    'log(path: "out.txt") { lines(last: $last) { nodes { number text level at } pageInfo { hasPreviousPage startCursor } } }'
)
SEARCH = (
    "query ($workspace: String!, $run: String!, $paths: [String!]!, $text: String, $regex: String, $level: [LogLevel!]) "
    + _LINE
    % "searchLogs(paths: $paths, text: $text, regex: $regex, level: $level) { nodes { number text path } pageInfo { hasNextPage } }"
)


@dataclass(frozen=True, slots=True)
class Lines:
    """The lines of a log; every `every`th is the one that is searched for."""

    count: int
    every: int

    def line(self, number: int) -> str:
        """The text of a line by its number, from 0."""
        time = to_text(_START + number * 10_000)
        if number % self.every == self.every - 1:
            return f"{time} ERROR trainer: the needle of step {number}"
        return f"{time} INFO trainer: step {number} loss {1 / (number + 1):.6f} lr 0.001 tokens/s 12345.6"

    def wanted(self, ranks: int = 1) -> list[tuple[int, str]]:
        """Number and text of the lines that are searched for, from 1."""
        numbers = range(self.every - 1, self.count, self.every)
        return [(number // ranks + 1, self.line(number)) for number in numbers]


def lines(bench: Bench) -> list[Figure]:
    """W5b."""
    log = Lines(bench.size(1_000_000, 20_000), bench.size(100_000, 2_000))
    store = bench.store()
    with bench.bar(f"W5b: logging {log.count:,} lines twice", 2 * log.count) as advance:
        asyncio.run(_fill(store, log, advance))
    plain = store.with_name("plain.txt")
    plain.write_text("".join(f"{log.line(number)}\n" for number in range(log.count)))
    found = log.wanted()
    asked: dict[str, tuple[bytes, Callable[[Any], None], float | None]] = {
        f"last {TAIL} of {log.count:,} lines, with number, text, level and time": (
            request(READ_TAIL, workspace=WORKSPACE, run=RUN, last=TAIL),
            lambda answer: _check_tail(answer, log),
            5,
        ),
        f"text in {log.count:,} lines ({len(found)} have it)": (
            _search(["out.txt"], text="NEEDLE of step"),
            lambda answer: _check_search(answer, found),
            300,
        ),
        f"regular expression in {log.count:,} lines": (
            _search(["out.txt"], regex="needle of step [0-9]+9$"),
            lambda answer: _check_search(answer, found),
            300,
        ),
        f"level ERROR in {log.count:,} lines": (
            _search(["out.txt"], level=["ERROR"]),
            lambda answer: _check_search(answer, found),
            None,
        ),
        f"text in {log.count:,} lines of {RANKS} ranks, merged by time": (
            _search(["rank_*.txt"], text="needle of step"),
            lambda answer: _check_search(answer, log.wanted(RANKS)),
            None,
        ),
    }
    taken: dict[str, list[float]] = {what: [] for what in asked}
    bare: list[float] = []
    with Server(store, bench.environment, compact_seconds=0) as server:
        for _ in bench.rounds(f"W5b: {log.count:,} lines"):
            for what, (body, check, _goal) in asked.items():
                bench.load.replay(server.port, [body] * 2)
                done = bench.load.replay(server.port, [body] * 7)
                check(orjson.loads(done.answers[0])["data"]["workspace"]["run"])
                taken[what].append(milliseconds(done.latencies))
            bare.append(milliseconds(timed(lambda: _grep(plain, len(found))) for _ in range(5)))
    beside = Beside("the text read from a file and searched by Python", tuple(bare))
    return [
        Figure(
            workload="W5b",
            what=what,
            unit="ms",
            values=tuple(taken[what]),
            more=False,
            goal=goal,
            checked="the lines are those that were logged, with their numbers",
            beside=(beside,) if what.startswith("text") else (),
        )
        for what, (_, _, goal) in asked.items()
    ]


def _search(paths: list[str], **wanted: Any) -> bytes:
    return request(SEARCH, workspace=WORKSPACE, run=RUN, paths=paths, **wanted)


def _check_tail(answer: Any, log: Lines) -> None:
    page = answer["log"]["lines"]
    expected = [(number + 1, log.line(number)) for number in range(log.count - TAIL, log.count)]
    if [(line["number"], line["text"]) for line in page["nodes"]] != expected:
        raise Wrong("W5b: the end of the log is not what was logged")
    if any(line["at"] != line["text"][:27] or line["level"] is None for line in page["nodes"]):
        raise Wrong("W5b: a line has no level, or not its time")
    if not page["pageInfo"]["hasPreviousPage"]:
        raise Wrong("W5b: there is more before the end")


def _check_search(answer: Any, expected: list[tuple[int, str]]) -> None:
    page = answer["searchLogs"]
    if [(line["number"], line["text"]) for line in page["nodes"]] != expected:
        raise Wrong("W5b: not the lines that were searched for")
    if page["pageInfo"]["hasNextPage"]:
        raise Wrong("W5b: the search ended early")


def _grep(file: Path, expected: int) -> None:
    if file.read_bytes().lower().count(b"needle of step") != expected:
        raise Wrong("W5b: the plain file has other lines")


async def _fill(path: Path, log: Lines, advance: Callable[[int], None]) -> None:
    """A store with one run that has the lines in one log, and dealt out to the logs of eight ranks."""
    store = await SqliteStore.open(path)
    recorder = Recorder(store)
    try:
        await recorder.record(WORKSPACE, [DeclareRun(RUN, EXPERIMENT, RUN, "benchmark")])
        for first in range(0, log.count, _BATCH):
            some = [f"{log.line(number)}\n".encode() for number in range(first, first + _BATCH)]
            texts = {"out.txt": some} | {f"rank_{rank}.txt": some[rank::RANKS] for rank in range(RANKS)}
            await recorder.record(
                WORKSPACE, [LogText(RUN, name, b"".join(text)) for name, text in texts.items()]
            )
            advance(2 * _BATCH)
    finally:
        await recorder.close()
        await store.close()
