"""Which runs are one run: the rule, as a function of what runs carry (docs/decisions/0018-one-run-from-two-sources.md).

Nothing here depends on what was decided before, or on the order in which runs came, so that whoever looks at the same runs decides
the same, and looking again after every change ends in one answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from graphql_runs.model.run import Run

PLACEHOLDER = "placeholder"
"""The source of runs that were only named as a parent so far, which nothing is known of."""
SCHEDULERS = frozenset({"slurm"})
"""Sources that show how a run was carried out. Params and metrics, which lists filter, sort and show, are with the trackers."""


def candidates(identity: str, carriers: Iterable[Run]) -> dict[str, Run]:
    """Of the runs that carry an identity those that it unites, by source: of each source the topmost, then the one with the lowest
    number. Those below or beside it were started by the same job and carry what they found in its environment.

    None when the carriers contradict each other: some say `slurm:one/7`, some `slurm:other/7`, so `slurm:7` says nothing.
    """
    found: dict[str, Run] = {}
    exact: set[str] = set()
    for run in carriers:
        exact.update(one for one in run.identities if _is_exact(one, identity))
        best = found.get(run.source)
        if run.source != PLACEHOLDER and (best is None or rank(run) < rank(best)):
            found[run.source] = run
    return found if len(exact) < 2 else {}


def united(group: Iterable[Run]) -> Mapping[str, str | None]:
    """What each run of a group (runs that identities lead from one to the other) is an alias of, None for one on its own.

    The principal is no scheduler's if it can be, then the lowest in its tree, since it has a place among the children of its parent,
    then the one with the lowest number. The others are its aliases, at most one of each source and of each tree; what is left over
    stays on its own.
    """
    ordered = sorted(group, key=lambda run: (run.source in SCHEDULERS, -run.depth, run.number, run.id))
    sources: set[str] = set()
    roots: set[str] = set()
    found: dict[str, str | None] = {}
    for run in ordered:
        free = run.source not in sources and run.root not in roots
        found[run.id] = ordered[0].id if free and sources else None
        if free:
            sources.add(run.source)
            roots.add(run.root)
    return found


def rank(run: Run) -> tuple[int, int, str]:
    """Topmost first, then the lowest number; numbers are of experiments, so that the id decides where two are equal."""
    return run.depth, run.number, run.id


def _is_exact(one: str, identity: str) -> bool:
    """`slurm:cluster/4242` says the same as `slurm:4242`, only more exactly."""
    system, _, id = identity.partition(":")
    return one.startswith(f"{system}:") and one.endswith(f"/{id}")
