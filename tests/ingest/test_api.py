from __future__ import annotations

from pathlib import Path, PurePosixPath

import pytest

from graphql_runs.ingest.api import RunFolder, Tree


def owner(path: str, *claimed: RunFolder) -> RunFolder:
    return Tree(Path("/source"), "src", (), claimed).owner(PurePosixPath(path))


@pytest.mark.parametrize(
    ("path", "folder", "run_id"),
    [
        ("train.log", ".", "src"),
        ("run/train.log", "run", "src/run"),
        ("exp/run/train.log", "exp/run", "src/exp/run"),
        ("exp/run/logs/train.log", "exp/run", "src/exp/run"),
        ("exp/run/outputs/metrics/m.jsonl", "exp/run", "src/exp/run"),
        ("exp/run/rank_3/stdout.log", "exp/run", "src/exp/run"),
        ("exp/run/attempt_0/3/stdout.log", "exp/run", "src/exp/run"),
        ("exp/run/checkpoint-500/trainer_state.json", "exp/run", "src/exp/run"),
        ("exp/run/tmp-checkpoint-500/metrics.csv", "exp/run", "src/exp/run"),
        ("logs/train.log", ".", "src"),
        (
            "run/lightning_logs/version_0/metrics.csv",
            "run/lightning_logs/version_0",
            "src/run/lightning_logs/version_0",
        ),
        ("run/3/train.log", "run/3", "src/run/3"),
    ],
)
def test_a_file_belongs_to_its_folder_unless_that_is_a_part_of_a_run(
    path: str, folder: str, run_id: str
) -> None:
    found = owner(path)
    assert found == RunFolder(PurePosixPath(folder), run_id, run_id, declared=False)


def test_a_file_belongs_to_the_nearest_claimed_folder() -> None:
    outer = RunFolder(PurePosixPath("a"), "outer", "outer")
    inner = RunFolder(PurePosixPath("a/b"), "inner", "outer")
    assert owner("a/b/c/log", outer, inner) == inner
    assert owner("a/x/log", outer, inner) == outer
    assert owner("x/log", outer, inner).declared is False


def test_a_whole_source_may_be_claimed() -> None:
    run = RunFolder(PurePosixPath("."), "all", "all")
    assert owner("a/b/log", run) == run
