"""The contract of a store: records, streams by row, blobs, and one batch per run tree.

Everything above the store speaks in these terms only; nothing asks a store for its name. Every store passes the same
contract suite (tests/store/contract.py). All methods are coroutines of one event loop; any of them may raise
StoreUnavailable, after which nothing of that call was acknowledged.

**Records** are the small values of `model`, by kind (their class) and id. Workspaces, clusters and experiments stand
alone and change by `upsert`; runs, metrics, log files and artifacts belong to a run tree and change in a batch.

**Streams** are append-only and addressed by row: points of a metric, bytes of a log file, entries of a journal. An item
covers rows `[start, end)`; an append must start where its stream ends. Merging items never moves a row.

**The journal** of a tree is the stream `journal_of(root)`, one row per batch: its end is the tree's position `n`.
A batch appends exactly one entry, at the end it read; that is the precondition of the whole batch.

**Blobs** are immutable bytes by SHA-256.

**Going away.** A `purge` takes runs away for good, with all that belongs to them; a `trim` forgets the old entries of a
journal. Neither moves a row: a journal never begins anew, and a stream that is made again after a purge begins at row 0.
Reading from before the first row that is left gives items from there on.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypeVar

from graphql_runs.model.change import Hint
from graphql_runs.model.filter import Key, Order, RunFilter
from graphql_runs.model.records import Artifact, Cluster, Experiment, LogFile, Metric, Workspace
from graphql_runs.model.run import Run
from graphql_runs.model.status import RunStatus
from graphql_runs.model.time import Micros

Standalone = Workspace | Cluster | Experiment
TreeRecord = Run | Metric | LogFile | Artifact
Record = Standalone | TreeRecord
R = TypeVar("R", Workspace, Cluster, Experiment, Run, Metric, LogFile, Artifact)
Named = TypeVar("Named", Workspace, Cluster, Experiment, Metric, LogFile, Artifact)
Loose = TypeVar("Loose", Workspace, Cluster, Experiment)


def journal_of(root: str) -> str:
    """The stream that holds the journal of the tree whose root run has this id."""
    return f"journal_{root.removeprefix('run_')}"


def journal_root(stream: str) -> str | None:
    """The tree whose journal a stream is, if it is one."""
    return f"run_{stream.removeprefix('journal_')}" if stream.startswith("journal_") else None


def owner_of(record: Standalone | Metric | LogFile | Artifact) -> tuple[str, str]:
    """The owner's id and the name under which `list_named` shows a record."""
    match record:
        case Workspace():
            return "", record.name
        case Cluster() | Experiment():
            return record.workspace, record.name
        case Metric():
            return record.run, record.name
        case LogFile() | Artifact():
            return record.run, record.path


@dataclass(frozen=True, slots=True)
class Item:
    """A piece of a stream: rows `[start, end)` as `data`.

    `mark` is a number that belongs to row `start`: for log files, how many line feeds come before it; 0 elsewhere.
    """

    start: int
    end: int
    data: bytes
    mark: int = 0


@dataclass(frozen=True, slots=True)
class Append:
    """Put an item at the end of a stream. Fails the batch with Conflict unless the stream ends at `item.start`."""

    stream: str
    item: Item


@dataclass(frozen=True, slots=True)
class Position:
    """How far one writer has come in one run tree: the number and the content hash of its last batch, and a note of its
    own (an ingester's checkpoint). `writer` is unique within the tree and not empty."""

    writer: str
    sequence: int
    digest: bytes
    note: bytes | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """All that one commit changes in one run tree, all or nothing.

    root:      the tree.
    entry:     the journal entry, at the row where the writer believes the journal to end (`entry.start`; its end is +1).
    creates:   records that must not exist yet (by id), else Conflict.
    replaces:  records that exist and are replaced whole.
    appends:   at most one per stream.
    positions: writer positions, replaced whole.
    hints:     for the journals of workspaces; the store numbers them (`n` is ignored).
    """

    root: str
    entry: Item
    creates: tuple[TreeRecord, ...] = ()
    replaces: tuple[TreeRecord, ...] = ()
    appends: tuple[Append, ...] = ()
    positions: tuple[Position, ...] = ()
    hints: tuple[Hint, ...] = ()


@dataclass(frozen=True, slots=True)
class Purge:
    """Runs of one tree that go away for good, with their metrics, log files, artifacts and streams, all or nothing.

    root:  the tree.
    entry: the journal entry that says so, at the row where the writer believes the journal to end, as of a Batch.
    runs:  server ids, at least one. Runs below them have to be listed too; what is not in the tree (any more) is passed over.
           With the root among them everything of the tree goes, its other runs, writer positions and the journal's entries
           before `entry` too.
    hints: as of a Batch, so that lists are told. Those of the runs themselves are kept until something newer replaces them.
    """

    root: str
    entry: Item
    runs: tuple[str, ...]
    hints: tuple[Hint, ...] = ()


@dataclass(frozen=True, slots=True)
class Extent:
    """A stream and the rows `[start, end)` that are left of it."""

    stream: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much a store holds. `records` by kind; `stream_bytes` and `blob_bytes` are of their data alone, `disk_bytes` is all
    that the store takes up with its indexes, as far as it can tell (else None)."""

    records: Mapping[str, int]
    streams: int
    items: int
    stream_bytes: int
    blobs: int
    blob_bytes: int
    disk_bytes: int | None


@dataclass(frozen=True, slots=True)
class FoundRun:
    """A run of a page, with its place in the order asked for."""

    run: Run
    key: Key


@dataclass(frozen=True, slots=True)
class Wake:
    """Something was committed. `roots` are the trees it touched; None means any may be (wake everybody)."""

    roots: frozenset[str] | None


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What this deployment of the store can do."""

    name: str
    version: str
    change_notification: bool
    """Commits of other processes are noticed without polling by the readers themselves."""
    explain: bool
    """The store can say which indexes a query uses."""
    backup: bool = False
    """`backup` works; elsewhere the database's own tools do that."""
    facts: Mapping[str, str] = field(default_factory=dict)
    """For people: journal mode, page size, server version, …"""


class Store(Protocol):
    """One opened store."""

    @property
    def epoch(self) -> str:
        """Changes when the store is restored or copied, so that old live cursors are recognised. Known once opened."""
        ...

    @property
    def capabilities(self) -> Capabilities:
        """Known once opened."""
        ...

    async def close(self) -> None:
        """Finish what was taken and let go of everything. Safe to call twice."""
        ...

    async def check(self) -> None:
        """Answer a trivial read; raises StoreUnavailable when the store cannot."""
        ...

    # Records

    async def get(self, kind: type[R], ids: Sequence[str]) -> list[R | None]:
        """Records by id, in the order asked; None for an unknown id."""
        ...

    async def list_named(
        self,
        kind: type[Named],
        owner: str,
        *,
        after: str | None = None,
        first: int,
        contains: str | None = None,
        prefix: str | None = None,
        descending: bool = False,
    ) -> list[Named]:
        """Records of one owner in code-point order of their name (path for log files and artifacts), after a name.

        The owner of a cluster or experiment is its workspace's id, of a metric, log file or artifact its run's id, of
        a workspace the empty text. `contains` ignores the case of ASCII letters.
        """
        ...

    async def count(
        self, kind: type[Named], owner: str, *, contains: str | None = None, prefix: str | None = None
    ) -> int:
        """How many records `list_named` would give without a page."""
        ...

    async def find_runs(
        self, where: RunFilter | None, order: Sequence[Order], *, after: Key | None = None, first: int
    ) -> list[FoundRun]:
        """A page of the runs that match, by keyset: no run whose key stayed the same is skipped or repeated."""
        ...

    async def explain_runs(
        self, where: RunFilter | None, order: Sequence[Order], *, after: Key | None = None, first: int
    ) -> list[str]:
        """The steps in which `find_runs` would get that page, in the store's own words, for people."""
        ...

    async def count_runs(self, where: RunFilter | None) -> int:
        """How many runs match."""
        ...

    async def count_statuses(self, where: RunFilter | None) -> dict[RunStatus, int]:
        """How many of the runs that match are in each status; statuses without a run are left out."""
        ...

    async def tree_runs(self, root: str) -> list[Run]:
        """Every run of a tree, by depth and then by id."""
        ...

    async def upsert(self, record: Loose, was: Loose | None) -> None:
        """Write a workspace, cluster or experiment if it still is `was` (None: does not exist), else raise Conflict."""
        ...

    async def next_number(self, counter: str) -> int:
        """1, 2, 3, … per counter; never twice the same, gaps are possible."""
        ...

    async def raise_number(self, counter: str, least: int) -> None:
        """The numbers of a counter go on after `least`, unless they are further already."""
        ...

    async def scan(self, kind: type[R], *, after: str | None = None, first: int) -> list[R]:
        """All records of a kind, in code-point order of their ids, after an id."""
        ...

    # Streams

    async def ends(self, streams: Sequence[str]) -> list[int]:
        """The row after the last of each stream; 0 for one that was never appended to."""
        ...

    async def read(
        self, stream: str, start: int, *, end: int | None = None, limit: int | None = None
    ) -> list[Item]:
        """Items that hold rows `[start, end)`, in order; the first may begin before `start`, the last may end after
        `end`. At most about `limit` bytes of data, but at least one item if there is any."""
        ...

    async def read_back(self, stream: str, end: int, *, limit: int) -> list[Item]:
        """Items that hold rows before `end`, walking backwards until about `limit` bytes are gathered (at least one item
        if there is any); given in ascending order."""
        ...

    async def positions(self, root: str, writers: Sequence[str]) -> list[Position | None]:
        """Where these writers of a tree stand."""
        ...

    async def all_positions(self, root: str, *, after: str | None = None, first: int) -> list[Position]:
        """The positions of a tree in code-point order of their writers, after a writer."""
        ...

    async def streams(self, *, after: str | None = None, first: int) -> list[Extent]:
        """All streams that have or had a row, in code-point order of their names, after a name."""
        ...

    async def commit(self, batch: Batch) -> None:
        """Make a batch durable, then return. Raises Conflict if a precondition failed: nothing of it was written."""
        ...

    async def compact(self, stream: str, merged: Item, parts: Sequence[Item]) -> bool:
        """Replace these consecutive items, as they were read, by one that covers them all. False, and no change, when the
        stream no longer has just these items there: other pieces of the same rows, or the same rows with other data since
        a purge. No row moves and readers never see a hole."""
        ...

    async def fragmented(self, *, items: int, after: str | None = None, first: int) -> list[str]:
        """Streams that have at least so many items waiting to be merged, in order of their names. An item waits from its
        append until a `compact` takes it as a part, also as the only one; large items and entries of journals never wait."""
        ...

    async def purge(self, purge: Purge) -> None:
        """Take runs away for good, then return. Raises Conflict when the journal does not end at `entry.start`: nothing went
        away then. Ids are free again afterwards; the journal goes on. Blobs are left to `sweep_blobs`."""
        ...

    async def trim(self, root: str, before: int) -> None:
        """Forget the entries of a tree's journal before a row; all of them when it lies beyond the end. Those that are
        forgotten already stay so."""
        ...

    async def hints(self, workspace: str, after: int, *, first: int) -> list[Hint]:
        """Hints of a workspace with `n` above `after`, ascending. A store may keep only the newest hint of a run, so
        that their number is bounded by that of the runs."""
        ...

    async def hint_end(self, workspace: str) -> int:
        """`n` of the newest hint of a workspace, 0 when there is none."""
        ...

    # Blobs

    async def put_blob(self, chunks: AsyncIterator[bytes], *, limit: int) -> tuple[str, int]:
        """Keep bytes durably; gives their SHA-256 in hex and their size. Raises LimitExceeded past `limit` bytes and
        keeps nothing then. The same content is kept once."""
        ...

    async def blob_size(self, sha256: str) -> int | None:
        """The size of a blob in bytes, None when there is no such blob."""
        ...

    def read_blob(self, sha256: str, start: int, end: int) -> AsyncIterator[bytes]:
        """Bytes `[start, end)` of a blob in chunks of at most 1 MiB. Raises NotFound."""
        ...

    async def sweep_blobs(self, before: Micros) -> int:
        """Delete blobs that no artifact names and that nobody has put since a time; gives how many. Putting a blob that is
        there already counts."""
        ...

    # The whole

    async def sizes(self) -> Sizes:
        """How much there is; may take a while on a large store."""
        ...

    async def backup(self, target: Path) -> None:
        """Write a copy of everything, as of one moment at or after the call, while the store is in use. `target` must not exist;
        nothing is left there when it fails. Opened as a store the copy has another epoch. Raises InvalidInput where the
        capabilities say that there is none, or when `target` exists."""
        ...

    # Changes

    def wakes(self) -> AsyncGenerator[Wake]:
        """Commits by any process, as they come; may be merged or doubled, and the first may be about the past. Commits of
        this process are given at once, of others within milliseconds where `capabilities.change_notification` says so."""
        ...
