"""The databases of a source, and what is read of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from graphql_runs.ingest.api import File, Limits, RunFolder, Tree, Unit, Unreadable
from graphql_runs.ingest.files import recognise
from graphql_runs_mlflow.database.listing import Found, Listing, listing_of
from graphql_runs_mlflow.database.opening import HEADER_BYTES, MAGIC
from graphql_runs_mlflow.layout import root_of
from graphql_runs_mlflow.run import UNIT

_ARTIFACTS = "artifacts"
_BESIDE = ("-wal", "-shm", "-journal")
_NAMES = frozenset({".db", ".db3", ".sqlite", ".sqlite3"})


@dataclass(frozen=True, slots=True)
class Database:
    """A database with its runs by id, the roots of their trees, and the files that SQLite keeps beside it."""

    path: PurePosixPath
    runs: Mapping[str, Found]
    roots: Mapping[str, str]
    beside: tuple[PurePosixPath, ...]
    listing: Listing

    @property
    def folders(self) -> Iterator[RunFolder]:
        """The runs that have outputs in the source."""
        for run in self.runs.values():
            if run.artifacts is not None:
                yield RunFolder(run.artifacts, run.run_id, self.roots[run.run_id], whole=True)

    def units(self, tree: Tree) -> Iterator[Unit]:
        """One that takes the database, and one for each run, which takes its outputs."""
        outputs: dict[str, list[PurePosixPath]] = {}
        places = {run.artifacts: run.run_id for run in self.runs.values() if run.artifacts is not None}
        if places:
            for file in tree.files:
                inside = next((parent for parent in file.path.parents if parent in places), None)
                if inside is not None:
                    outputs.setdefault(places[inside], []).append(file.path)
        trouble = f"{self.listing.error} {self.listing.unlisted}"
        files = (self.path, *self.beside)
        yield Unit(str(self.path), None, files, hints={"database": self}, index=True, version=trouble)
        for run in self.runs.values():
            place = run.artifacts or self.path / run.run_id
            folder = RunFolder(place, run.run_id, self.roots[run.run_id], whole=True)
            files = tuple(outputs.get(run.run_id, ()))
            yield Unit(UNIT, folder, files, hints={"found": run}, version=run.version)


def databases_of(tree: Tree, *, again: bool) -> list[Database]:
    """MLflow's databases in a tree, recognised by their tables; without `again` as they were a moment ago."""
    files = {file.path: file for file in tree.files}
    found = []
    taken: set[str] = set()
    for file in tree.files:
        if not _is_sqlite(tree, file):
            continue
        listing = listing_in(tree, file, files, again=again)
        if listing is None:
            continue
        ours = listing.found(file.path)
        runs = {run_id: run for run_id, run in ours.items() if run_id not in taken}
        taken |= runs.keys()
        parents = {run_id: run.parent for run_id, run in runs.items()}
        roots = {run_id: root_of(run_id, parents) for run_id in runs}
        there = tuple(path for ending in _BESIDE if (path := _beside(file, ending)) in files)
        found.append(Database(file.path, runs, roots, there, listing))
    if found:
        places = _places(tree, {run_id for database in found for run_id in database.runs})
        found = [
            replace(
                one,
                runs={
                    id: replace(run, artifacts=places[id]) if id in places else run
                    for id, run in one.runs.items()
                },
            )
            for one in found
        ]
    return found


def listing_in(
    tree: Tree, file: File, files: Mapping[PurePosixPath, File], *, again: bool = True
) -> Listing | None:
    """A database as it is now; None when it is none of MLflow's. `files` are those of the tree by path."""
    wal = files.get(_beside(file, "-wal"))
    return listing_of(tree.folder, file, () if wal is None else (wal,), Limits(), again=again)


def _beside(file: File, ending: str) -> PurePosixPath:
    return file.path.with_name(file.path.name + ending)


def _places(tree: Tree, run_ids: set[str]) -> dict[str, PurePosixPath]:
    """The folders of outputs by run: MLflow keeps them in `<root>/<experiment>/<run id>/artifacts`, wherever the root was moved to. What
    the database says of them is not looked at: it may name any folder of this machine."""
    found: dict[str, PurePosixPath] = {}
    for file in tree.files:
        parts = file.path.parts
        for place in range(len(parts) - 2):
            if parts[place + 1] == _ARTIFACTS and parts[place] in run_ids:
                found.setdefault(parts[place], PurePosixPath(*parts[: place + 2]))
    return found


def _is_sqlite(tree: Tree, file: File) -> bool:
    if file.size < HEADER_BYTES or file.path.suffix not in _NAMES:
        return False
    try:
        return recognise(tree, file, _begins, HEADER_BYTES)
    except (OSError, Unreadable):
        return True  # it cannot be told: that is said when it is looked at


def _begins(data: bytes) -> bool:
    return data.startswith(MAGIC)
