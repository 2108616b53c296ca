"""The runner measures a real server; nothing here asserts how fast it is."""

import subprocess
import sys
from pathlib import Path

from pydantic import TypeAdapter

from benchmarks.figure import Report
from tests.repo.tree import ROOT


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=150, check=False)


def test_a_workload_is_measured_checked_and_shown(tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    done = run("w1", "--quick", "--json", file)
    assert done.returncode == 0, done.stderr
    assert "uv run just bench W1" in done.stdout
    assert "1,500 calls/s" in done.stdout
    report = TypeAdapter(Report).validate_json(file.read_bytes())
    assert {figure.workload for figure in report.figures} == {"W1"}
    assert report.quick
    for figure in report.figures:
        assert len(figure.values) == 3
        assert min(figure.values) > 0
        assert "read back" in figure.checked
    assert [len(other.values) for other in report.figures[0].beside] == [3, 3]


def test_an_unknown_workload_is_refused() -> None:
    done = run("W1", "W99")
    assert done.returncode == 2
    assert "W99" in done.stderr
    assert "W2b" in done.stderr
