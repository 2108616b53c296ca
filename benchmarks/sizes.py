"""`python -m benchmarks.sizes`: what a run, a point, an index entry take on disk, and what that comes to at scale.

Prints the tables of docs/scale.md; `--write` puts them there. Sizes are measured on the documents and files that the stores write
for one typical run; what follows from them is multiplication, and is marked as such.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bson
import numpy as np

from graphql_runs.model.operation import DeclareRun, LogPoints, LogText, SetStatus
from graphql_runs.model.records import Metric
from graphql_runs.model.run import Run
from graphql_runs.model.status import RunStatus
from graphql_runs.record.recorder import Recorder
from graphql_runs.server.opening import open_store
from graphql_runs.store.mongo.layout import INDEXES, item_key, tree_document
from graphql_runs.store.port import Item, journal_of

PAGE = Path(__file__).parent.parent / "docs" / "scale.md"
BEGIN, END = "<!-- sizes:begin -->", "<!-- sizes:end -->"

RUNS = 10_000_000
METRICS = 10
POINTS = 10_000
"""Of each metric, so that RUNS × METRICS × POINTS is 10¹²."""
SEGMENT = 8192
"""Rows of a merged segment (`record.compaction`)."""
PARAMS = 20
LOG_BYTES = 200_000
COMMITS = 600
"""Journal entries of a run: one for every second commit or so of ten minutes."""
SHARED_KEY = 6
"""Bytes of an entry of an ordered index beside its key: WiredTiger's record id and cell header, about."""


@dataclass(frozen=True, slots=True)
class Kind:
    """Documents of one collection: how many a run has, their size, and that of their index entries, all in bytes."""

    name: str
    per_run: float
    document: int
    indexes: int


def typical() -> list[Any]:
    """What the job of a typical run says."""
    run = "train-2026-03-14-0017"
    params = {f"model.layer_{index}.width": str(64 << index % 5) for index in range(PARAMS)}
    tags = {"team": "vision", "git": "8a1f0c2d9b7e", "purpose": "baseline"}
    at = 1_700_000_000_000_000
    return [
        DeclareRun(run, "image-classification", run, "client", cluster="a100-8", submitted_by="ada", created_at=at, params=params, tags=tags),
        *(
            LogPoints(run, f"validation/metric_{index}", [0.25, 0.5], [0, 1], [at, at + 1_000_000])
            for index in range(METRICS)
        ),
        LogText(run, "user_logs/std_log.txt", b"epoch 1: loss 0.25\n"),
        SetStatus(run, RunStatus.COMPLETED, "client", at=at + 600_000_000),
    ]  # fmt: skip


def segment(rows: int = SEGMENT) -> bytes:
    """A merged piece of a metric, as the recorder writes it."""
    from graphql_runs.store import segment as codec

    steps = np.arange(rows, dtype=np.int64)
    values = np.random.default_rng(3).normal(size=rows)
    return codec.encode({"value": values}, steps, 1_700_000_000_000_000 + steps * 250_001)


def documents(store: Any, run: Run, metrics: Sequence[Metric], journal: Sequence[Item]) -> list[Kind]:
    """The collections of a MongoDB store, of one typical run."""
    stream = metrics[0].id
    entry = round(sum(len(item.data) for item in journal) / len(journal))
    item: dict[str, Any] = {
        "_id": item_key(stream, 1, 0), "root": run.root, "turn": 1, "start": 0, "end": SEGMENT,
        "mark": 0, "waits": False,
    }  # fmt: skip
    state = {
        "_id": stream, "root": run.root, "turn": 1, "end": 1, "life": 1, "since": 1, "end_before": 0,
        "since_before": 0, "waiting": 0,
    }  # fmt: skip
    pieces = -(-POINTS // SEGMENT)
    return [
        _kind("run", 1, tree_document(run, 1)),
        _kind("metric", METRICS, tree_document(metrics[0], 1)),
        _kind("stream", METRICS + 1, state),
        _kind("item", METRICS * pieces, item | {"data": segment(-(-POINTS // pieces))}, "points"),
        _kind("item", LOG_BYTES / (1 << 20), item | {"data": bytes(1 << 20)}, "log text"),
        _kind("item", COMMITS, item | {"data": bytes(entry), "token": "0" * 24}, "journal"),
        _kind("tree", 1, {"_id": run.id, "n": 1, "applied": 1, "turn": 1}),
        _kind("position", 1, {"_id": f"{run.id}/client", "root": run.id, "turn": 1, "writer": "client", "sequence": 9, "digest": bytes(16)}),
        _kind("hint", 1, {"_id": f"{run.workspace}/{run.id}", "workspace": run.workspace, "run": run.id, "root": run.id, "at": 1, "n": 1}),
    ]  # fmt: skip


def _kind(collection: str, per_run: float, document: Mapping[str, Any], what: str | None = None) -> Kind:
    name = collection if what is None else f"{collection} ({what})"
    keys = _key(document["_id"])
    for index in INDEXES.get(collection, ()):
        keys += _entries(index, document)
    return Kind(name, per_run, len(bson.encode(document)), keys)


def _entries(index: Any, document: Mapping[str, Any]) -> int:
    """Bytes of a document's entries in an index: one, or one for each element of an array."""
    if index.only is not None or (index.sparse and index.keys[0][0] not in document):
        return 0
    arrays = {path.split(".")[0] for path, _ in index.keys if "." in path}
    held = [document.get(name, []) for name in arrays if isinstance(document.get(name, []), list)]
    if arrays and held:
        return sum(_key(*(element.get(path.split(".")[1]) for path, _ in index.keys)) for element in held[0])
    return _key(*(document.get(path) for path, _ in index.keys))


def _key(*values: Any) -> int:
    """Bytes of a key in MongoDB's order-preserving form, before prefixes are shared: texts with an end, numbers in 9, none in 1."""
    return SHARED_KEY + sum(
        1 if value is None else len(str(value).encode()) + 2 if isinstance(value, str) else 9
        for value in values
    )


async def measured() -> tuple[list[Kind], float, float]:
    """The collections of MongoDB, and of SQLite the bytes of a run and of a point in its file."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "store.sqlite"
        store = await open_store(f"sqlite:///{path}")
        recorder = Recorder(store)
        try:
            recorded = await recorder.record("vision", typical())
            # What most commits are: one more point of every metric.
            await recorder.record("vision", [one for one in typical() if isinstance(one, LogPoints)])
            [run] = await store.tree_runs(recorded.root)
            metrics = await store.list_named(Metric, run.id, first=METRICS)
            journal = await store.read(journal_of(run.root), 1)
            kinds = documents(store, run, metrics, journal)
            before = _pages(path)
            for index in range(300):
                said = typical()
                await recorder.record("vision", [_renamed(operation, index) for operation in said])
            a_run = (_pages(path) - before) / 300
            before = _pages(path)
            steps = np.arange(SEGMENT, dtype=np.int64)
            values = np.random.default_rng(3).normal(size=SEGMENT)
            for piece in range(20):
                at = 1_700_000_000_000_000 + (steps + piece * SEGMENT) * 250_001
                points = LogPoints(run.run_id, "long", values, steps + piece * SEGMENT, at)
                await recorder.record("vision", [points])
            return kinds, a_run, (_pages(path) - before) / (20 * SEGMENT)
        finally:
            await recorder.close()
            await store.close()


def _renamed(operation: Any, index: int) -> Any:
    import dataclasses

    return dataclasses.replace(operation, run_id=f"{operation.run_id}-{index}")


def _pages(path: Path) -> int:
    """Bytes of the pages in use, whether in the file or still in the log beside it."""
    import apsw

    db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        return int(db.pragma("page_count")) * int(db.pragma("page_size"))
    finally:
        db.close()


def tables(kinds: Sequence[Kind], a_run: float, a_point: float) -> str:
    """The Markdown of the page."""
    lines = [
        f"| collection | documents of a run | a document | its index entries | documents of {RUNS / 1e6:.0f} M runs | data | indexes |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for kind in kinds:
        count = kind.per_run * RUNS
        lines.append(
            f"| {kind.name} | {kind.per_run:,.4g} | {_bytes(kind.document)} | {_bytes(kind.indexes)}"
            f" | {_count(count)} | {_bytes(count * kind.document)} | {_bytes(count * kind.indexes)} |"
        )
    data = sum(kind.per_run * RUNS * kind.document for kind in kinds)
    indexes = sum(kind.per_run * RUNS * kind.indexes for kind in kinds)
    lines.append(f"| **all** | | | | | **{_bytes(data)}** | **{_bytes(indexes)}** |")
    lines += [
        "",
        f"SQLite: {_bytes(a_run)} a run with its {METRICS} metrics and {PARAMS} params, indexes included, and {a_point:.1f} bytes a point.",
    ]
    return "\n".join(lines)


def _bytes(size: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} TB"


def _count(count: float) -> str:
    return f"{count / 1e9:.3g} G" if count >= 1e9 else f"{count / 1e6:.3g} M"


def page(present: str, text: str) -> str:
    """The page with the tables between its markers. Raises ValueError when they are not there once each."""
    if (present.count(BEGIN), present.count(END)) != (1, 1):
        raise ValueError(f"wants one {BEGIN} and one {END}")
    before, rest = present.split(BEGIN)
    return f"{before}{BEGIN}\n\n{text}\n\n{END}{rest.split(END)[1]}"


def main() -> None:
    """Print, or write into the page."""
    text = tables(*asyncio.run(measured()))
    if sys.argv[1:] == ["--write"]:
        PAGE.write_text(page(PAGE.read_text(), text))
    else:
        print(text)


if __name__ == "__main__":
    main()
