"""Outputs: files that stay where they are and are told with their size, again whenever they change."""

from __future__ import annotations

import hashlib
import mimetypes
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from pathlib import PurePosixPath
from stat import S_ISREG

from graphql_runs.ingest.api import Context, Delivery, File, Tree
from graphql_runs.model.operation import AddArtifact, RunOperation
from graphql_runs_azureml import layout

_GROUPS = 256
_ARTIFACTS = 500
"""Artifacts of one delivery."""


def read_outputs(
    run_id: str,
    folders: Iterable[PurePosixPath],
    owns: Callable[[PurePosixPath], bool],
    checkpoint: Mapping[str, object] | None,
    context: Context,
    first: list[RunOperation],
) -> Iterator[Delivery]:
    """Outputs that are new or changed since the checkpoint. `first` goes before all else when there is no checkpoint. `owns`
    tells the run's files from those of runs whose folders lie in its own.

    The checkpoint stays small however many files there are: they are put into groups by a hash of their names, and it
    holds a hash of each group. A change of one file tells its whole group again, which does no harm.
    """
    told = dict(checkpoint) if checkpoint is not None else {}
    before = list(first) if checkpoint is None else []
    groups: dict[str, dict[str, File]] = {}
    for folder in folders:
        for path, file in outputs_in(context.tree, folder, owns):
            groups.setdefault(_group(path), {}).setdefault(path, file)
    operations: list[RunOperation] = []
    for name in sorted(groups):
        files = groups[name]
        digest = _digest(files)
        if told.get(name) == digest:
            continue
        told[name] = digest
        operations += [artifact(run_id, path, file, context.tree) for path, file in files.items()]
        if len(operations) >= _ARTIFACTS:
            yield Delivery(dict(told), before + operations)
            before, operations = [], []
    if before or operations:
        yield Delivery(dict(told), before + operations)


def outputs_in(
    tree: Tree, folder: PurePosixPath, owns: Callable[[PurePosixPath], bool]
) -> Iterator[tuple[str, File]]:
    """The outputs of a run folder: their path in the run, and the file as it is now."""
    for file in files_in(tree, folder):
        path = layout.inside(folder, file.path)
        if layout.is_output(path) and owns(file.path) and (there := as_it_is(tree, file)) is not None:
            yield str(path), there


def files_in(tree: Tree, folder: PurePosixPath) -> Iterator[File]:
    """The files below a folder. They are sorted by their parts, so they lie together."""
    parts = folder.parts
    start = bisect_left(tree.files, parts, key=lambda file: file.path.parts)
    for file in islice(tree.files, start, None):
        if file.path.parts[: len(parts)] != parts:
            return
        yield file


def as_it_is(tree: Tree, file: File) -> File | None:
    """The file as it is now, which may be later than the tree; None when it has gone."""
    try:
        found = (tree.folder / file.path).stat(follow_symlinks=False)
    except OSError:
        return None
    return File(file.path, found.st_size, found.st_mtime_ns, found.st_ino) if S_ISREG(found.st_mode) else None


def artifact(run_id: str, path: str, file: File, tree: Tree) -> AddArtifact:
    """A file told as an output, with its path in the run."""
    return AddArtifact(
        run_id,
        path,
        file.size,
        content_type=mimetypes.guess_type(path)[0],
        location=str(tree.folder / file.path),
        created_at=file.modified_ns // 1000,
    )


def _group(path: str) -> str:
    return f"{hashlib.blake2b(path.encode(), digest_size=1).digest()[0] % _GROUPS:02x}"


def _digest(files: Mapping[str, File]) -> str:
    digest = hashlib.blake2b(digest_size=6)
    for path, file in sorted(files.items()):
        digest.update(f"{path}\0{file.path}\0{file.size}\0{file.modified_ns}\0".encode())
    return digest.hexdigest()
