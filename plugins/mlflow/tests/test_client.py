"""MLflow's own clients, unmodified, against a server."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest

from plugins.mlflow.tests.stores import VERSIONS, said_by
from tests.docs.pages import blocks
from tests.server.processes import ServerProcess, serving

CLIENT = Path(__file__).with_name("client.py")
TREE = """
query($id: ID!) { run(id: $id, workspace: "default") {
  name status source description experiment { name } startedAt endedAt
  tags { key value } params { key value } properties { key value }
  children { nodes { runId status parent { runId } } }
  metric(name: "loss") { summary { count } series { x y } }
  artifacts { nodes { path size } }
} }
"""


@pytest.mark.parametrize("version", [one for one in VERSIONS if one != "1.30.1"])
async def test_a_client_gets_back_what_it_logged(version: str, tmp_path: Path) -> None:
    async with serving("--store", "sqlite:///runs.sqlite", cwd=tmp_path) as server:
        said = await asyncio.to_thread(said_by, version, CLIENT, tmp_path, server.address)
        parent = await run_of(server, said["ids"]["parent"])
        bad = await run_of(server, said["ids"]["bad"])
        default = await run_of(server, said["ids"]["default"])
    _check_tracked(said)
    assert said["hand"] == {
        "values": True,
        "steps": [999, 2**40],
        "times": [0, 1, 2],
        "name": "renamed",
        "status": "KILLED",
        "tags": {"t": "x", "mlflow.note.content": "changed"},
        "again": "INVALID_PARAMETER_VALUE",
        "same": "nothing was refused",
        "never": "RESOURCE_DOES_NOT_EXIST",
    }
    _check_search(said["search"])
    _check_experiments(said["experiments"])
    assert said["outputs"] == {
        "root": [["configs", True], ["data", True], ["note.txt", False]],
        "inner": [["data/big.bin", 1_280_000]],
        "file": [],
        "same": True,
        "all": ["configs/run.json", "data/big.bin", "note.txt"],
        "missing": True,
    }
    assert said["unknown run"] == "RESOURCE_DOES_NOT_EXIST"
    _check_ours(said, parent)
    assert bad["status"] == "FAILED"
    assert default["experiment"] == {"name": "Default"}


async def test_autolog_works_with_the_model_that_it_logs(tmp_path: Path) -> None:
    async with serving("--store", "sqlite:///runs.sqlite", cwd=tmp_path) as server:
        needs = ("scikit-learn", "pandas", "matplotlib")
        said = await asyncio.to_thread(
            lambda: said_by("3.17.2", CLIENT, tmp_path, server.address, "autolog", needs=needs)
        )
    assert {"training_score", "training_accuracy_score"} <= set(said.pop("metrics"))
    assert said == {
        "version": "3.17.2",
        "status": "FINISHED",
        "iterations": "1000",
        "datasets": 1,
        "models": ["READY"],
        "outputs": [True],
        "files": True,
    }


async def test_the_job_of_the_docs_works(tmp_path: Path) -> None:
    [code] = [one.code for one in blocks("python") if one.page == Path("docs/mlflow.md")]
    script = tmp_path / "job.py"
    async with serving("--store", "sqlite:///runs.sqlite", cwd=tmp_path) as server:
        script.write_text(
            f'import json, os\nos.environ["MLFLOW_TRACKING_URI"] = "{server.address}"\n{code}'
            'print(json.dumps({"version": mlflow.__version__, "id": run.info.run_id, "best": best[0].info.run_name}))\n'
        )
        said = await asyncio.to_thread(said_by, "3.17.2", script, tmp_path)
        run = await run_of(server, said["id"])
    assert said["best"] == "fold 1"
    assert (run["name"], run["status"], run["metric"]["summary"]["count"]) == ("first try", "COMPLETED", 10)


async def run_of(server: ServerProcess, id: str) -> Any:
    async with httpx.AsyncClient(timeout=30) as client:
        answer = await client.post(server.graphql, json={"query": TREE, "variables": {"id": id}})
    found = answer.json()
    assert "errors" not in found, found
    return found["data"]["run"]


def _check_tracked(said: Any) -> None:
    parent = said["parent"]
    user = parent["tags"].pop("mlflow.user")
    assert user
    assert parent == {
        "metrics": {"acc": "0.5", "f1": "0.25", "loss": "-2.5", "no step": "7.0"},
        "params": {"lr": "0.1", "model/name": "mlp", "words": "ünï"},
        "tags": {"team": "a b", "late": "yes", "mlflow.note.content": "hello", "mlflow.runName": "parent"},
        "status": "FINISHED",
        "seconds": True,
    }
    values = ["1.0", "0.5", "nan", "inf", "-inf", "1e-308", "-2.5"]
    assert said["loss"] == [[value, step] for step, value in enumerate(values)]
    assert said["nothing"] == 0


def _check_search(found: Any) -> None:
    assert found == {
        "params": ["child 1"],
        "metric": ["child 2", "child 1"],
        "children": ["child 0", "child 1", "child 2"],
        "status": ["bad"],
        "tag": ["parent"],
        "ids": ["bad"],
        "pages": [["bad", "child 0"], ["child 1", "child 2"]],
        "wrong": "INVALID_PARAMETER_VALUE",
        "order": "INVALID_PARAMETER_VALUE",
        "deleted": ["bad"],
        "stage": "deleted",
        "closed": "INVALID_PARAMETER_VALUE",
        "restored": 6,
    }


def _check_experiments(found: Any) -> None:
    assert found == {
        "tags": {"team": "x", "more": "y"},
        "by name": True,
        "missing": True,
        "taken": "RESOURCE_ALREADY_EXISTS",
        "unknown": "RESOURCE_DOES_NOT_EXIST",
        "all": ["Default", "second", "third", "vision/größe"],
        "filtered": ["second"],
        "tagged": ["second"],
        "ordered": ["vision/größe", "third"],
        "page": 1,
        "other": True,
    }


def _check_ours(said: Any, parent: Any) -> None:
    """What our own API says of the same run."""
    assert (parent["name"], parent["status"], parent["source"]) == ("parent", "COMPLETED", "mlflow")
    assert parent["description"] == "hello"
    assert parent["experiment"] == {"name": "vision/größe"}
    assert parent["startedAt"] <= parent["endedAt"]
    assert {"key": "team", "value": "a b"} in parent["tags"]
    assert not [tag for tag in parent["tags"] if tag["key"].startswith("mlflow.")]
    assert "mlflow.user" in {one["key"] for one in parent["properties"]}
    assert sorted(child["runId"] for child in parent["children"]["nodes"]) == sorted(said["ids"]["children"])
    assert {child["status"] for child in parent["children"]["nodes"]} == {"COMPLETED"}
    assert parent["metric"]["summary"]["count"] == 7
    assert {one["path"] for one in parent["artifacts"]["nodes"]} == {
        "configs/run.json",
        "data/big.bin",
        "note.txt",
    }
