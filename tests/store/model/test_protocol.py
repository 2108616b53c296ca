from __future__ import annotations

from dataclasses import fields, replace

import pytest

from tests.store.model.database import Violation
from tests.store.model.guards import Guards
from tests.store.model.world import World

HISTORIES = 20_000
PARTS = 8
MUTATED = 6_000


@pytest.mark.parametrize("part", range(PARTS))
def test_every_invariant_holds_in_random_histories(part: int) -> None:
    steps = 0
    for seed in range(part, HISTORIES, PARTS):
        try:
            steps += World(seed).run()
        except Violation as violation:
            pytest.fail(f"seed {seed}: {violation}")
    assert steps > 50 * HISTORIES / PARTS


@pytest.mark.parametrize("guard", [field.name for field in fields(Guards)])
def test_without_any_one_guard_something_breaks(guard: str) -> None:
    guards = replace(Guards(), **{guard: False})
    for seed in range(MUTATED):
        try:
            World(seed, guards).run()
        except Violation:
            return
    pytest.fail(f"{MUTATED} histories went well without the guard {guard}")
