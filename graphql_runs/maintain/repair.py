"""Mending what can be computed anew, by commits through the port: no row of a stream is touched."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

from graphql_runs.maintain.journal import look_at_journal
from graphql_runs.maintain.recount import LogRecount, MetricRecount, Recount, S, rows_of
from graphql_runs.model import ids
from graphql_runs.model.change import Entry, Growth, Hint, RunChange
from graphql_runs.model.errors import Conflict
from graphql_runs.model.records import LogFile, Metric
from graphql_runs.model.run import Run
from graphql_runs.model.time import now
from graphql_runs.store.port import Batch, Item, Store, journal_of

_ATTEMPTS = 200
"""Each one that is lost means that a writer of the tree got ahead."""
_ENTRY_GROWTHS = 10_000


async def mend_metric(store: Store, id: str) -> None:
    """Give a metric the summary of its points. Raises Damage when they cannot be read, Conflict when writers give no rest."""
    await _mend(store, Metric, id, MetricRecount)


async def mend_log(store: Store, id: str) -> None:
    """Give a log file size and lines of its text; raises as `mend_metric` does."""
    await _mend(store, LogFile, id, LogRecount)


async def _mend(store: Store, kind: type[S], id: str, begin: Callable[[S], Recount[S]]) -> None:
    [run] = await store.get(Run, [ids.run_of(id)])
    recount: Recount[S] | None = None
    for attempt in range(_ATTEMPTS):
        if run is None:
            return
        # As long as the journal ends at `n`, the stream ends at `end` and the record is what is read below.
        [n, end] = await store.ends([journal_of(run.root), id])
        [record] = await store.get(kind, [id])
        if record is None:
            return
        if recount is None or recount.rows > end:
            recount = begin(record)
        # What was read for the attempt before is not read again, so that a busy tree is caught up with.
        await recount.read(store, end)
        if not recount.differences(record):
            return
        mended = recount.mended(record)
        growth = Growth(id, min(rows_of(record), end), end)
        logs, metrics = ((growth,), ()) if kind is LogFile else ((), (growth,))
        entry = Entry(now(), metrics=metrics, logs=logs)
        try:
            await store.commit(
                Batch(
                    run.root,
                    Item(n, n + 1, entry.encode()),
                    replaces=(mended,),
                    hints=(Hint(run.workspace, run.id, run.root, now()),),
                )
            )
        except Conflict:
            await asyncio.sleep(random.uniform(0, 0.001 * min(attempt, 20)))
            continue
        return
    raise Conflict(f"{id} is written to without a pause")


async def mend_journal(store: Store, root: str) -> None:
    """Make everybody who follows a tree look again.

    An entry tells of all growth that was not told of. If something in the journal cannot be followed, what comes before that
    entry is forgotten, so that whoever has an older cursor begins anew, and is told so.
    """
    for attempt in range(_ATTEMPTS):
        [n] = await store.ends([journal_of(root)])
        look = await look_at_journal(store, root)
        if not look.findings:
            return
        growths = look.behind[:_ENTRY_GROWTHS]
        entry = Entry(
            now(),
            (RunChange(root),),
            tuple(growth for growth in growths if growth.id.startswith("metric_")),
            tuple(growth for growth in growths if not growth.id.startswith("metric_")),
        )
        try:
            await store.commit(Batch(root, Item(n, n + 1, entry.encode())))
        except Conflict:
            await asyncio.sleep(random.uniform(0, 0.001 * min(attempt, 20)))
            continue
        if look.broken:
            await store.trim(root, n)
        if len(look.behind) <= _ENTRY_GROWTHS:
            return
    raise Conflict(f"{root} is written to without a pause")
