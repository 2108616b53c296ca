import json
import shutil
from pathlib import Path

import pytest

from graphql_runs.ingest.testing import read, units_of
from graphql_runs.model.operation import DescribeCluster
from graphql_runs_slurm import ingester
from plugins.slurm.tests.recorded import VERSIONS, answer, said
from plugins.slurm.tests.told import families, told

NAMES = ("queue.json", "accounting.json", "nodes.json", "partitions.json")


def _keep(folder: Path, version: str, moment: str, *names: str) -> None:
    answer(folder / "all", version, moment)
    (folder / "kept").mkdir(exist_ok=True)
    for name in names or NAMES:
        shutil.copy(folder / "all" / name, folder / "kept" / f"slurm-{name}")
    shutil.rmtree(folder / "all")


@pytest.mark.parametrize("version", VERSIONS)
def test_saved_files_tell_what_the_cluster_tells(tmp_path: Path, version: str) -> None:
    _keep(tmp_path, version, "late")
    tree, units = units_of(ingester, tmp_path)
    expected = told(families(version, "late", "json"))
    index, *jobs = units
    # 22.05 prints no JSON of nodes; the files are empty.
    known = NAMES[:2] if version.startswith("22.") else NAMES
    assert sorted(path.name for path in index.files) == sorted(f"slurm-{name}" for name in known)
    assert index.index
    assert {unit.run.run_id for unit in jobs if unit.run is not None} == set(expected)
    for unit in jobs:
        assert unit.run is not None
        [delivery] = read(ingester, tree, unit)
        one = expected[unit.run.run_id]
        declared, *statuses, facts = delivery.operations
        assert declared == one.declared
        assert statuses == list(one.statuses)
        assert repr(facts).partition("queueing")[0] == repr(one.facts).partition("queueing")[0]
        assert list(read(ingester, tree, unit, delivery.checkpoint)) == []
    [described] = read(ingester, tree, index)
    clusters: list[DescribeCluster] = list(described.clusters)
    names = [] if version.startswith("22.") else ["test/main", "test/spare", "test/urgent"]
    assert [one.name for one in clusters] == names
    assert all(one.nodes for one in clusters)
    assert described.skipped == ()


def test_files_of_two_moments_are_put_together(tmp_path: Path) -> None:
    _keep(tmp_path, "24.11.5", "early", "queue.json")
    (tmp_path / "kept/slurm-queue.json").rename(tmp_path / "first.json")
    _, before = units_of(ingester, tmp_path)
    _keep(tmp_path, "24.11.5", "late", "queue.json")
    _, after = units_of(ingester, tmp_path)
    versions = {unit.key: unit.version for unit in before}
    changed = {unit.key for unit in after if versions.get(unit.key) != unit.version}
    assert "saved/slurm/test/4" in changed
    assert "saved/slurm/test/9" not in changed
    [unit] = [unit for unit in after if unit.key == "saved/slurm/test/12"]
    tree, _ = units_of(ingester, tmp_path)
    [delivery] = read(ingester, tree, unit)
    assert "attempt 2" in repr(delivery.operations)


def test_other_json_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "jobs.json").write_text(json.dumps({"jobs": [{"id": 1}], "meta": {"page": 1}}))
    (tmp_path / "list.json").write_text("[]")
    (tmp_path / "meta.json").write_text(json.dumps({"meta": {"slurm": "no"}, "jobs": []}))
    (tmp_path / "empty.json").touch()
    assert units_of(ingester, tmp_path)[1] == []


def test_a_file_that_is_cut_is_told_of(tmp_path: Path) -> None:
    _keep(tmp_path, "22.05.8", "late", "queue.json")
    (tmp_path / "cut.json").write_bytes(said("22.05.8", "late", "queue.json")[:9000])
    tree, units = units_of(ingester, tmp_path)
    [delivery] = read(ingester, tree, units[0])
    assert [(one.path, one.reason.partition(":")[0]) for one in delivery.skipped] == [
        ("cut.json", "not JSON that can be read")
    ]
    assert len(units) > 20


def test_output_that_a_file_names_is_not_read(tmp_path: Path) -> None:
    _keep(tmp_path, "24.11.5", "late", "queue.json")
    _, units = units_of(ingester, tmp_path)
    assert {unit.key.partition("/")[0] for unit in units} == {"slurm", "saved"}
