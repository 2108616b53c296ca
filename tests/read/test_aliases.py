from __future__ import annotations

from collections.abc import Sequence

import pytest

from graphql_runs.model import ids
from graphql_runs.model.errors import InvalidInput
from graphql_runs.model.filter import Key
from graphql_runs.model.run import Run
from graphql_runs.read.aliases import aliases_of, joined
from graphql_runs.store.port import Store
from tests.store.samples import a_run, save

RUNS = [a_run(name) for name in "abc"]
THINGS = {RUNS[0].id: ["x", "y"], RUNS[1].id: [], RUNS[2].id: ["x", "y", "z"]}


def key(run: Run, name: str) -> Key:
    return Key((name,), ids.metric_id(run.id, name))


async def things(run: Run, after: Key | None, first: int) -> Sequence[tuple[Run, str]]:
    rest = [name for name in THINGS[run.id] if after is None or name > str(after.values[0])]
    return [(run, name) for name in rest[:first]]


@pytest.mark.parametrize("size", range(1, 7))
async def test_what_belongs_to_several_runs_is_one_list(size: int) -> None:
    found: list[tuple[Run, str]] = []
    while page := await joined(RUNS, key(*found[-1]) if found else None, size, things):
        assert len(page) <= size
        found += page
    assert [(run.run_id, name) for run, name in found] == [
        ("a", "x"),
        ("a", "y"),
        ("c", "x"),
        ("c", "y"),
        ("c", "z"),
    ]


@pytest.mark.parametrize("id", ["", "run", "metric_x", ids.metric_id(a_run("d").id, "x")])
async def test_a_key_of_something_else_is_refused(id: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        await joined(RUNS, Key(("x",), id), 3, things)
    assert caught.value.field == "after"


async def test_the_aliases_of_many_runs(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("graphql_runs.read.aliases._PAGE", 3)
    one, two, none = (a_run(name) for name in ("one", "two", "none"))
    for run in (one, two, none):
        await save(store, run)
    for number in (5, 3, 4, 1, 2):
        for of in (one, two):
            await save(store, a_run(f"{of.run_id}{number}", number=number, alias_of=of.id))
    found = await aliases_of(store, [two.id, none.id, one.id])
    assert [[run.run_id for run in runs] for runs in found] == [
        [f"two{number}" for number in range(1, 6)],
        [],
        [f"one{number}" for number in range(1, 6)],
    ]
