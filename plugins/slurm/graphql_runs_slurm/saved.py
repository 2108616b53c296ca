"""Files that hold what a command of Slurm printed: telling them from other JSON, and reading them once."""

from __future__ import annotations

import os
import re
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from threading import Lock

from graphql_runs.ingest.api import File, Tree, Unreadable
from graphql_runs.ingest.files import open_file, pieces, recognise, size_of
from graphql_runs_slurm import accounting, queue
from graphql_runs_slurm.cluster import Node, nodes_of, partitions_of
from graphql_runs_slurm.document import load
from graphql_runs_slurm.job import Attempt
from graphql_runs_slurm.value import nested, text

_BEGINS = re.compile(rb'\s*\{\s*"(?:meta|jobs|nodes|partitions|last_backfill|last_update|errors|warnings)"')
_META = re.compile(rb'"(?:slurm|Slurm)"\s*:\s*\{\s*"(?:version|release|cluster)"')
_TAIL = 16_384
_PIECE = 1 << 20
_KEPT = 64


@dataclass(frozen=True, slots=True)
class Saved:
    """What a file holds: jobs of the accounts or of the queue, partitions, nodes. `cluster` is empty when it does not say."""

    path: PurePosixPath
    modified_ns: int
    cluster: str
    accounts: Sequence[Attempt]
    queue: Sequence[Attempt]
    partitions: Mapping[str, str]
    nodes: Sequence[Node]


class Shelf:
    """Files as they were read last."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[object, ...], Saved] = OrderedDict()
        self._lock = Lock()

    def recognised(self, tree: Tree) -> Iterator[PurePosixPath]:
        """The files of a tree that commands of Slurm printed: JSON with `meta.slurm` (`meta.Slurm` before 23.02)."""
        for file in tree.files:
            if file.path.suffix == ".json" and _is_slurm(tree, file):
                yield file.path

    def read(self, tree: Tree, path: PurePosixPath, limit: int) -> Saved:
        """What a file holds. Raises Unreadable when it is larger than `limit` bytes or no JSON, FileNotFoundError."""
        with open_file(tree.folder, path) as file:
            status = os.fstat(file.fileno())
            key = (tree.folder, path, status.st_ino, status.st_size, status.st_mtime_ns, limit)
            with self._lock:
                if key in self._kept:
                    self._kept.move_to_end(key)
                    return self._kept[key]
            if size_of(file) > limit:
                raise Unreadable(f"larger than {limit} bytes, the limit for a JSON document", path=str(path))
            data = b"".join(pieces(file, 0, _PIECE))
        try:
            saved = _parsed(path, status.st_mtime_ns, load(data))
        except ValueError as error:
            raise Unreadable(f"not JSON that can be read: {error}", path=str(path)) from error
        with self._lock:
            self._kept[key] = saved
            if len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return saved


def _parsed(path: PurePosixPath, modified_ns: int, document: object) -> Saved:
    cluster = text(nested(document, "meta", "slurm", "cluster")) if isinstance(document, Mapping) else ""
    jobs = document.get("jobs") if isinstance(document, Mapping) else None
    # Records of the accounts have their times in an object of their own.
    of_accounts = isinstance(jobs, list) and any(isinstance(nested(job, "time"), Mapping) for job in jobs[:1])
    return Saved(
        path,
        modified_ns,
        cluster,
        list(accounting.attempts(document, cluster)) if of_accounts else (),
        () if of_accounts else list(queue.attempts(document, cluster)),
        partitions_of(document),
        nodes_of(document),
    )


def _begins(head: bytes) -> bool:
    return _BEGINS.match(head) is not None


def _is_slurm(tree: Tree, file: File) -> bool:
    """By its beginning and, where `meta` comes last, by its end."""
    try:
        if not recognise(tree, file, _begins):
            return False
        with open_file(tree.folder, file.path) as opened:
            size = size_of(opened)
            ends = os.pread(opened.fileno(), _TAIL, 0), os.pread(opened.fileno(), _TAIL, max(0, size - _TAIL))
        return any(_META.search(end) for end in ends)
    except (Unreadable, FileNotFoundError):
        return False
