"""The plugin: for every run a unit for its details, one for its outputs, one for each log and metrics file; one for each cluster."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from hashlib import blake2b
from pathlib import PurePosixPath
from threading import Lock

import orjson
from pydantic import BaseModel, ConfigDict

from graphql_runs.ingest.api import (
    Context,
    Delivery,
    File,
    Limits,
    RunFolder,
    Skipped,
    Stability,
    Tree,
    Unit,
    Unreadable,
)
from graphql_runs.ingest.files import recognise
from graphql_runs.model.operation import RunOperation
from graphql_runs_azureml import layout
from graphql_runs_azureml.cluster import may_be_at, may_be_cluster, read_cluster
from graphql_runs_azureml.discovery import Discovery, Found, discover
from graphql_runs_azureml.facts import Told, declaration, described
from graphql_runs_azureml.logs import LogRead
from graphql_runs_azureml.metrics import may_be_dumped, may_hold_metrics, read_metrics
from graphql_runs_azureml.outputs import read_outputs
from graphql_runs_azureml.payloads import is_image, may_be_document
from graphql_runs_azureml.payloads import may_be_at as may_be_payload_at
from graphql_runs_azureml.shelf import Kept, Shelf
from graphql_runs_azureml.text import name_problem, shown, size

_TREES = 16
_KEY_BYTES = 512
_BROKEN_SECONDS = 3.0
"""Details that were changed so long ago and cannot be read are not being written: the run goes on without them."""


class AzureMLConfig(BaseModel):
    """The plugin has no settings."""

    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(slots=True)
class _Files:
    """What the files of a run are. Logs and metrics are by their path in the run; payloads are files that metrics may name."""

    logs: dict[PurePosixPath, tuple[PurePosixPath, PurePosixPath]] = field(default_factory=dict)
    metrics: dict[PurePosixPath, tuple[PurePosixPath, PurePosixPath]] = field(default_factory=dict)
    outputs: dict[PurePosixPath, None] = field(default_factory=dict)
    payloads: list[PurePosixPath] = field(default_factory=list)
    doubles: list[PurePosixPath] = field(default_factory=list)


class AzureMLIngester:
    """Takes run folders of Azure Machine Learning's SDK v1, studio and command line."""

    name = "azureml"
    description = (
        "Azure ML run folders, recognised by azureml-logs/, user_logs/ or a JSON file with the run's details, "
        "and cluster descriptions."
    )
    stability = Stability.BETA
    precedence = 100
    config: type[BaseModel] = AzureMLConfig

    def __init__(self) -> None:
        # Both only spare work: what they hold is read again from the files whenever it is missing.
        self._shelf = Shelf()
        self._discoveries: OrderedDict[int, tuple[tuple[File, ...], Discovery]] = OrderedDict()
        self._lock = Lock()

    def runs(self, tree: Tree) -> Iterator[RunFolder]:
        """Folders with details or log folders of Azure ML, parents before their children."""
        for found in self._discover(tree, Limits()).runs.values():
            yield from map(found.folder, found.folders)

    def units(self, tree: Tree) -> Iterator[Unit]:
        """Details, logs, metrics and outputs of every run, then clusters."""
        discovery = self._discover(tree, Limits())
        files: dict[str, _Files] = {run_id: _Files() for run_id in discovery.runs}
        clusters: list[PurePosixPath] = []
        details = {path for found in discovery.runs.values() for path in found.details}
        for file in tree.files:
            if file.path in details:
                continue
            owner = discovery.owner(file.path)
            if owner is not None and _sort(tree, file, *owner, files[owner[0].run_id]):
                continue
            if may_be_at(file.path) and _recognised(tree, file, may_be_cluster):
                clusters.append(file.path)
        for found in discovery.runs.values():
            yield from _units(found, discovery, files[found.run_id])
        for path in discovery.pages:
            # Only watched: when it changes there may be other runs, so the host has to ask again what is there.
            yield Unit(f"page/{path}", None, (), (path,))
        for path in clusters:
            yield Unit(f"cluster/{path}", None, (path,))

    def read(
        self, unit: Unit, checkpoint: Mapping[str, object] | None, context: Context
    ) -> Iterator[Delivery]:
        """By the kind of the unit, which its key begins with."""
        if unit.run is None:
            yield from read_cluster(unit, context) if unit.files else self._page(unit, context)
            return
        discovery = self._discover(context.tree, context.limits)
        found = discovery.runs.get(unit.run.run_id)
        if found is None:
            return  # the run has gone meanwhile
        kept = self._look(found, context)
        kind = unit.key.partition("/")[0]
        if kind == "details":
            yield from self._details(unit, found, kept, discovery, checkpoint, context)
            return
        if kept is not None and kept.error is not None and kept.details is None and _fresh(kept):
            return  # its id may be another one; the details are watched
        first: list[RunOperation] = [*self._declarations(found, discovery, context)]
        if kind == "outputs":
            owns = partial(discovery.owns, found)
            yield from read_outputs(found.run_id, found.folders, owns, checkpoint, context, first)
        elif kind == "metrics":
            yield from read_metrics(unit, found.run_id, found.folders, checkpoint, context, first)
        else:
            known = kept is not None and kept.details is not None
            terminal = kept is not None and kept.details is not None and kept.details.status.terminal
            name = layout.inside(unit.run.path, unit.files[0])
            yield from LogRead(unit, found.run_id, name, known, terminal).read(checkpoint, context, first)

    def _page(self, unit: Unit, context: Context) -> Iterator[Delivery]:
        """What is left out of a page; its runs have units of their own."""
        [path] = unit.watches
        page = self._shelf.page(context.tree.folder, path, context.limits.json_bytes)
        if page.problems:
            yield Delivery({}, skipped=[Skipped(str(path), problem) for problem in page.problems])

    def _details(
        self,
        unit: Unit,
        found: Found,
        kept: Kept | None,
        discovery: Discovery,
        checkpoint: Mapping[str, object] | None,
        context: Context,
    ) -> Iterator[Delivery]:
        told = Told.from_json(checkpoint)
        place = (*found.pages, *found.folders)[0] if not found.details else found.folders[0]
        problems = [Skipped(str(place), problem) for problem in found.problems]
        problems += [
            Skipped(str(path), "another file of the run has the same place in it")
            for path in unit.files[len(found.details) :]
        ]
        if kept is None:
            if checkpoint is None:
                operations: list[RunOperation] = [*self._declarations(found, discovery, context)]
                yield Delivery(told.to_json(), operations, skipped=problems)
            return
        if kept.details is None:
            assert kept.error is not None
            raise kept.error
        if kept.details.run_id != found.run_id:
            raise Unreadable(
                f"is of run {shown(kept.details.run_id)} now, and was of {shown(found.run_id)}",
                path=str(kept.files[-1]),
            )
        params = self._params(found, discovery, context)
        digest = blake2b(
            kept.digest + orjson.dumps(params, option=orjson.OPT_SORT_KEYS), digest_size=16
        ).hexdigest()
        if kept.error is not None:
            problems.append(Skipped(kept.error.path or "", str(kept.error), kept.error.line))
        if digest == told.digest:
            if kept.error is not None:
                yield Delivery(told.to_json(), skipped=problems)
            return
        problems += [Skipped(str(kept.files[-1]), problem) for problem in kept.details.problems]
        last, [home, *others] = kept.files[-1], found.folders
        said = last.name if others or not last.is_relative_to(home) else str(layout.inside(home, last))
        operations, told = described(found, kept.details, params, said, kept.modified, told, digest)
        above = [*self._declarations(found, discovery, context)][:-1]
        yield Delivery(told.to_json(), [*above, *operations], skipped=problems)

    def _declarations(self, found: Found, discovery: Discovery, context: Context) -> Iterator[RunOperation]:
        """The run and those above it, the topmost first, so that no unit has to wait for another one."""
        for one in discovery.line(found.run_id):
            kept = self._look(one, context)
            if one is not found and kept is not None and kept.details is None:
                continue  # it will be declared when it can be read, and is a placeholder until then
            yield declaration(one, None if kept is None else kept.details)

    def _params(self, found: Found, discovery: Discovery, context: Context) -> Mapping[str, str]:
        """The params that its parent's tags give to a child of a sweep."""
        parent = discovery.runs.get(found.parent_id or "")
        kept = None if parent is None else self._look(parent, context)
        if kept is None or kept.details is None:
            return {}
        return kept.details.children.get(found.run_id, {})

    def _look(self, found: Found, context: Context) -> Kept | None:
        if not found.details and not found.pages:
            return None
        limit = context.limits.json_bytes
        return self._shelf.look(context.tree.folder, found.details, limit, found.run_id, found.pages)

    def _discover(self, tree: Tree, limits: Limits) -> Discovery:
        key = id(tree.files)
        with self._lock:
            known = self._discoveries.get(key)
            # The files are kept too, so no other tuple can have the same id.
            if known is not None and known[0] is tree.files:
                self._discoveries.move_to_end(key)
                return known[1]
        discovery = discover(tree, self._shelf, limits.json_bytes)
        with self._lock:
            self._discoveries[key] = tree.files, discovery
            if len(self._discoveries) > _TREES:
                self._discoveries.popitem(last=False)
        return discovery


def _sort(tree: Tree, file: File, found: Found, folder: PurePosixPath, files: _Files) -> bool:
    """Note what a file of a run is. False when it is none of ours, or only looked at."""
    path = layout.inside(folder, file.path)
    if layout.log_at(path) is not None:
        place = files.logs
    elif layout.is_metrics(path) and _recognised(
        tree, file, may_be_dumped if len(path.parts) == 1 else may_hold_metrics
    ):
        place = files.metrics
    else:
        if layout.is_output(path):
            # New outputs appear in their folders; files in log folders are watched one by one, as the logs change all the time.
            whole = path.parts[0] in layout.OUTPUT_FOLDERS
            beside = len(file.path.parts) - len(path.parts) + 1
            files.outputs[PurePosixPath(*file.path.parts[:beside]) if whole else file.path] = None
        elif may_be_payload_at(path) and (is_image(path) or _recognised(tree, file, may_be_document)):
            files.payloads.append(file.path)
            return True
        return False
    if place.setdefault(path, (folder, file.path))[1] != file.path:
        files.doubles.append(file.path)
    return True


def _recognised(tree: Tree, file: File, test: Callable[[bytes], bool]) -> bool:
    try:
        return recognise(tree, file, test)
    except Unreadable:
        return True  # reading it will say why
    except FileNotFoundError:
        return False


def _units(found: Found, discovery: Discovery, files: _Files) -> Iterable[Unit]:
    parent = discovery.runs.get(found.parent_id or "")
    above = (*parent.details, *parent.pages) if parent is not None else ()
    about = (*found.details, *found.pages)
    run_id = found.run_id
    # Broken details are only watched: when they can be read they may turn out to be another run's, so the host has to ask
    # again what is there, which it does when a file changes that nobody has taken.
    mine, watched = ((), found.details) if found.broken else (found.details, ())
    yield Unit(_key("details", run_id), found.home, (*mine, *files.doubles), (*watched, *found.pages, *above))
    for path, (folder, file) in files.logs.items():
        yield Unit(_key("log", run_id, path), found.folder(folder), (file,), about)
    payloads = files.payloads
    for path, (folder, file) in files.metrics.items():
        # The first one takes them, so that it is read again when one comes or changes.
        yield Unit(_key("metrics", run_id, path), found.folder(folder), (file, *payloads), about)
        payloads = []
    if files.outputs:
        yield Unit(_key("outputs", run_id), found.home, (), (*files.outputs, *about))


def _key(kind: str, run_id: str, path: PurePosixPath | None = None) -> str:
    """A unit's key, which begins with its kind. Units of parent and children lie in one tree, so the run is part of it.
    It has to be a name, which not every path is."""
    key = f"{kind}/{run_id}" if path is None else f"{kind}/{run_id}/{path}"
    if name_problem(key) is None and size(key) <= _KEY_BYTES:
        return key
    return f"{kind}/{blake2b(key.encode(), digest_size=20).hexdigest()}"


def _fresh(kept: Kept) -> bool:
    """May the details still be in the middle of being written?"""
    return time.time() - kept.modified / 1e6 < _BROKEN_SECONDS
