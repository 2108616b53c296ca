from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from graphql_runs.ingest.api import QUIET_SECONDS, Limits, Unreadable
from graphql_runs.ingest.testing import read, units_of
from graphql_runs.model.operation import DeclareRun
from graphql_runs_tabular import ingester
from plugins.tabular.tests.recorded import Found

Rows = Sequence[object]


def rows(first: int, last: int, factor: float = 1) -> list[dict[str, object]]:
    return [{"step": step, "epoch": step / 100, "loss": step * factor} for step in range(first, last + 1)]


class Folder:
    """An output folder. Each state that is written is newer than those before, unless it says otherwise."""

    def __init__(self, source: Path) -> None:
        self.source = source
        self.path = source / "out"
        self.found = Found(source)
        self._clock = time.time() - 10_000

    def save(
        self,
        step: int,
        history: Rows,
        *,
        place: str | None = None,
        older: bool = False,
        facts: Mapping[str, object] | None = None,
    ) -> None:
        """A checkpoint, or the state in the output folder (`place` is empty)."""
        folder = self.path / (f"checkpoint-{step}" if place is None else place)
        state = {"global_step": step, "log_history": history, **(facts or {})}
        self.write(folder, json.dumps(state, indent=2, sort_keys=True))
        self._clock += 1
        clock = self._clock - 5000 if older else self._clock
        os.utime(folder / "trainer_state.json", (clock, clock))

    def write(self, folder: Path, text: str | bytes) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "trainer_state.json").write_bytes(text.encode() if isinstance(text, str) else text)

    def read(self) -> list[tuple[object, object]]:
        """The points of `loss` that were read until now."""
        self.found.read()
        return self.found.points().get(("source/out", "loss"), [])


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def points(*histories: Sequence[Mapping[str, object]]) -> list[tuple[object, object]]:
    return [(row["step"], row["loss"]) for history in histories for row in history]


# What is read


def test_a_folder_is_one_run_with_all_its_checkpoints(folder: Folder) -> None:
    for step in (10, 20, 30):
        folder.save(step, rows(1, step))
    folder.save(30, rows(1, 30), place="")
    folder.save(40, rows(1, 40), place="tmp-checkpoint-40")  # is about to be called checkpoint-40
    _, [unit] = units_of(ingester, folder.source)
    assert unit.run is not None
    assert (unit.key, unit.run.run_id) == ("trainer_state.json", "source/out")
    assert len(unit.files) == 4
    assert folder.read() == points(rows(1, 30))
    assert not [
        one
        for delivery in folder.found.deliveries
        for one in delivery.operations
        if isinstance(one, DeclareRun)
    ]


def test_a_source_may_be_a_checkpoint_itself(folder: Folder) -> None:
    folder.save(10, rows(1, 10))
    found = Found(folder.path / "checkpoint-10")
    found.read()
    assert found.points()["source", "loss"] == points(rows(1, 10))


def test_what_else_is_said_becomes_params_and_properties(folder: Folder) -> None:
    facts = {
        "max_steps": 20,
        "num_train_epochs": 2,
        "trial_params": {"lr": 0.1, "name": "a"},
        "best_metric": None,
    }
    folder.save(
        10, rows(1, 10), facts=facts | {"total_flos": 1.5e18, "best_model_checkpoint": "out/checkpoint-10"}
    )
    folder.read()
    folder.save(20, rows(1, 20), facts=facts | {"total_flos": 3e18, "best_metric": float("nan")})
    folder.read()
    assert folder.found.facts("params") == {
        "source/out": {"max_steps": "20", "num_train_epochs": "2", "lr": "0.1", "name": "a"}
    }
    assert folder.found.facts("properties") == {
        "source/out": {
            "global_step": "20",
            "total_flos": "3e+18",
            "best_metric": "NaN",
            "best_model_checkpoint": "out/checkpoint-10",
        }
    }


def test_tables_beside_and_several_trainings_are_told_apart(tmp_path: Path) -> None:
    for path in ("a", "b/outputs/first/checkpoint-5", "b/outputs/second", "c"):
        Folder(tmp_path).write(tmp_path / path, json.dumps({"global_step": 5, "log_history": rows(1, 2)}))
    (tmp_path / "a" / "trainer_log.jsonl").write_text('{"step": 1, "loss": 1}\n')
    (tmp_path / "c" / "metrics.jsonl").write_text('{"step": 1, "loss": 1}\n')
    names = {
        f"{unit.run.run_id if unit.run else ''}:{unit.key}": unit.hints["prefix"]
        for unit in units_of(ingester, tmp_path)[1]
    }
    assert names == {
        "source/a:trainer_log.jsonl": "trainer_log/",
        "source/a:trainer_state.json": "trainer_state/",
        "source/b/outputs/first:trainer_state.json": "",
        "source/b/outputs/second:trainer_state.json": "",
        "source/c:metrics.jsonl": "",
        "source/c:trainer_state.json": "trainer_state/",
    }


# Growth


def test_only_new_rows_come_in(folder: Folder) -> None:
    for step in range(10, 60, 10):
        folder.save(step, rows(1, step))
        assert folder.read() == points(rows(1, step))
        shutil.rmtree(folder.path / f"checkpoint-{step - 10}", ignore_errors=True)
        assert folder.read() == points(rows(1, step))
    summary = {"step": 50, "train_runtime": 1.5}
    folder.save(50, [*rows(1, 50), summary], place="")
    assert folder.read() == points(rows(1, 50))
    assert folder.found.points()["source/out", "train_runtime"] == [(50, 1.5)]


@pytest.mark.parametrize("older", [True, False])
def test_checkpoints_may_arrive_in_any_order(folder: Folder, older: bool) -> None:
    folder.save(1000, rows(1, 100))
    folder.read()
    folder.save(500, rows(1, 50), older=older)
    folder.save(1000, rows(1, 100), place="", older=older)
    assert folder.read() == points(rows(1, 100))
    folder.save(1500, rows(1, 150), older=older)
    assert folder.read() == points(rows(1, 150))


def test_a_training_that_goes_back_adds_what_it_does_anew(folder: Folder) -> None:
    first, second = rows(1, 60), [*rows(1, 20), *rows(21, 50, factor=-1)]
    folder.save(20, first[:20])
    folder.save(60, first)
    folder.save(60, first, place="")
    folder.read()
    folder.save(40, second[:40])
    assert folder.read() == points(first, second[20:40])
    folder.save(50, second)
    assert folder.read() == points(first, second[20:])
    # Read at once it is the same, though a higher checkpoint of the first attempt is still there.
    once = Found(folder.source)
    once.read()
    assert once.points()["source/out", "loss"] == points(first, second[20:])


def test_equal_rows_of_one_history_are_all_taken(folder: Folder) -> None:
    folder.save(2, [{"step": 1, "loss": 0.5}] * 3)
    assert folder.read() == [(1, 0.5)] * 3


def test_long_histories_have_small_checkpoints_and_nothing_comes_twice(folder: Folder) -> None:
    history = rows(1, 15_000)
    folder.found = Found(folder.source, Limits())
    folder.save(12_000, history[:12_000])
    folder.read()
    folder.save(13_500, history[:13_500])
    folder.save(12_500, [*history[:12_000], *rows(12_001, 12_500, factor=-1)])
    assert folder.read() == points(history[:13_500], rows(12_001, 12_500, factor=-1))
    folder.save(15_000, history)
    assert folder.read() == points(history[:13_500], rows(12_001, 12_500, factor=-1), history[13_500:])
    assert len(json.dumps(folder.found.deliveries[-1].checkpoint)) < 64 << 10


# Bad input


def test_a_state_that_is_being_written_is_waited_for(folder: Folder) -> None:
    folder.save(10, rows(1, 10))
    whole = (folder.path / "checkpoint-10" / "trainer_state.json").read_bytes()
    folder.write(folder.path / "checkpoint-20", whole[:100])
    folder.write(folder.path, b"")
    assert folder.read() == points(rows(1, 10))
    assert folder.found.skipped() == []
    folder.save(20, rows(1, 20))
    assert folder.read() == points(rows(1, 20))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b'{\n"log_history": [', "malformed JSON: Expecting value (column 17)"),
        (b"", "malformed JSON: Expecting value (column 1)"),
        (b"[1]", "not the state of a training: [1]"),
        (b'{"log_history": {}}', "not the state of a training: it has no list log_history"),
        (b'{"log_history": ["\xff"]}', "not utf-8 text: invalid start byte at byte 18"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"log_history": [' + b"9" * 5000 + b"]}", "not JSON that can be read: Exceeds the limit"),
        (b'{"log_history": [' + b" " * 5000 + b"]}", "larger than 4000 bytes, the limit for a document"),
    ],
)
def test_a_state_that_cannot_be_read_is_reported_once_and_others_go_on(
    folder: Folder, text: bytes, reason: str
) -> None:
    folder.found = Found(folder.source, Limits(json_bytes=4000 if b"  " in text else 1 << 20))
    folder.save(10, rows(1, 10))
    folder.write(folder.path / "checkpoint-20", text)
    os.utime(folder.path / "checkpoint-20" / "trainer_state.json", (time.time() - QUIET_SECONDS - 1,) * 2)
    for _ in range(3):
        assert folder.read() == points(rows(1, 10))
    [found] = folder.found.skipped()
    assert found.startswith("out/checkpoint-20/trainer_state.json:")
    assert reason in found


def test_the_only_state_being_too_large_is_an_error(folder: Folder) -> None:
    folder.save(10, rows(1, 10))
    tree, [unit] = units_of(ingester, folder.source)
    with pytest.raises(Unreadable, match="larger than 100 bytes"):
        list(read(ingester, tree, unit, limits=Limits(json_bytes=100)))


def test_rows_that_are_none_are_reported(folder: Folder) -> None:
    folder.save(10, [1, *rows(1, 2), None])
    assert folder.read() == points(rows(1, 2))
    assert folder.found.skipped() == [
        "out/checkpoint-10/trainer_state.json:None: row 1 of log_history is not an object: 1",
        "out/checkpoint-10/trainer_state.json:None: row 4 of log_history is not an object: None",
    ]


def test_a_foreign_checkpoint_is_refused(folder: Folder) -> None:
    folder.save(10, rows(1, 10))
    tree, [unit] = units_of(ingester, folder.source)
    with pytest.raises(ValueError, match="not a checkpoint"):
        list(read(ingester, tree, unit, {"offset": 3}))
