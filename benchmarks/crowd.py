"""W7: 32 clients that ask for the page of W3 at the same time, as `runs` and as `runTable`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

import orjson

from benchmarks.bench import Bench, quantile
from benchmarks.figure import Figure, Wrong
from benchmarks.page import BELOW, OPTIMIZER, PAGE, check_page, page_body
from benchmarks.replay import request
from benchmarks.seed import WORKSPACE, RunTraits, fill_runs
from benchmarks.server import Server

CLIENTS = 32
TABLE = """
query ($workspace: String!, $below: Float!, $optimizer: String!, $first: Int!) {
  workspace(name: $workspace) {
    runTable(
      columns: [
        {field: RUN_ID} {field: NAME} {field: STATUS} {field: CREATED_AT} {metric: {name: "loss"}}
        {param: "optimizer"} {param: "lr"} {param: "layers"} {param: "seed"}
      ]
      filter: {and: [{metric: {name: "loss", lt: $below}}, {param: {key: "optimizer", eq: $optimizer}}]}
      orderBy: [{by: {metric: {name: "loss"}}}]
      first: $first
    ) {
      columns { values } pageInfo { hasNextPage endCursor }
    }
  }
}
"""


def crowd(bench: Bench) -> list[Figure]:
    """W7."""
    count = bench.size(5_000, 500)
    traits = RunTraits(count)
    expected = traits.matching(BELOW, OPTIMIZER)
    store = bench.store()
    with bench.bar(f"W7: recording {count:,} runs", count) as advance:
        asyncio.run(fill_runs(store, traits, advance))
    check = partial(check_page, traits=traits, expected=expected)
    table = [_table_body(BELOW)] * CLIENTS
    # The same runs to look at, and nearly the same to show; but no two clients ask for the same.
    own = [BELOW - index * 1e-6 for index in range(CLIENTS)]
    with Server(store, bench.environment) as server:
        return [
            *_asked(bench, server, "as `runs`", [page_body()] * CLIENTS, check, 300),
            *_asked(
                bench,
                server,
                "as `runTable`",
                table,
                partial(_check_table, traits=traits, expected=expected),
                1500,
            ),
            *_asked(
                bench,
                server,
                "as `runs`, each with a filter of its own",
                [page_body(below=one) for one in own],
                check,
            ),
            *_asked(
                bench,
                server,
                "as `runTable`, each with a filter of its own",
                [_table_body(one) for one in own],
                partial(_check_table, traits=traits, expected=expected),
            ),
        ]


def _table_body(below: float) -> bytes:
    return request(TABLE, workspace=WORKSPACE, below=below, optimizer=OPTIMIZER, first=PAGE)


def _asked(
    bench: Bench,
    server: Server,
    what: str,
    bodies: list[bytes],
    check: Callable[[bytes], None],
    goal: float | None = None,
) -> list[Figure]:
    each = bench.size(60, 5)
    rates, late = [], []
    bench.load.replay(server.port, bodies[:1] * 5)
    for _ in bench.rounds(f"W7: {CLIENTS} clients, {each} pages each {what}"):
        done = bench.load.replay(server.port, *[[body] * each for body in bodies])
        for answer in done.answers:
            check(answer)
        rates.append(CLIENTS * each / done.seconds)
        late.append(1000 * quantile(done.latencies, 0.99))
    checked = "the last page of each client: the runs, their order, their metric and params are what the seeding says"
    page = f"{CLIENTS} clients: page of {PAGE} of the runs of W3 {what}"
    return [
        Figure("W7", page, "req/s", tuple(rates), True, checked, goal=goal),
        Figure(
            "W7",
            f"{page}, slowest of 100 (p99)",
            "ms",
            tuple(late),
            False,
            checked,
            goal=150 if goal else None,
        ),
    ]


def _check_table(answer: bytes, traits: RunTraits, expected: list[int]) -> None:
    found: dict[str, Any] = orjson.loads(answer)["data"]["workspace"]["runTable"]
    columns = [column["values"] for column in found["columns"]]
    runs = expected[:PAGE]
    wanted = [[f"run-{index}" for index in runs], [float(traits.loss[index]) for index in runs]]
    if [columns[0], columns[4]] != wanted:
        raise Wrong("W7: not the runs that match, or not in order")
    if columns[5] != [OPTIMIZER] * len(runs) or columns[8] != [float(index) for index in runs]:
        raise Wrong("W7: a run is shown without its params")
    if found["pageInfo"]["hasNextPage"] != (len(expected) > PAGE):
        raise Wrong("W7: hasNextPage is wrong")
