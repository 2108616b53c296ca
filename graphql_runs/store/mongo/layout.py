"""The collections, what their documents hold, and the indexes.

A record is kept as its JSON document (`store.documents`) in `doc`, beside the fields that lists and filters use. Documents
that belong to a run tree have its `root` and the `turn` of the tree's head that
wrote them (docs/decisions/0007-mongodb-commit-protocol.md). A field without a value is absent; NaN counts as absent.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable

from graphql_runs.model.bags import bag_of
from graphql_runs.model.errors import InvalidInput
from graphql_runs.model.filter import Attribute, Bag
from graphql_runs.model.records import Artifact, Cluster, Experiment, LogFile, Metric, Workspace
from graphql_runs.model.run import Run
from graphql_runs.store import documents
from graphql_runs.store.fields import ATTRIBUTES, attributes, number_of, stored
from graphql_runs.store.mongo.operations import Document, Index, Query
from graphql_runs.store.port import R, Standalone, TreeRecord, journal_of, journal_root, owner_of

COLLECTIONS: dict[type, str] = {
    Workspace: "workspace",
    Cluster: "cluster",
    Experiment: "experiment",
    Run: "run",
    Metric: "metric",
    LogFile: "log",
    Artifact: "artifact",
}

STATS = ("last", "min", "max", "mean", "count", "first_non_finite_step")
WALKED_STATS = frozenset({"last", "min", "max"})
"""Numbers of a metric that have an index to sort by."""

LIVE: Query = {"reserved": {"$exists": False}}
"""Not a place that only waits for a document, or that one has left (see `reservations`)."""

WAITING = 16
"""The index of fragmented streams begins at so many items: below, it would be rewritten for every append."""

JOURNAL = "journal_"
"""How the names of journals begin."""

_PENDING = Index("pending", (("entry.kind", 1),), sparse=True)
_RESERVED = Index("reserved", (("reserved", 1),), sparse=True)
_NAMED = Index("name", (("owner", 1), ("name", 1)))
_NAMED_ONCE = Index("name", (("owner", 1), ("name", 1)), unique=True)


def _dated(*fields: str) -> Index:
    """Runs of one workspace, experiment, …, the newest first: the order in which lists are shown. With what lists and their counts
    leave out, and how they are counted, so that counting needs no documents."""
    counted = ("in_trash", 1), ("is_alias", 1), ("status", 1)
    return Index(
        f"{'_'.join(fields)}_listed",
        (
            *((field, 1) for field in fields),
            ("created_at", -1),
            ("_id", 1),
            *(pair for pair in counted if pair[0] not in fields),
        ),
    )


def _sorted(field: str, direction: int = 1) -> Index:
    return Index(f"workspace_{field}", (("workspace", 1), (field, direction), ("_id", 1)))


INDEXES: dict[str, tuple[Index, ...]] = {
    "tree": (_PENDING,),
    "workspace": (_NAMED_ONCE,),
    "cluster": (_NAMED_ONCE,),
    "experiment": (_NAMED_ONCE,),
    "run": (
        _RESERVED,
        _dated("workspace"),
        _dated("workspace", "status"),
        _dated("experiment"),
        _dated("cluster"),
        _dated("cluster", "status_class"),
        _dated("parent"),
        Index("tree", (("root", 1), ("depth", 1), ("_id", 1))),
        Index("experiment_number", (("experiment", 1), ("number", -1), ("_id", 1))),
        _sorted("name"),
        _sorted("run_id"),
        _sorted("started_at", -1),
        _sorted("ended_at", -1),
        _sorted("duration", -1),
        # For retention, which asks for all workspaces at once.
        Index("root_ended", (("ended_at", 1), ("_id", 1)), only={"depth": 0}),
        Index("trashed", (("trashed_at", 1), ("_id", 1)), only={"trashed_at": {"$exists": True}}),
        Index("alias", (("alias_of", 1), ("_id", 1)), only={"alias_of": {"$exists": True}}),
        Index("stale", (("stale_at", 1), ("_id", 1)), only={"stale_at": {"$exists": True}}),
        Index("bag_text", (("bags.k", 1), ("bags.v", 1))),
        Index("bag_number", (("bags.k", 1), ("bags.n", 1))),
    ),
    "metric": (
        _RESERVED,
        _NAMED,
        *(
            Index(f"{stat}_of", (("name", 1), ("workspace", 1), (stat, 1), ("owner", 1)))
            for stat in ("last", "min", "max")
        ),
    ),
    "log": (_RESERVED, _NAMED),
    "artifact": (_RESERVED, _NAMED, Index("blob", (("blob", 1),), sparse=True)),
    "position": (_RESERVED,),
    "stream": (
        _RESERVED,
        Index("root", (("root", 1),)),
        Index("waiting", (("waiting", 1), ("_id", 1)), only={"waiting": {"$gte": WAITING}}),
    ),
    "hint": (Index("number", (("workspace", 1), ("n", 1))),),
    "blob.files": (Index("content", (("filename", 1),), unique=True),),
    "blob.chunks": (Index("files_id_1_n_1", (("files_id", 1), ("n", 1)), unique=True),),
}

RETIRED: dict[str, tuple[str, ...]] = {
    "run": tuple(
        f"{fields}_created"
        for fields in (
            "workspace",
            "workspace_status",
            "experiment",
            "cluster",
            "cluster_status_class",
            "parent",
        )
    )
}
"""Indexes of earlier versions that no query uses any more."""


def standalone_document(record: Standalone) -> Document:
    """The document of a workspace, cluster or experiment; `token` tells who wrote it."""
    owner, name = owner_of(record)
    token = secrets.token_hex(12)
    return {"_id": record.id, "owner": owner, "name": name, "token": token, "doc": documents.encode(record)}


def tree_document(record: TreeRecord, turn: int) -> Document:
    """The document of a record of a run tree, written at a turn of its head."""
    document: Document = {
        "_id": record.id,
        "root": record.root,
        "turn": turn,
        "doc": documents.encode(record),
    }
    match record:
        case Run():
            for name, value in zip(ATTRIBUTES, attributes(record), strict=True):
                if value is not None:
                    # Words of enumerations as plain texts.
                    document[path(name)] = str(value) if isinstance(value, str) else value
            document["in_trash"] = record.trashed_at is not None
            if record.alias_of is not None:
                document["is_alias"] = True
            document["bags"] = [
                _held(bag_key(bag, key), text) for bag in Bag for key, text in bag_of(record, bag).items()
            ]
        case Metric():
            document |= {"owner": record.run, "name": record.name, "workspace": record.workspace}
            document["experiment"] = record.experiment
            numbers = ((stat, getattr(record, stat)) for stat in STATS)
            document |= {
                stat: stored(number) for stat, number in numbers if number is not None and number == number
            }
        case LogFile() | Artifact():
            document["owner"], document["name"] = owner_of(record)
            if isinstance(record, Artifact) and record.blob is not None:
                document["blob"] = record.blob
    return document


def path(name: Attribute) -> str:
    """Where a run's document has an attribute."""
    return "_id" if name is Attribute.ID else name.value


def bag_key(bag: Bag, key: str) -> str:
    """The `k` of a tag, param or property in `bags`. Keys are values there, so that they may hold dots and dollars."""
    return f"{bag.value}:{key}"


def item_key(stream: str, life: int, row: int) -> str:
    """The id of the item of a stream that begins at a row: in order of the rows, and another one in every life of the stream."""
    return f"{stream}/{life:012x}/{row:016x}"


def items_of(stream: str) -> Query:
    """The ids of all items that a stream ever had."""
    return {"$gt": f"{stream}/", "$lt": f"{stream}0"}  # "0" comes after "/"


def positions_of(root: str, after: str = "") -> Query:
    """The ids of the positions of a tree after a writer."""
    return {"$gt": position_key(root, after), "$lt": f"{root}0"}


def position_key(root: str, writer: str) -> str:
    """The id of a writer's position in a tree."""
    return f"{root}/{writer}"


def hint_key(workspace: str, run: str) -> str:
    """The id of a run's newest hint."""
    return f"{workspace}/{run}"


def check_names(root: str, streams: Iterable[str]) -> None:
    """Raises InvalidInput for a tree or stream whose name would not keep keys apart."""
    for name in (root, *streams):
        if "/" in name:
            raise InvalidInput(f"{name!r} cannot be stored: it holds a slash", field="stream")
    if journal_root(journal_of(root)) != root:
        raise InvalidInput(f"{root!r} is not the id of a run", field="root")


def decoded(kind: type[R], document: Document) -> R:
    """The record of a document."""
    return documents.decode(kind, document["doc"])


def _held(key: str, text: str) -> Document:
    number = number_of(text)
    return {"k": key, "v": text} if number is None else {"k": key, "v": text, "n": number}
