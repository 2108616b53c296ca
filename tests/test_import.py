"""`graphql-runs import`, as a user calls it."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import time
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner, Result

from graphql_runs.cli import app
from graphql_runs.store.sqlite import SqliteStore
from tests.maintain.filling import contents
from tests.server.processes import SCRIPT, serving

runner = CliRunner()


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Two runs of different kinds, one with something wrong in it, and files that are nobody's."""
    first, second = tmp_path / "runs" / "exp" / "first", tmp_path / "runs" / "second"
    first.mkdir(parents=True)
    second.mkdir()
    rows = [json.dumps({"step": step, "loss": 1 / (step + 1)}) for step in range(100)]
    (first / "metrics.jsonl").write_text("\n".join([*rows[:50], "{broken", *rows[50:]]))
    (first / "train.log").write_text("one\ntwo\nand a last one without an end")
    (first / "exit_code").write_text("0\n")
    (second / "metrics.csv").write_text("step,loss\n1,0.5\n2,NaN\n3,0.25")
    (second / "model.bin").write_bytes(bytes(range(256)))
    return tmp_path / "runs"


def imported(runs: Path, *arguments: str) -> Result:
    return runner.invoke(app, ["import", *arguments, "--store", f"sqlite:///{runs.parent / 'runs.sqlite'}"])


def held(runs: Path) -> dict[str, object]:
    async def read() -> dict[str, object]:
        store = await SqliteStore.open(runs.parent / "runs.sqlite", create=False)
        found = await contents(store)
        await store.close()
        return found

    return asyncio.run(read())


def test_everything_is_taken_in_and_what_is_not_is_said(runs: Path) -> None:
    began = time.monotonic()
    shown = imported(runs, str(runs))
    assert shown.exit_code == 0, shown.output
    # Last lines without an end count at once, although files that grow are waited on for up to an hour.
    assert "imported 2 runs from 3 files: 103 points and 2 lines of text\n" in shown.output
    assert re.search(r"skipped runs/exp/first/metrics.jsonl:51: malformed JSON", shown.output)
    assert f"skipped {runs}/second/model.bin: no plugin reads it\n" in shown.output
    assert "failed" not in shown.output
    assert time.monotonic() - began < 60
    found = str(held(runs))
    for word in ("and a last one without an end", "COMPLETED", "'runs/exp/first'", "'runs/second'", "nan"):
        assert word in found


def test_running_it_again_changes_nothing(runs: Path) -> None:
    for path in [*runs.rglob("*")]:
        os.utime(path, (time.time() - 7200,) * 2)
    imported(runs, str(runs))
    before = held(runs)
    again = imported(runs, str(runs))
    assert again.exit_code == 0
    assert "imported 2 runs from 3 files: 0 points and 0 lines of text\n" in again.output
    assert "103 points and 2 lines of them were there before" in again.output
    assert "metrics.jsonl:51" in again.output
    assert held(runs) == before
    with (runs / "second" / "metrics.csv").open("a") as file:
        file.write("\n4,0.125\n")
    assert "imported 2 runs from 3 files: 1 point and 0 lines of text\n" in imported(runs, str(runs)).output


def test_names_and_workspaces_are_those_of_serve(runs: Path) -> None:
    shown = imported(runs, f"mine={runs}", str(runs / "exp" / "first" / "train.log"), "--workspace", "lab")
    assert shown.exit_code == 0, shown.output
    assert "imported 3 runs" in shown.output
    found = str(held(runs))
    assert "'mine/exp/first'" in found
    assert "name='lab'" in found


def test_what_cannot_be_read_fails_the_command_and_nothing_else(runs: Path) -> None:
    # The same part of the same run twice.
    shown = imported(runs, f"a={runs}", f"a={runs / 'exp' / '..'}")
    assert shown.exit_code == 1
    assert "failed: a: " in shown.output
    assert "is read from" in shown.output
    assert "103 points" in shown.output
    missing = imported(runs, str(runs / "nothing"))
    assert missing.exit_code == 1
    assert "does not exist" in missing.output


def test_long_lists_of_files_that_are_nobodys_are_cut(runs: Path) -> None:
    for number in range(30):
        (runs / f"{number}.pt").write_bytes(b"\0")
    assert (
        "skipped 11 more that no plugin reads (10 .pt, 1 .bin); --all lists them"
        in imported(runs, str(runs)).output
    )
    listed = imported(runs, str(runs), "--all").output
    assert listed.count("no plugin reads it") == 31


async def test_it_works_beside_a_server_on_the_same_store(runs: Path) -> None:
    async with serving("--store", "sqlite:///runs.sqlite", cwd=runs.parent) as server:
        command = [str(SCRIPT), "import", "runs", "--store", "sqlite:///runs.sqlite"]
        done = await asyncio.to_thread(
            lambda: subprocess.run(command, cwd=runs.parent, capture_output=True, text=True, check=False)
        )
        assert done.returncode == 0, done.stderr
        async with httpx.AsyncClient(timeout=30) as client:
            answer = await client.post(
                server.graphql,
                json={"query": "{ runs { nodes { runId metrics { nodes { name summary { count } } } } } }"},
            )
    counts = {
        run["runId"]: run["metrics"]["nodes"][0]["summary"]["count"]
        for run in answer.json()["data"]["runs"]["nodes"]
    }
    assert counts == {"runs/exp/first": 100, "runs/second": 3}
