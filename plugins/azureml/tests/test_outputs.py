"""Outputs are told where they lie, and again when they change."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from graphql_runs.model.operation import AddArtifact
from graphql_runs_azureml import AzureMLIngester
from plugins.azureml.tests.builder import details, put, read, tree_of


def test_outputs_by_location(tmp_path: Path) -> None:
    put(tmp_path / "r", {"run_details.json": details("r")})
    put(
        tmp_path / "r",
        {
            "outputs/plots/loss.png": b"\x89PNG",
            "outputs/model.unknown": "",
            "logs/events.out.tfevents.1.h": "e",
            "named-outputs/data/a.csv": "x",
        },
        1000,
    )
    found = {artifact.path: artifact for artifact in read(tmp_path).of(AddArtifact)}
    assert found.keys() == {
        "outputs/plots/loss.png",
        "outputs/model.unknown",
        "logs/events.out.tfevents.1.h",
        "named-outputs/data/a.csv",
    }
    assert found["outputs/plots/loss.png"] == AddArtifact(
        "r",
        "outputs/plots/loss.png",
        4,
        content_type="image/png",
        location=str(tmp_path / "r/outputs/plots/loss.png"),
        created_at=1_000_000_000,
    )
    assert found["outputs/model.unknown"].content_type is None


def test_changes_are_told(tmp_path: Path) -> None:
    put(tmp_path / "r", {"run_details.json": details("r"), **{f"outputs/{k}.txt": "x" for k in range(300)}})
    first = read(tmp_path)
    assert len(first.of(AddArtifact)) == 300
    assert read(tmp_path, first.checkpoints).of(AddArtifact) == []
    put(tmp_path / "r", {"outputs/7.txt": "grown", "outputs/new.txt": "n"})
    second = read(tmp_path, first.checkpoints)
    sizes = {artifact.path: artifact.size for artifact in second.of(AddArtifact)}
    assert (sizes["outputs/7.txt"], sizes["outputs/new.txt"]) == (5, 1)
    # Files share groups, so a few others may be told again, but not all of them.
    assert len(sizes) < 20
    assert len(str(second.checkpoints["outputs/r"])) < 10_000


def test_an_output_that_goes_is_no_error(tmp_path: Path) -> None:
    put(tmp_path / "r", {"run_details.json": details("r"), "outputs/a.txt": "x", "outputs/b.txt": "y"})
    first = read(tmp_path)
    (tmp_path / "r/outputs/a.txt").unlink()
    second = read(tmp_path, first.checkpoints)
    assert second.errors == []
    assert {artifact.path for artifact in second.of(AddArtifact)} <= {"outputs/b.txt"}


def test_outputs_are_watched_and_not_taken(tmp_path: Path) -> None:
    put(
        tmp_path / "r",
        {
            "run_details.json": details("r"),
            "outputs/deep/metrics.jsonl": "{}\n",
            "logs/events.out.tfevents.1.h": "e",
        },
    )
    [unit] = [unit for unit in AzureMLIngester().units(tree_of(tmp_path)) if unit.key == "outputs/r"]
    assert unit.files == ()
    assert set(unit.watches) == {
        PurePosixPath(f"r/{name}") for name in ("outputs", "logs/events.out.tfevents.1.h", "run_details.json")
    }


def test_outputs_of_downloads(tmp_path: Path) -> None:
    put(tmp_path / "r/artifacts", {"user_logs/std_log.txt": "x\n", "outputs/a.txt": "x"})
    [unit] = [unit for unit in AzureMLIngester().units(tree_of(tmp_path)) if unit.key == "outputs/r"]
    assert unit.watches == (PurePosixPath("r/artifacts/outputs"),)
    assert [artifact.path for artifact in read(tmp_path).of(AddArtifact)] == ["outputs/a.txt"]


def test_links_out_of_the_outputs_are_no_outputs(tmp_path: Path) -> None:
    put(tmp_path / "r", {"run_details.json": details("r"), "outputs/a.txt": "x"})
    (tmp_path / "r/outputs/passwd").symlink_to("/etc/passwd")
    assert [artifact.path for artifact in read(tmp_path).of(AddArtifact)] == ["outputs/a.txt"]
