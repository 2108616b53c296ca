from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest

from graphql_runs.model.run import Run
from graphql_runs.record.union import candidates, united
from tests.store.samples import a_run


def run(run_id: str, source: str, number: int = 1, depth: int = 0, **fields: Any) -> Run:
    return a_run(run_id, source=source, number=number, depth=depth, **fields)


def names(found: dict[str, Run]) -> set[str]:
    return {one.run_id for one in found.values()}


def test_of_each_source_the_topmost_and_then_the_lowest_number_counts() -> None:
    runs = [
        run("child", "one", 1, 1),
        run("late", "one", 9),
        run("early", "one", 3),
        run("other", "two", 7),
        run("unknown", "placeholder", 1),
    ]
    for order in permutations(runs):
        assert names(candidates("x:1", order)) == {"early", "other"}


@pytest.mark.parametrize(
    ("others", "expected"),
    [
        (["slurm:a/7"], {"a", "b", "bare"}),
        (["slurm:b/7"], set()),
        (["slurm:b/17"], {"a", "b", "bare"}),
        (["other:b/7"], {"a", "b", "bare"}),
    ],
)
def test_a_job_that_two_clusters_have_is_nobody(others: list[str], expected: set[str]) -> None:
    runs = [
        run("a", "one", identities=("slurm:7", "slurm:a/7")),
        run("b", "two", identities=("slurm:7", *others)),
        run("bare", "three", identities=("slurm:7",)),
    ]
    assert names(candidates("slurm:7", runs)) == expected


def decided(*runs: Run) -> dict[str, str | None]:
    known = {one.id: one.run_id for one in runs}
    answers = [united(order) for order in permutations(runs)]
    assert all(answer == answers[0] for answer in answers)
    return {known[id]: None if of is None else known[of] for id, of in answers[0].items()}


def test_the_lowest_number_is_the_principal() -> None:
    runs = run("b", "one", 2), run("a", "two", 1), run("c", "three", 3)
    assert decided(*runs) == {"a": None, "b": "a", "c": "a"}


def test_a_child_keeps_its_place() -> None:
    assert decided(run("a", "wandb", 1), run("trial", "mlflow", 5, 1)) == {"a": "trial", "trial": None}


def test_a_job_yields_to_what_it_ran() -> None:
    runs = (
        run("job", "slurm", 1),
        run("step", "slurm", 1, 1),
        run("tracked", "mlflow", 9),
        run("w", "wandb", 10),
    )
    assert decided(*runs) == {"job": None, "step": "tracked", "tracked": None, "w": "tracked"}


def test_one_of_each_source_and_tree() -> None:
    above = run("above", "three", 4)
    runs = run("a", "one", 1), run("b", "one", 2), run("c", "two", 3), above
    assert decided(*runs) == {"a": None, "b": None, "c": "a", "above": "a"}
    below = run("below", "two", 9, 1, root=above.id, parent=above.id)
    assert decided(above, below, run("x", "one", 1)) == {"below": None, "above": None, "x": "below"}


def test_equal_numbers_of_two_experiments() -> None:
    found = decided(run("a", "one"), run("b", "two"))
    [principal] = [name for name, of in found.items() if of is None]
    assert set(found.values()) == {None, principal}
