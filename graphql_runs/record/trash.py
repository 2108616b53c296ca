"""Which runs of a tree go to the trash together, and which come back together.

Below a trashed run everything is in the trash: what was there when it went has its `trashed_at`, unless it had been trashed
before, and what is created later gets its parent's. No two trashings of one tree have the same `trashed_at`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from graphql_runs.model.errors import InvalidInput
from graphql_runs.model.run import Run
from graphql_runs.model.time import Micros, to_text

RESTORED_AT = "graphql_runs.restored_at"
"""The property of a root run that says when it came back from the trash: from then on it is kept as long as one that ended then."""


def below(runs: Iterable[Run], top: str) -> list[Run]:
    """The run of that id, if it is among the runs of its tree, and everything below it, upper ones first."""
    members = {top}
    found = []
    for run in sorted(runs, key=lambda run: run.depth):
        if run.id in members or run.parent in members:
            members.add(run.id)
            found.append(run)
    return found


def trashed(tree: Mapping[str, Run], run: Run, arrival: Micros) -> list[Run]:
    """The runs of the tree (by id) that are trashed with this one, as they are then; none when it is in the trash already."""
    if run.trashed_at is not None:
        return []
    taken = {other.trashed_at for other in tree.values()}
    at = arrival
    while at in taken:
        at += 1
    return [replace(one, trashed_at=at) for one in below(tree.values(), run.id) if one.trashed_at is None]


def restored(tree: Mapping[str, Run], run: Run, arrival: Micros) -> list[Run]:
    """The runs that come back with this one, as they are then; none when it is not in the trash. Raises InvalidInput when it lies
    below a trashed run."""
    if run.trashed_at is None:
        return []
    parent = None if run.parent is None else tree.get(run.parent)
    if parent is not None and parent.trashed_at is not None:
        raise InvalidInput(
            f"run {run.run_id!r} lies below {parent.run_id!r}, which is in the trash: restore that one",
            field="run",
        )
    together = [one for one in below(tree.values(), run.id) if one.trashed_at == run.trashed_at]
    back = [replace(one, trashed_at=None) for one in together]
    if run.parent is None:
        back[0] = replace(back[0], properties={**run.properties, RESTORED_AT: to_text(arrival)})
    return back
