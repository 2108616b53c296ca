"""Who reads what in a source: plugins choose their run folders and files by precedence."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from graphql_runs.ingest.api import File, Ingester, RunFolder, Skipped, Tree, Unit, Unreadable

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Share:
    """What one plugin reads.

    tree:    as the plugin sees it: without files that others took before.
    error:   why it could not choose; it takes nothing then.
    skipped: choices of it that clash with others'.
    """

    plugin: Ingester
    tree: Tree
    runs: list[RunFolder] = field(default_factory=list)
    units: list[Unit] = field(default_factory=list)
    error: str | None = None
    skipped: list[Skipped] = field(default_factory=list)


@dataclass(slots=True)
class Plan:
    """All shares, and which files nobody took."""

    tree: Tree
    shares: list[Share]
    taken: frozenset[PurePosixPath]


def make_plan(folder: Path, name: str, files: Mapping[str, File], plugins: Sequence[Ingester]) -> Plan:
    """Ask the plugins, which are given by precedence. Never raises for what a plugin does."""
    everything = tuple(files.values())
    bare = Tree(folder, name, everything)
    claims: dict[PurePosixPath, tuple[RunFolder, Share]] = {}
    shares = [Share(plugin, bare) for plugin in plugins]
    for share in shares:
        try:
            for run in list(share.plugin.runs(bare)):
                claims.setdefault(run.path, (run, share))
        except Exception as error:
            _failed(share, error)
    for run, share in claims.values():
        share.runs.append(run)
    runs = tuple(run for run, _ in claims.values())
    taken: set[PurePosixPath] = set()
    left = everything
    for share in shares:
        if share.error is not None:
            continue
        share.tree = Tree(folder, name, left, runs)
        try:
            units = list(share.plugin.units(share.tree))
        except Exception as error:
            _failed(share, error)
            continue
        mine = _choose(share, units, taken)
        if mine:
            taken |= mine
            left = tuple(file for file in left if file.path not in mine)
    return Plan(Tree(folder, name, everything, runs), shares, frozenset(taken))


def _choose(share: Share, units: Sequence[Unit], taken: set[PurePosixPath]) -> set[PurePosixPath]:
    """Keep the units that clash with nothing; gives the files they take."""
    mine: set[PurePosixPath] = set()
    keys: dict[tuple[str | None, str], Unit] = {}
    for unit in units:
        clash = [path for path in unit.files if path in taken or path in mine]
        same = keys.setdefault((unit.run.root_id if unit.run else None, unit.place), unit)
        where = str(unit.files[0]) if unit.files else unit.key
        if clash:
            share.skipped.append(
                Skipped(str(clash[0]), f"another unit than {unit.key!r} reads this file already")
            )
        elif same is not unit:
            other = same.files[0] if same.files else same.key
            share.skipped.append(Skipped(where, f"the same part of the same run is read from {other}"))
        else:
            share.units.append(unit)
            mine.update(unit.files)
    return mine


def _failed(share: Share, error: Exception) -> None:
    share.runs, share.units = [], []
    if isinstance(error, OSError | Unreadable):
        share.error = str(error)
    else:
        log.error(
            "a plugin failed: plugin %s, folder %s", share.plugin.name, share.tree.folder, exc_info=error
        )
        share.error = f"{type(error).__name__}: {error}"
