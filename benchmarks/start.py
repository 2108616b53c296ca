"""W6: from the start of the console script to the first GraphQL answer, and what the idle server keeps in memory."""

from __future__ import annotations

import time

from benchmarks import floor
from benchmarks.bench import Bench
from benchmarks.figure import Beside, Figure
from benchmarks.server import Server


def start(bench: Bench) -> list[Figure]:
    """W6."""
    store = bench.store()
    seconds, memory, imports, imported = [], [], [], []
    # Once for the store to be made and the disk to be warm, as any later start finds them.
    with Server(store, bench.environment):
        floor.imported(bench.environment)
    for _ in bench.rounds("W6: start of the server"):
        with Server(store, bench.environment) as server:
            seconds.append(server.seconds)
            time.sleep(1)
            memory.append(server.memory())
        took, resident = floor.imported(bench.environment)
        imports.append(took)
        imported.append(resident)
    checked = "the first GraphQL answer has no errors"
    words = "strawberry, uvicorn and numpy imported"
    return [
        Figure(
            workload="W6",
            what="start of `graphql-runs serve` to its first GraphQL answer",
            unit="s",
            values=tuple(seconds),
            more=False,
            goal=0.45,
            checked=checked,
            beside=(Beside(f"Python with {words}", tuple(imports)), *bench.beside("W6", "start")),
        ),
        Figure(
            workload="W6",
            what="resident memory, a second after that",
            unit="MiB",
            values=tuple(memory),
            more=False,
            goal=70,
            checked=checked,
            beside=(Beside(f"Python with {words}", tuple(imported)), *bench.beside("W6", "memory")),
        ),
    ]
