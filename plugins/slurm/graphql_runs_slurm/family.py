"""From attempts to runs: arrays with their tasks, heterogeneous jobs with their components, requeued jobs with their attempts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from graphql_runs.ingest.api import Skipped
from graphql_runs_slurm.job import Attempt, Key, key_of, merged

_RANGE = re.compile(r"(\d{1,9})(?:-(\d{1,9})(?::(\d{1,9}))?)?", re.ASCII)
_SAME = ("name", "user", "account")


@dataclass(frozen=True, slots=True)
class Member:
    """A run. An array itself has no attempts, only `tasks`; `waiting` are the indices of its tasks that still wait, as Slurm writes
    them. `position` is its place among the jobs that wait for the same partition, from 1."""

    key: Key
    cluster: str
    attempts: tuple[Attempt, ...] = ()
    tasks: tuple[Member, ...] = ()
    waiting: str = ""
    position: int | None = None

    @property
    def run_id(self) -> str:
        """The producer's id."""
        return run_id(self.cluster, self.key)

    @property
    def root_id(self) -> str:
        """The id of the array, of the leading job, or its own."""
        return run_id(self.cluster, Key(self.key.root))

    @property
    def sample(self) -> Attempt:
        """The attempt that tells what the run is called and whose it is."""
        return self.attempts[-1] if self.attempts else self.tasks[0].attempts[-1]


@dataclass(slots=True)
class Families:
    """All runs, roots before what is below them, and what was left out."""

    members: list[Member] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)


def run_id(cluster: str, key: Key) -> str:
    """`slurm/<cluster>/<job>`."""
    return f"slurm/{cluster}/{key.text}"


def gather(
    older: Sequence[Attempt], newer: Sequence[Attempt], jobs: int, array_tasks: int, *, everyone: bool
) -> Families:
    """The runs of a cluster out of its accounts and, newer, its queue. The newest `jobs` trees are kept. `everyone`: no job
    of the queue was left out, so that places in it can be told."""
    found = Families()
    by_key = _by_key(older, newer, array_tasks, found.skipped)
    roots: dict[int, list[Key]] = {}
    for key in by_key:
        roots.setdefault(key.root, []).append(key)
    newest = sorted(roots, key=lambda root: (_submitted(by_key, roots[root]), root), reverse=True)
    if len(newest) > jobs:
        found.skipped.append(
            Skipped("jobs", f"{len(newest) - jobs} older jobs than the newest {jobs} were left out")
        )
    positions = _positions(newer) if everyone else {}
    for root in newest[:jobs]:
        found.members += _family(root, roots[root], by_key, positions, found.skipped)
    return found


def _by_key(
    older: Iterable[Attempt], newer: Iterable[Attempt], array_tasks: int, skipped: list[Skipped]
) -> dict[Key, list[Attempt]]:
    """Attempts by run, each once."""
    by_key: dict[Key, dict[object, Attempt]] = {}
    for attempt in (*_waiting_first(older), *_waiting_first(newer)):
        for one in _single(attempt, array_tasks, skipped):
            same = by_key.setdefault(key_of(one), {})
            before = same.get(one.submitted)
            same[one.submitted] = one if before is None else merged(before, one)
    return {
        key: sorted(same.values(), key=lambda one: (one.submitted or 0, one.started or 0))
        for key, same in by_key.items()
    }


def _waiting_first(attempts: Iterable[Attempt]) -> list[Attempt]:
    """What is told of a task itself counts more than what is told of all that wait."""
    return sorted(attempts, key=lambda one: not one.waiting)


def _single(attempt: Attempt, most: int, skipped: list[Skipped]) -> Iterator[Attempt]:
    """An attempt, or one for each of the tasks that wait together."""
    if not attempt.array or attempt.task is not None or not attempt.waiting:
        yield attempt
        return
    indices, whole = tasks_in(attempt.waiting, most)
    if not whole:
        skipped.append(
            Skipped(
                f"job {attempt.array}_[{attempt.waiting[:100]}]",
                f"only the first {most} of its waiting tasks are shown one by one; the others follow when they start",
            )
        )
    for index in indices:
        # The id is the array's, no task of its own has it yet.
        yield replace(attempt, task=index, stdout="", stderr="")


def tasks_in(text: str, most: int) -> tuple[list[int], bool]:
    """The first indices in `0-9:2,17%4`, and whether these are all. What is no range is passed over, Slurm's `...` too."""
    found: dict[int, None] = {}
    whole = True
    for part in text.partition("%")[0].split(","):
        match = _RANGE.fullmatch(part.strip())
        if match is None:
            whole = whole and not part.strip(". ")
            continue
        last = int(match[2] or match[1])
        for index in range(int(match[1]), last + 1, int(match[3] or 1) or 1):
            if len(found) >= most:
                return list(found), False
            found[index] = None
    return list(found), whole and "..." not in text


def _submitted(by_key: dict[Key, list[Attempt]], keys: Sequence[Key]) -> int:
    return max((one.submitted or 0 for key in keys for one in by_key[key]), default=0)


def _family(
    root: int,
    keys: Sequence[Key],
    by_key: dict[Key, list[Attempt]],
    positions: dict[tuple[int, int | None], int],
    skipped: list[Skipped],
) -> Iterator[Member]:
    cluster = by_key[keys[0]][-1].cluster
    whole, others = Key(root), sorted((key for key in keys if key.part), key=_order)
    below = []
    for key in others:
        attempts = _own(by_key[key], key, skipped)
        below.append(Member(key, cluster, attempts, position=_position(attempts[-1], positions)))
    if whole in by_key:
        attempts = _own(by_key[whole], whole, skipped)
        yield Member(whole, cluster, attempts, position=_position(attempts[-1], positions))
    elif others[0].part.startswith("_"):
        waiting = next(
            (key.waiting for one in below for key in one.attempts if key.waiting and not key.over), ""
        )
        yield Member(whole, cluster, tasks=tuple(below), waiting=waiting)
    yield from below


def _own(attempts: Sequence[Attempt], key: Key, skipped: list[Skipped]) -> tuple[Attempt, ...]:
    """The attempts of the newest job of this id: ids begin anew when a cluster loses its state or reaches its last one."""
    newest = attempts[-1]
    own = [one for one in attempts if all(getattr(one, name) == getattr(newest, name) for name in _SAME)]
    if len(own) < len(attempts):
        skipped.append(Skipped(f"job {key.text}", "an earlier job had the same id; the newest is shown"))
    return tuple(own)


def _order(key: Key) -> int:
    return int(key.part[1:])


def _position(attempt: Attempt, positions: dict[tuple[int, int | None], int]) -> int | None:
    return positions.get((attempt.id, None if attempt.waiting else attempt.task))


_POSITIONS = 100


def _positions(queue: Iterable[Attempt]) -> dict[tuple[int, int | None], int]:
    """The places of the first that wait for each partition and only for want of room, by id and task."""
    waiting: dict[str, list[Attempt]] = {}
    for one in queue:
        if one.base == "PENDING" and one.reason in ("Priority", "Resources") and one.priority:
            waiting.setdefault(one.partition.partition(",")[0], []).append(one)
    return {
        (one.id, one.task): place
        for jobs in waiting.values()
        for place, one in enumerate(
            sorted(jobs, key=lambda job: (-(job.priority or 0), job.submitted or 0, job.id))[:_POSITIONS], 1
        )
    }
