"""The plugin for folders: what `squeue`, `sacct` and `scontrol` printed as JSON, kept in files.

Output files that such a file names are not read: whoever wrote it need not be Slurm.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePosixPath

from pydantic import BaseModel

from graphql_runs.ingest.api import (
    Context,
    Delivery,
    Limits,
    RunFolder,
    Skipped,
    Stability,
    Tree,
    Unit,
    Unreadable,
)
from graphql_runs.model.operation import DescribeCluster
from graphql_runs_slurm.cluster import Node, describe
from graphql_runs_slurm.config import SlurmConfig
from graphql_runs_slurm.facts import digest
from graphql_runs_slurm.family import Families, Member, gather
from graphql_runs_slurm.remote import folder_of, read_member, runs_on
from graphql_runs_slurm.saved import Saved, Shelf

_INDEX = "slurm"


class SlurmIngester:
    """Takes JSON files that commands of Slurm printed."""

    name = "slurm"
    description = "Saved JSON of squeue, sacct and scontrol, recognised by its content: jobs, arrays, partitions and nodes."
    stability = Stability.BETA
    precedence = 90
    config: type[BaseModel] = SlurmConfig

    def __init__(self) -> None:
        # Only spares work: what it holds is read again whenever it is missing.
        self._shelf = Shelf()

    def runs(self, tree: Tree) -> Iterable[RunFolder]:
        """None: no folder is a job."""
        return ()

    def units(self, tree: Tree) -> Iterator[Unit]:
        """One that takes all files and tells of partitions, and one for every job that they tell of."""
        files = tuple(self._shelf.recognised(tree))
        if not files:
            return
        config = SlurmConfig()
        found, saved, skipped = self._gather(tree, files, Limits(), config)
        clusters = tuple(_clusters(saved, found.members))
        hints = {"clusters": clusters, "skipped": (*skipped, *found.skipped)}
        yield Unit(_INDEX, None, files, hints=hints, index=True)
        for member in found.members:
            yield Unit(
                f"saved/{member.run_id}",
                folder_of(member),
                (),
                hints={"member": member},
                version=digest(member),
            )

    def read(
        self, unit: Unit, checkpoint: Mapping[str, object] | None, context: Context
    ) -> Iterator[Delivery]:
        """Partitions with their nodes, or what is new of a job."""
        assert isinstance(context.config, SlurmConfig)
        member = unit.hints.get("member")
        if isinstance(member, Member):
            yield from read_member(member, checkpoint, context.config)
            return
        clusters, skipped = unit.hints.get("clusters"), unit.hints.get("skipped")
        assert isinstance(clusters, tuple)
        assert isinstance(skipped, tuple)
        yield Delivery({}, clusters=clusters, skipped=skipped)

    def _gather(
        self, tree: Tree, files: Iterable[PurePosixPath], limits: Limits, config: SlurmConfig
    ) -> tuple[Families, list[Saved], list[Skipped]]:
        """The runs of all clusters, what the files hold, the oldest first, and files that cannot be read."""
        saved, skipped = [], []
        for path in files:
            try:
                saved.append(self._shelf.read(tree, path, limits.json_bytes))
            except Unreadable as error:
                skipped.append(Skipped(str(path), str(error), error.line))
            except FileNotFoundError:
                continue  # it went away meanwhile
        saved.sort(key=lambda one: (one.modified_ns, str(one.path)))
        found = Families()
        for cluster in _names(saved, tree.name):
            accounts = [
                one for part in saved for one in part.accounts if (one.cluster or tree.name) == cluster
            ]
            queue = [one for part in saved for one in part.queue if (one.cluster or tree.name) == cluster]
            own = gather(accounts, queue, config.jobs, config.array_tasks, everyone=False)
            found.members += own.members
            found.skipped += own.skipped
        return found, saved, skipped


def _names(saved: Iterable[Saved], otherwise: str) -> list[str]:
    """The clusters that have jobs."""
    named: dict[str, None] = {}
    for part in saved:
        named.update(dict.fromkeys(one.cluster or otherwise for one in (*part.accounts, *part.queue)))
    return list(named)


def _clusters(saved: list[Saved], members: Iterable[Member]) -> Iterator[DescribeCluster]:
    """Partitions as the newest files have them."""
    members = list(members)
    only = {member.cluster for member in members}
    by_name: dict[str, tuple[dict[str, str], dict[str, Node]]] = {}
    for part in saved:
        # Files of nodes name no cluster before 23.11: it is the one that jobs are of, if there is one.
        name = part.cluster or (next(iter(only)) if len(only) == 1 else "")
        if name and (part.partitions or part.nodes):
            partitions, nodes = by_name.setdefault(name, ({}, {}))
            partitions.update(part.partitions)
            nodes.update((node.name, node) for node in part.nodes)
    for name, (partitions, nodes) in by_name.items():
        runs = runs_on(member for member in members if member.cluster == name)
        yield from describe(name, partitions, list(nodes.values()), runs)
