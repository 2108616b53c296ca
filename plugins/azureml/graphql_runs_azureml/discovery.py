"""Which folders of a source are runs, and which run is whose parent."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import PurePosixPath

from graphql_runs.ingest.api import File, RunFolder, Tree, Unreadable
from graphql_runs.ingest.files import recognise
from graphql_runs.model.time import Micros
from graphql_runs_azureml import layout
from graphql_runs_azureml.family import Member, Place, parent_in_log, place_all
from graphql_runs_azureml.outputs import files_in
from graphql_runs_azureml.page import may_be_page
from graphql_runs_azureml.shelf import Kept, Shelf
from graphql_runs_azureml.text import run_id_problem

Parts = tuple[str, ...]
_CONTAINER = "dcid."
"""Azure's blob store keeps a run's files in a folder of this and the run's id."""
_BEST_TRIAL = "best_child_run_id"
"""The property of a sweep that names its best trial."""


@dataclass(frozen=True, slots=True)
class Found:
    """A run found in a source.

    folders:    where its files lie; more than one when its files were put into different places. A run that is only on a page
                has one that is not there, named by the page and the run.
    details:    its details files.
    pages:      files with the documents of many runs, its own among them.
    broken:     that they cannot be read, so its id was made out otherwise.
    experiment: the name for the case that its own details have none.
    oldest:     when the first of its files was last changed, for a run without details.
    problems:   what is wrong with how it is related.
    """

    run_id: str
    parent_id: str | None
    root_id: str
    folders: tuple[PurePosixPath, ...]
    details: tuple[PurePosixPath, ...]
    pages: tuple[PurePosixPath, ...]
    broken: bool
    experiment: str
    oldest: Micros | None
    problems: tuple[str, ...]

    @property
    def home(self) -> RunFolder:
        """The first of its folders."""
        return self.folder(self.folders[0])

    def folder(self, path: PurePosixPath) -> RunFolder:
        """One of its folders as the host knows it."""
        return RunFolder(path, self.run_id, self.root_id)


@dataclass(frozen=True, slots=True)
class Discovery:
    """The runs of a source by their ids, parents before their children; the run of each run folder; and the pages."""

    runs: Mapping[str, Found]
    folders: Mapping[Parts, str]
    pages: tuple[PurePosixPath, ...]

    def owner(self, path: PurePosixPath) -> tuple[Found, PurePosixPath] | None:
        """The run that a file belongs to, and the run folder it lies in: the nearest around it."""
        parts = path.parts
        for length in range(len(parts) - 1, -1, -1):
            run_id = self.folders.get(parts[:length])
            if run_id is not None:
                return self.runs[run_id], PurePosixPath(*parts[:length])
        return None

    def owns(self, found: Found, path: PurePosixPath) -> bool:
        """Is a file one of this run's?"""
        owner = self.owner(path)
        return owner is not None and owner[0] is found

    def line(self, run_id: str) -> list[Found]:
        """A run and those above it that are in the source, the topmost first."""
        line = [self.runs[run_id]]
        while (parent := line[-1].parent_id) is not None and parent in self.runs:
            line.append(self.runs[parent])
        return line[::-1]


def discover(tree: Tree, shelf: Shelf, limit: int) -> Discovery:
    """Look through a source. Details files larger than `limit` bytes count as broken."""
    candidates, execution_logs, pages = _candidates(tree)
    accepted: dict[Parts, Kept | None] = {}
    folders: dict[Parts, str] = {}
    for folder in sorted(candidates, key=lambda parts: (len(parts), parts)):
        if _is_content(folder, accepted):
            continue
        candidate = candidates[folder]
        kept = shelf.look(tree.folder, candidate.details, limit) if candidate.details else None
        run_id = _best_trial(folder, kept, candidates, accepted, folders) or _run_id(tree, folder, kept)
        if run_id_problem(run_id) is None and (candidate.marked or _convincing(kept)):
            accepted[folder] = kept
            folders[folder] = run_id
    for path in list(pages):
        listed = () if _is_content(path.parts, accepted) else _listed(tree, shelf, path, limit)
        if listed is not None and not listed:
            pages.remove(path)
        for run_id in listed or ():
            folder = (*path.parts, blake2b(run_id.encode(), digest_size=8).hexdigest())
            accepted[folder] = shelf.look(tree.folder, (), limit, run_id, (path,))
            folders[folder] = run_id
    details = {
        folder: kept.details
        for folder, kept in accepted.items()
        if kept is not None and kept.details is not None
    }
    adopted = {child: parent.run_id for parent in details.values() for child in parent.children}
    members: dict[str, Member] = {}
    # Of several folders of one run, those with details know better than those with logs alone.
    for folder in sorted(folders, key=lambda folder: folder not in details):
        run_id = folders[folder]
        said = details.get(folder)
        if (known := members.get(run_id)) is None:
            hint = (
                adopted.get(run_id)
                or _logged(tree, execution_logs.get(folder))
                or _around(folder, run_id, folders)
            )
            members[run_id] = (
                Member(run_id, said.parent_id, said.root_id, hint) if said else Member(run_id, hint=hint)
            )
        elif said is not None:
            members[run_id] = replace(
                known, parent=known.parent or said.parent_id, root=known.root or said.root_id
            )
    found = _runs(tree, folders, accepted, frozenset(pages), place_all(members))
    return Discovery(found, folders, tuple(pages))


@dataclass(slots=True)
class _Candidate:
    marked: bool
    details: list[PurePosixPath]
    sweep: bool = False


def _candidates(tree: Tree) -> tuple[dict[Parts, _Candidate], dict[Parts, File], list[PurePosixPath]]:
    """Folders that may be runs, the execution logs of those that have one, and files that may be pages."""
    found: dict[Parts, _Candidate] = {}
    logs: dict[Parts, File] = {}
    pages: list[PurePosixPath] = []
    sweeps = {folder for file in tree.files if (folder := layout.sweep_of(file.path.parts)) is not None}
    for folder in sweeps:
        found[folder] = _Candidate(marked=True, details=[], sweep=True)
    for file in tree.files:
        parts = file.path.parts
        folder = layout.run_of_marker(parts)
        if folder in sweeps and parts[len(folder)] == layout.DOWNLOADED:
            folder = (*folder, layout.DOWNLOADED)
        if folder is not None:
            found.setdefault(folder, _Candidate(False, [])).marked = True
        if parts[-1] in layout.DETAILS:
            found.setdefault(parts[:-1], _Candidate(False, [])).details.append(file.path)
        elif parts[-1].startswith(layout.EXECUTION_LOGS):
            place = folder if folder is not None else parts[:-3]
            logs.setdefault(place, file)
        elif layout.PAGE.fullmatch(parts[-1]) and _may_be_page(tree, file):
            pages.append(file.path)
    return found, logs, pages


def _may_be_page(tree: Tree, file: File) -> bool:
    try:
        return recognise(tree, file, may_be_page)
    except (OSError, Unreadable):
        return False


def _listed(tree: Tree, shelf: Shelf, path: PurePosixPath, limit: int) -> Collection[str] | None:
    """The runs of a page; None when it cannot be read, which its own unit says."""
    try:
        return shelf.page(tree.folder, path, limit).runs
    except (OSError, Unreadable):
        return None


def _best_trial(
    folder: Parts,
    kept: Kept | None,
    candidates: Mapping[Parts, _Candidate],
    accepted: Mapping[Parts, Kept | None],
    folders: Mapping[Parts, str],
) -> str | None:
    """The run id of the best trial, whose files lie beside those of its sweep: the sweep's details name it."""
    around = folder[:-1]
    sweep = candidates.get(around) if folder[-1:] == (layout.DOWNLOADED,) else None
    if sweep is None or not sweep.sweep or around not in accepted or kept is not None:
        return None
    above = accepted[around]
    named = above.details.properties.get(_BEST_TRIAL, "") if above and above.details else ""
    return named if run_id_problem(named) is None else f"{folders[around]}_best"


def _is_content(folder: Parts, accepted: Mapping[Parts, object]) -> bool:
    """Does the folder lie among the logs or outputs of a run? Then what is in there is something the run has kept."""
    for length in range(len(folder)):
        if folder[:length] in accepted and layout.is_content(folder[length:]):
            return True
    return False


def _run_id(tree: Tree, folder: Parts, kept: Kept | None) -> str:
    if kept is not None and kept.details is not None:
        return kept.details.run_id
    if kept is not None and kept.salvaged is not None:
        return kept.salvaged
    name = folder[-1] if folder else tree.folder.name or tree.name
    return name.removeprefix(_CONTAINER)


def _convincing(kept: Kept | None) -> bool:
    """Are details enough to call a folder a run, without any logs?"""
    if kept is None:
        return False
    if kept.details is not None or kept.salvaged is not None:
        return True
    return any(path.name in layout.UNMISTAKABLE for path in kept.files)


def _logged(tree: Tree, log: File | None) -> str | None:
    if log is None:
        return None
    try:
        return recognise(tree, log, parent_in_log)
    except (OSError, Unreadable):
        return None  # the log's own unit says what is wrong with it


def _around(folder: Parts, run_id: str, folders: Mapping[Parts, str]) -> str | None:
    for length in range(len(folder) - 1, -1, -1):
        around = folders.get(folder[:length])
        if around is not None and around != run_id:
            return around
    return None


def _runs(
    tree: Tree,
    folders: Mapping[Parts, str],
    accepted: Mapping[Parts, Kept | None],
    pages: frozenset[PurePosixPath],
    places: Mapping[str, Place],
) -> dict[str, Found]:
    homes: dict[str, list[Parts]] = {}
    for folder, run_id in folders.items():
        homes.setdefault(run_id, []).append(folder)
    experiments = {
        kept.details.run_id: kept.details.experiment
        for kept in accepted.values()
        if kept is not None and kept.details is not None and kept.details.experiment is not None
    }
    found: dict[str, Found] = {}
    for run_id in sorted(homes, key=lambda run_id: (_depth(run_id, places), run_id)):
        place = places[run_id]
        experiment = experiments.get(run_id)
        if experiment is None and place.parent is not None and place.parent in found:
            experiment = found[place.parent].experiment
        held = [kept for folder in homes[run_id] if (kept := accepted[folder]) is not None]
        files = sorted({path for kept in held for path in kept.files})
        # A folder that is there goes before one that a page stands for.
        there = sorted(homes[run_id], key=lambda folder: (PurePosixPath(*folder[:-1]) in pages, folder))
        found[run_id] = Found(
            run_id,
            place.parent,
            place.root,
            tuple(PurePosixPath(*folder) for folder in there),
            tuple(path for path in files if path not in pages),
            tuple(path for path in files if path in pages),
            any(kept.details is None for kept in held),
            experiment or experiments.get(place.root) or tree.name,
            None if held else _oldest(tree, homes[run_id]),
            place.problems,
        )
    return found


def _oldest(tree: Tree, folders: Sequence[Parts]) -> Micros | None:
    files = (file for folder in folders for file in files_in(tree, PurePosixPath(*folder)))
    return min((file.modified_ns // 1000 for file in files), default=None)


def _depth(run_id: str, places: Mapping[str, Place]) -> int:
    depth = 0
    while (parent := places[run_id].parent) is not None and parent in places:
        run_id, depth = parent, depth + 1
    return depth
