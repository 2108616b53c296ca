from __future__ import annotations

from graphql_runs.ingest.work import back_off


def test_pauses_grow_up_to_a_bound_however_long_something_is_away() -> None:
    for failures, least, most in ((0, 0.125, 0.375), (3, 1.0, 3.0), (20, 30.0, 90.0), (10_000, 30.0, 90.0)):
        assert all(least <= back_off(0.25, 60.0, failures) <= most for _ in range(100))
