"""A file of an earlier version, with data in it, becomes one of this version."""

from __future__ import annotations

import json
import sqlite3
import zlib
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from graphql_runs.model.filter import (
    And,
    Attribute,
    AttributeField,
    Bag,
    BagField,
    Compare,
    MetricField,
    Op,
    Order,
)
from graphql_runs.model.records import Artifact, LogFile, Metric, Workspace
from graphql_runs.model.run import Run
from graphql_runs.model.status import RunStatus
from graphql_runs.store import documents
from graphql_runs.store.fields import ATTRIBUTES
from graphql_runs.store.port import Append, Batch, Extent, Item, Position, Purge, journal_of
from graphql_runs.store.sqlite import SqliteStore, schema
from graphql_runs.store.sqlite.migrations import MIGRATIONS
from tests.store.samples import HOME, LAB, a_log, a_metric, a_run, chunks, entry, read_all
from tests.store.suite.removal import an_artifact

SHA = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"  # of "x"
RUNS = [
    a_run("plain", tags={"team": "a"}),
    a_run("beating", heartbeat_at=5_000_000, heartbeat_seconds=0.5, created_at=2, status=RunStatus.COMPLETED),
    a_run("stale", heartbeat_at=5_000_000, heartbeat_seconds=0.1, started_at=7, ended_at=None),
    a_run("silent", status_at=9_000_000, heartbeat_seconds=2.5, ended_at=3_500_000),
]
METRIC, LOG = a_metric(RUNS[0], "loss", last=0.5, count=3), a_log(RUNS[0], "out", size=5)
OUTPUT, LINK = an_artifact(RUNS[0], "model", blob=SHA), an_artifact(RUNS[0], "data", location="/data")
ITEMS = [Item(0, 2, b"ab"), Item(2, 3, b"c")]
NEW_FIELDS = [{"trashed_at", "identities", "alias_of"}, {"identities", "alias_of"}]
"""What each version did not know yet."""


class OldFile:
    """Writes as an earlier version did."""

    def __init__(self, path: Path, version: int) -> None:
        self.version = version
        self.db = sqlite3.connect(path)
        self.db.execute("PRAGMA journal_mode = wal")
        for script in MIGRATIONS[:version]:
            self.db.executescript(script)
        self.db.execute(f"PRAGMA user_version = {version}")
        self.db.execute(f"PRAGMA application_id = {schema.APPLICATION}")

    def term(self, text: str) -> int:
        self.db.execute("INSERT OR IGNORE INTO term(text) VALUES (?)", (text,))
        (key,) = self.db.execute("SELECT key FROM term WHERE text = ?", (text,)).fetchone()
        return int(key)

    def insert(self, table: str, **values: object) -> None:
        marks = ", ".join("?" * len(values))
        self.db.execute(f"INSERT INTO {table}({', '.join(values)}) VALUES ({marks})", list(values.values()))

    def document(self, record: object) -> dict[str, object]:
        fields = json.loads(documents.encode(record))
        unknown = NEW_FIELDS[self.version - 1]
        doc = json.dumps({name: value for name, value in fields.items() if name not in unknown}).encode()
        return {"doc": doc, "sum": zlib.crc32(doc)}

    def run(self, run: Run) -> None:
        columns = [row[1] for row in self.db.execute("PRAGMA table_info(run)")]
        fields = {name: getattr(run, name) for name in columns if hasattr(run, name)}
        fields["status"], fields["status_class"] = run.status.value, run.status.status_class.value
        if run.ended_at is not None:
            fields["duration"] = (run.ended_at - run.created_at) / 1e6
        key = self.term(run.id)
        self.insert("run", **fields, key=key, bags=b"old", **self.document(run))
        for name, text in run.tags.items():
            self.insert("bag", run=key, key=self.term(f"tag:{name}"), text=text)
        self.db.execute("UPDATE meta SET value = value + 1 WHERE name = 'runs'")

    def stream(self, name: str, items: list[Item]) -> None:
        key = self.term(name)
        waits = not name.startswith("journal_")
        numbered = {} if self.version == 1 else {"term": key, "floor": 0}
        self.insert("stream", key=key, end=items[-1].end, waiting=waits * len(items), **numbered)
        for item in items:
            self.insert(
                "item",
                stream=key,
                start=item.start,
                end=item.end,
                mark=item.mark,
                waiting=waits,
                sum=zlib.crc32(item.data),
                data=item.data,
            )

    def close(self) -> None:
        self.db.commit()
        self.db.close()


@pytest.fixture(params=[1, 2])
def path(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A file of an earlier version, with some of everything."""
    path = tmp_path / "runs.sqlite"
    with closing(OldFile(path, request.param)) as old:
        home = Workspace(HOME, "home", 1)
        old.insert("workspace", key=old.term(HOME), owner=old.term(""), name="home", **old.document(home))
        for run in RUNS:
            old.run(run)
            old.stream(journal_of(run.id), [entry(0, run.id), entry(1, run.id)])
        key = old.term(RUNS[0].id)
        old.insert(
            "metric",
            key=old.term(METRIC.id),
            owner=key,
            name="loss",
            experiment=old.term(LAB),
            last=0.5,
            count=3,
            **old.document(METRIC),
        )
        old.insert("log", key=old.term(LOG.id), owner=key, name="out", **old.document(LOG))
        for artifact in (OUTPUT, LINK):
            named = {"owner": key, "name": artifact.path} | (
                {"blob": artifact.blob} if old.version > 1 else {}
            )
            old.insert("artifact", key=old.term(artifact.id), **named, **old.document(artifact))
        old.stream(METRIC.id, ITEMS)
        old.insert("position", root=key, writer="w", sequence=4, digest=b"d", note=None)
        old.insert("hint", workspace=old.term(HOME), run=key, n=3, root=key, at=8)
        old.insert("counter", name="runs", n=17)
    return path


async def test_everything_is_still_there(path: Path) -> None:
    store = await SqliteStore.open(path)
    assert await store.get(Run, [run.id for run in RUNS]) == RUNS
    assert await store.get(Workspace, [HOME]) == [Workspace(HOME, "home", 1)]
    assert await store.list_named(Metric, RUNS[0].id, first=9) == [METRIC]
    assert await store.list_named(LogFile, RUNS[0].id, first=9) == [LOG]
    assert await store.list_named(Artifact, RUNS[0].id, first=9) == [LINK, OUTPUT]
    assert await read_all(store, METRIC.id) == ITEMS
    assert await store.ends([METRIC.id, journal_of(RUNS[0].id)]) == [3, 2]
    assert await store.all_positions(RUNS[0].id, first=9) == [Position("w", 4, b"d")]
    assert [hint.run for hint in await store.hints(HOME, 2, first=9)] == [RUNS[0].id]
    assert await store.fragmented(items=2, first=9) == [METRIC.id]
    assert len(await store.streams(first=9)) == 5
    assert Extent(METRIC.id, 0, 3) in await store.streams(first=9)
    assert await store.count_runs(None) == 4
    assert await store.next_number("runs") == 18
    await store.close()


async def test_it_is_found_by_old_and_new_attributes(path: Path) -> None:
    store = await SqliteStore.open(path)

    async def found(attribute: Attribute, op: Op, operand: str | float | bool) -> list[str]:
        where = Compare(AttributeField(attribute), op, operand)
        return sorted(one.run.run_id for one in await store.find_runs(where, [], first=9))

    assert await found(Attribute.TRASHED_AT, Op.EXISTS, False) == sorted(run.run_id for run in RUNS)
    assert await found(Attribute.ALIAS_OF, Op.EXISTS, False) == sorted(run.run_id for run in RUNS)
    assert await found(Attribute.STALE_AT, Op.EXISTS, True) == ["silent", "stale"]
    for run in RUNS:
        if run.stale_at is not None:
            assert await found(Attribute.STALE_AT, Op.EQ, run.stale_at) == [run.run_id]
    assert await found(Attribute.DURATION, Op.EQ, 2.5) == ["silent"]
    assert await found(Attribute.STATUS_CLASS, Op.EQ, "TERMINAL") == ["beating"]
    where = And((Compare(BagField(Bag.TAG, "team"), Op.EQ, "a"), Compare(MetricField("loss"), Op.LT, 1.0)))
    [one] = await store.find_runs(where, [Order(MetricField("loss"))], first=9)
    assert one.run == RUNS[0]
    await store.close()


async def test_it_goes_on(path: Path) -> None:
    store = await SqliteStore.open(path)
    run = RUNS[0]
    trashed = replace(
        run, trashed_at=12, tags={"team": "b"}, alias_of=RUNS[1].id, identities=("slurm:c/1", "wandb:x")
    )
    more = Item(3, 4, b"d")
    await store.commit(
        Batch(
            run.id,
            entry(2),
            replaces=(trashed,),
            appends=(Append(METRIC.id, more), Append("log_new", Item(0, 1, b"x"))),
        )
    )
    assert await read_all(store, METRIC.id) == [*ITEMS, more]
    assert await store.compact(METRIC.id, Item(0, 4, b"abcd"), [*ITEMS, more])
    in_trash = Compare(AttributeField(Attribute.TRASHED_AT), Op.LTE, 12)
    assert [one.run for one in await store.find_runs(in_trash, [], first=9)] == [trashed]
    for where in (
        Compare(AttributeField(Attribute.ALIAS_OF), Op.EQ, RUNS[1].id),
        Compare(BagField(Bag.IDENTITY, "wandb:x"), Op.EXISTS, True),
    ):
        assert [one.run for one in await store.find_runs(where, [], first=9)] == [trashed]
    await store.put_blob(chunks(b"x"), limit=1)
    later = 1 << 60
    assert await store.sweep_blobs(later) == 0
    await store.trim(run.id, 1)
    await store.purge(Purge(run.id, entry(3), (run.id,)))
    assert await store.count_runs(None) == 3
    assert await store.ends([METRIC.id, "log_new"]) == [0, 1]
    assert await store.sweep_blobs(later) == 1
    await store.commit(
        Batch(run.id, entry(4), creates=(run, METRIC), appends=(Append(METRIC.id, Item(0, 1, b"new")),))
    )
    assert await read_all(store, METRIC.id) == [Item(0, 1, b"new")]
    await store.close()
    again = await SqliteStore.open(path)
    assert await read_all(again, METRIC.id) == [Item(0, 1, b"new")]
    assert await again.tree_runs(run.id) == [run]
    await again.close()


async def test_a_damaged_document_does_not_keep_the_rest_from_it(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute("UPDATE run SET doc = x'7b00' WHERE id = ?", (RUNS[3].id,))
        db.execute("UPDATE artifact SET doc = x'7b00' WHERE name = 'data'")
        db.commit()
    store = await SqliteStore.open(path)
    assert await store.get(Run, [RUNS[2].id]) == [RUNS[2]]
    assert await store.count_runs(None) == 4
    await store.close()


async def test_each_attribute_has_its_column(tmp_path: Path) -> None:
    """Who adds an attribute has to add a migration too."""
    path = tmp_path / "runs.sqlite"
    await (await SqliteStore.open(path)).close()
    with closing(sqlite3.connect(path)) as db:
        columns = {row[1]: row for row in db.execute("PRAGMA table_info(run)")}
    assert set(columns) == {"key", *(name.value for name in ATTRIBUTES), "bags", "doc", "sum"}
    lacking = {name for name, row in columns.items() if not row[3]} - {"key"}
    assert lacking == {
        "cluster",
        "parent",
        "display_name",
        "submitted_by",
        "started_at",
        "ended_at",
        "duration",
        "kind",
        "target",
        "trashed_at",
        "alias_of",
        "stale_at",
    }
