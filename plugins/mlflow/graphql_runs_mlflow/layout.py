"""Where the file store keeps what, and which folders are its runs.

    <store>/<experiment id>/meta.yaml
    <store>/<experiment id>/<run id>/{meta.yaml, metrics/<key>, params/<key>, tags/<key>, artifacts/…}

Keys may hold slashes, and are folders then. Format: mlflow/store/tracking/file_store.py (https://github.com/mlflow/mlflow), versions 1 to 3.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TypeAlias

import yaml

from graphql_runs.ingest.api import File, RunFolder, Tree, Unreadable
from graphql_runs.ingest.files import open_file, recognise

META = "meta.yaml"
PARENT = PurePosixPath("tags/mlflow.parentRunId")
_META_BYTES = 64 << 10
Meta: TypeAlias = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class FoundRun:
    """A run of the store. `experiment` is the experiment's name, `parent` the producer id of its parent."""

    folder: PurePosixPath
    run_id: str
    experiment: str
    parent: str | None


def parse_meta(data: bytes) -> Meta | None:
    """The document of a meta.yaml; None when it is none. Nothing but plain values is made of it."""
    try:
        found = yaml.load(data, Loader=_Loader)  # noqa: S506 - it is a SafeLoader
    except (yaml.YAMLError, UnicodeDecodeError, ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


class _Loader(yaml.SafeLoader):
    """Times and numbers stay what they are written as; aliases, which can blow up, are errors."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("aliases are not taken")
        return super().compose_node(parent, index)


def read_meta(tree: Tree, path: PurePosixPath) -> Meta | None:
    """A meta.yaml as it is now; None when it is gone or is none."""
    try:
        with open_file(tree.folder, path) as file:
            return parse_meta(file.read(_META_BYTES) or b"")
    except (OSError, Unreadable):
        return None


def find_runs(tree: Tree) -> dict[PurePosixPath, FoundRun]:
    """The runs of every file store in a tree, by their folder."""
    files = {
        file.path: file for file in tree.files if file.path.name == META or file.path.match(f"*/{PARENT}")
    }
    found: dict[PurePosixPath, FoundRun] = {}
    for path, file in files.items():
        folder = path.parent
        above = files.get(folder.parent / META)
        if path.name != META or above is None or folder == folder.parent:
            continue
        run, experiment = _recognised(tree, file, _run_id), _recognised(tree, above, _experiment_name)
        if run and experiment:
            tag = files.get(folder / PARENT)
            parent = None if tag is None else _recognised(tree, tag, _word)
            found[folder] = FoundRun(folder, run, experiment, parent or None)
    return found


def root_of(run_id: str, parents: Mapping[str, str | None]) -> str:
    """The root of a run's tree, from the parents of all runs that are there. A parent that is not there is the root as far as anybody
    knows."""
    seen = {run_id}
    while (parent := parents.get(run_id)) is not None and parent not in seen:
        if parent not in parents:
            return parent
        seen.add(parent)
        run_id = parent
    return run_id


def run_folders(found: Mapping[PurePosixPath, FoundRun]) -> list[RunFolder]:
    """The runs as the host wants them."""
    parents = {run.run_id: run.parent for run in found.values()}
    return [
        RunFolder(run.folder, run.run_id, root_of(run.run_id, parents), whole=True) for run in found.values()
    ]


def _recognised(tree: Tree, file: File, test: Callable[[bytes], str]) -> str:
    try:
        return recognise(tree, file, test, _META_BYTES)
    except (OSError, Unreadable):
        return ""


def _run_id(data: bytes) -> str:
    meta = parse_meta(data) or {}
    found = meta.get("run_id") or meta.get("run_uuid")
    return found if isinstance(found, str) else ""


def _experiment_name(data: bytes) -> str:
    meta = parse_meta(data) or {}
    name = meta.get("name")
    return str(name) if "experiment_id" in meta and name is not None and "run_id" not in meta else ""


def _word(data: bytes) -> str:
    return data.decode("utf-8", "replace").strip()[:256]
