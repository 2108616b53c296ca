"""Parents and roots: from what each run says of itself, and from what its surroundings say."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from graphql_runs_azureml.text import clean, run_id_problem, shown

_PARENT = re.compile(rb"ParentRunId:\[([^\]\r\n]{1,1024})\]")


@dataclass(frozen=True, slots=True)
class Member:
    """A run and what is known of those above it.

    parent: as its details say.
    root:   likewise.
    hint:   who its parent is by its logs or by where its folder lies, for details that say nothing.
    """

    run_id: str
    parent: str | None = None
    root: str | None = None
    hint: str | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Where a run is in its tree; `problems` tells what was not believed."""

    parent: str | None
    root: str
    problems: tuple[str, ...] = ()


def parent_in_log(head: bytes) -> str | None:
    """The parent that the beginning of an execution log names: `RunId:[…] ParentRunId:[…]`."""
    found = _PARENT.search(head)
    if found is None:
        return None
    run_id = clean(found[1].decode("utf-8", "replace"))
    return run_id if run_id_problem(run_id) is None else None


def place_all(members: Mapping[str, Member]) -> dict[str, Place]:
    """The place of every run, by its id. Runs whose parents go round in a circle become roots."""
    parents = {run_id: _parent(member) for run_id, member in members.items()}
    problems: dict[str, list[str]] = {run_id: [] for run_id in members}
    for circle in _circles(parents):
        names = " → ".join(shown(run_id) for run_id in (*circle[:8], circle[0]))
        for run_id in circle:
            problems[run_id].append(
                f"parentRunId is not believed, as the parents go round in a circle: {names}"
            )
            parents[run_id] = None
    found: dict[str, Place] = {}
    for run_id, member in members.items():
        root = _root(run_id, parents, members)
        if member.root not in (None, root) and not problems[run_id]:
            problems[run_id].append(
                f"rootRunId is {shown(member.root or '')}, but its parents lead to {shown(root)}"
            )
        found[run_id] = Place(parents[run_id], root, tuple(problems[run_id]))
    return found


def _parent(member: Member) -> str | None:
    if member.parent is not None:
        return member.parent
    if member.root == member.run_id:
        return None  # the service gives a root its own id as rootRunId
    return next(
        (run_id for run_id in (member.hint, member.root) if run_id not in (None, member.run_id)), None
    )


def _circles(parents: Mapping[str, str | None]) -> list[list[str]]:
    circles: list[list[str]] = []
    done: set[str] = set()
    for start in parents:
        path: dict[str, None] = {}
        run_id: str | None = start
        while run_id is not None and run_id in parents and run_id not in done and run_id not in path:
            path[run_id] = None
            run_id = parents[run_id]
        if run_id is not None and run_id in path:
            steps = list(path)
            circles.append(steps[steps.index(run_id) :])
        done.update(path)
    return circles


def _root(run_id: str, parents: Mapping[str, str | None], members: Mapping[str, Member]) -> str:
    """Up to the last run in the source, and from there by what it says of the root."""
    while (parent := parents[run_id]) is not None:
        if parent not in parents:
            return members[run_id].root or parent
        run_id = parent
    return run_id
