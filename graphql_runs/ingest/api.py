"""What an ingester is: the whole contract between a plugin and the host.

A plugin is an object with the attributes and methods of `Ingester`, named by an entry point of the group
`graphql_runs.ingesters`. It only reads; it never sees the store. The host

1. walks a source folder within limits and gives each plugin the `Tree` it found, in order of `precedence`;
2. asks `runs` which folders are runs. A folder that nobody claims, but that holds files a plugin takes, is a run itself;
3. asks `units` what to read. A file goes to the first plugin that takes it;
4. calls `read` for every unit with the checkpoint of its last delivery, at the start, whenever a file of it changed, and
   again once its files have been left alone for each of `PAUSES` (for what only counts when nothing follows, like a last
   line without an end), and writes each delivery together with its checkpoint in one durable batch.

So a plugin may be killed between any two deliveries and goes on from the last one that was written; it keeps no state
of its own. `read` is called in a worker thread, never twice at once for one unit. Errors: `Unreadable` stops a unit until its files change
(bad content) or can be opened (no rights); any other OSError is retried with back-off; anything else is a bug of the plugin, stops the
unit, is logged with its traceback and shown in the source's state. None of them stops the server or other units.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path, PurePosixPath
from typing import Protocol

from pydantic import BaseModel

from graphql_runs.model.operation import DescribeCluster, RunOperation

GROUP = "graphql_runs.ingesters"
"""The entry-point group that plugins are found by."""

QUIET_SECONDS = 5.0
"""A file that did not change for so long is not in the middle of being written."""
IDLE_SECONDS = 3600.0
"""A file that did not change for so long is not expected to grow."""
PAUSES = (QUIET_SECONDS, 60.0, IDLE_SECONDS)
"""After so many seconds without a change a unit is read once more."""

_PART = re.compile(
    r"logs?|outputs?|metrics|results|std(out|err)|(rank|worker|node|attempt)[-_]?\d+|(tmp-)?checkpoint-\d+",
    re.IGNORECASE,
)
"""Folders that hold a part of the run around them, rather than a run of their own."""


class Stability(StrEnum):
    """How much a plugin's behaviour may still change."""

    EXPERIMENTAL = "EXPERIMENTAL"
    BETA = "BETA"
    STABLE = "STABLE"


class Unreadable(Exception):
    """A unit cannot be read as it is now; it is tried again when one of its files changes.

    The message is for people; `path` is relative to the source, `line` counts from 1.
    """

    def __init__(self, message: str, *, path: str | None = None, line: int | None = None) -> None:
        super().__init__(message)
        self.path = path
        self.line = line


@dataclass(frozen=True, slots=True)
class File:
    """A regular file in a source. `path` is relative to the source's folder, with forward slashes."""

    path: PurePosixPath
    size: int
    modified_ns: int
    inode: int


@dataclass(frozen=True, slots=True)
class RunFolder:
    """A folder that is a run. `path` is relative to the source (`.` is the source itself), `run_id` and `root_id` are
    producer ids; a run that has no parent is its own root. `declared` says that its plugin will declare the run: other
    plugins with files in the folder then only add to it. `whole` says that all of it is in this place: when one of its units is
    read from another source already, none of those after it is read here."""

    path: PurePosixPath
    run_id: str
    root_id: str
    declared: bool = True
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Tree:
    """A source folder at one moment. `folder` is absolute; `files` are sorted by path, without those already taken by
    plugins of higher precedence; `name` is the source's name, used for runs that have no id of their own."""

    folder: Path
    name: str
    files: tuple[File, ...]
    runs: tuple[RunFolder, ...] = ()
    _claimed: Mapping[PurePosixPath, RunFolder] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_claimed", {run.path: run for run in self.runs})

    def owner(self, path: PurePosixPath) -> RunFolder:
        """The run a file belongs to: the nearest claimed folder around it, else the folder that holds it, whose run id is
        the source's name and the folder's path. Folders named as parts of a run (`logs`, `outputs`, `rank_3`, `checkpoint-500`,
        …) count to the folder around them."""
        if self._claimed:
            for folder in path.parents:
                if folder in self._claimed:
                    return self._claimed[folder]
        folder = path.parent
        # torchrun writes attempt_0/<rank>/stdout.log
        while _PART.fullmatch(folder.name) or (
            folder.name.isdigit() and folder.parent.name.startswith("attempt_")
        ):
            folder = folder.parent
        run_id = self.name if folder == PurePosixPath() else f"{self.name}/{folder}"
        return RunFolder(folder, run_id, run_id, declared=False)


@dataclass(frozen=True, slots=True)
class Unit:
    """Something read from one checkpoint on. All its runs lie in one run tree.

    key:     unique and stable within its run, whatever place the source is read from: a path relative to the run's folder, say.
    run:     the run folder it belongs to, or None for facts outside run trees (a cluster's state), which are read afresh at every start.
    files:   the files it takes, relative to the source.
    watches: files and folders that it looks at without taking them, relative to the source. It is read again when one of them, or
             anything below one of them, appears, changes or goes; other plugins may take them, and they may be missing.
    hints:   what `units` found out and `read` wants to know; not kept.
    index:   its files hold many units, like a database: `units` is asked again whenever one of them changes.
    version: a text that `units` changes whenever there is more to read, for units that are parts of a file which another one takes.
    after:   the key of another unit of the run: when nothing was read of this one yet, `Context.after` is that one's checkpoint.
    """

    key: str
    run: RunFolder | None
    files: tuple[PurePosixPath, ...]
    watches: tuple[PurePosixPath, ...] = ()
    hints: Mapping[str, object] = field(default_factory=dict, compare=False)
    index: bool = False
    version: str = ""
    after: str | None = None

    @property
    def place(self) -> str:
        """What tells it from all other units of its plugin in its run tree: sibling runs have files of the same name."""
        return self.key if self.run is None else f"{self.run.run_id}:{self.key}"


@dataclass(frozen=True, slots=True)
class Skipped:
    """Input that was left out, and why. `path` is relative to the source; `line` counts from 1."""

    path: str
    reason: str
    line: int | None = None


@dataclass(frozen=True, slots=True)
class Delivery:
    """A piece of a unit's content, and where to go on after it.

    checkpoint: a JSON-able value (kept with the data; give small ones). Reading again from an earlier checkpoint has to give the
                same operations for the same files.
    clusters:   written before the operations, outside of the batch.
    """

    checkpoint: Mapping[str, object]
    operations: Sequence[RunOperation] = ()
    clusters: Sequence[DescribeCluster] = ()
    skipped: Sequence[Skipped] = ()


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds for untrusted input; set in the server's settings."""

    line_bytes: int = 1 << 20
    """A longer line is left out (tabular) or taken in pieces (text)."""
    delivery_bytes: int = 1 << 20
    """About how much of a file one delivery covers."""
    json_bytes: int = 32 << 20
    """The largest JSON document that is read whole."""
    metrics_per_run: int = 100_000
    """Metric names beyond these are left out and reported."""
    name_bytes: int = 1024
    """Longer names of metrics and parameters are left out and reported."""
    files: int = 100_000
    """Files of a source beyond these are left out and reported."""
    depth: int = 32
    """Folders nested deeper are left out and reported."""


@dataclass(frozen=True, slots=True)
class Context:
    """What `read` gets besides the unit: the tree as it is now, its limits, and the plugin's configuration.

    final: nobody waits for the files to grow, so what only counts when nothing follows (a last line without an end) counts now.
    after: the last checkpoint of the unit that this one names as `after`, when there is none of its own.
    """

    tree: Tree
    config: BaseModel
    limits: Limits
    final: bool = False
    after: Mapping[str, object] | None = None


class Ingester(Protocol):
    """A plugin. `ingester` in the plugin's package is an instance of it."""

    name: str
    """Short, lower case, the entry point's name."""
    description: str
    """One sentence: what it reads and how it recognises it."""
    stability: Stability
    precedence: int
    """Plugins with a higher number choose their files first: formats of whole folders 100, of single files 50, catch-alls 10."""
    config: type[BaseModel]
    """Its settings, all with defaults."""

    def runs(self, tree: Tree) -> Iterable[RunFolder]:
        """Folders of the tree that are runs in this plugin's format. May read small files."""
        ...

    def units(self, tree: Tree) -> Iterable[Unit]:
        """What this plugin reads in the tree, recognised by content where the name leaves doubt."""
        ...

    def read(
        self, unit: Unit, checkpoint: Mapping[str, object] | None, context: Context
    ) -> Iterator[Delivery]:
        """Deliveries from the checkpoint on (None: from the start) up to what is there now."""
        ...
