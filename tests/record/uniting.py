"""Runs from several sources, for tests; as a program, one source in a process: `python -m tests.record.uniting FILE SOURCE RUNS`."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from graphql_runs.model import ids
from graphql_runs.model.operation import DeclareRun, RunOperation, SetStatus
from graphql_runs.model.run import Run
from graphql_runs.model.status import RunStatus
from graphql_runs.record.recorder import Recorder
from graphql_runs.store.port import Store
from graphql_runs.store.sqlite import SqliteStore

HOME = ids.workspace_id("w")
JOB = "slurm:alpha/4242"


def id_of(run_id: str) -> str:
    return ids.run_id(HOME, run_id)


def seen(run_id: str, source: str, *identities: str, parent: str | None = None) -> DeclareRun:
    """A run as a source declares it."""
    return DeclareRun(run_id, "exp", run_id, source, parent=parent, identities=identities)


async def write(recorder: Recorder, *operations: RunOperation) -> None:
    await recorder.record("w", operations)


async def run_of(store: Store, run_id: str) -> Run:
    [run] = await store.get(Run, [id_of(run_id)])
    assert run is not None
    return run


async def partition(store: Store) -> dict[str, str | None]:
    """What each run is an alias of, by the producers' ids."""
    runs = [entry.run for entry in await store.find_runs(None, [], first=1000)]
    names = {run.id: run.run_id for run in runs}
    return {run.run_id: None if run.alias_of is None else names[run.alias_of] for run in runs}


async def tell(path: Path, source: str, runs: int) -> None:
    """Declare runs as a source sees them, once a line comes in; each ends in a status of its own."""
    store = await SqliteStore.open(path)
    recorder = Recorder(store)
    sys.stdin.readline()
    for i in range(runs):
        run_id = f"{source}{i}"
        await recorder.record("w", [seen(run_id, source, f"slurm:{i}")])
        await recorder.record("w", [SetStatus(run_id, RunStatus.FAILED, source)])
    await recorder.close()
    await store.close()


if __name__ == "__main__":
    asyncio.run(tell(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
