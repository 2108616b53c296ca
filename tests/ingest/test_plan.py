from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from graphql_runs.ingest.api import Ingester, Limits, RunFolder, Tree, Unit
from graphql_runs.ingest.plan import Plan, make_plan
from graphql_runs.ingest.scan import Walker
from tests.ingest.plugin import Points


def planned(folder: Path, plugins: Sequence[Ingester]) -> Plan:
    walk = Walker(folder, Limits(), lambda: False).walk({})
    return make_plan(folder, "src", walk.files, plugins)


def write(folder: Path, *paths: str) -> None:
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text("a 1\n")


class Greedy(Points):
    """Takes every file, each into a unit of its own."""

    def units(self, tree: Tree) -> Iterator[Unit]:
        for file in tree.files:
            yield Unit(str(file.path), tree.owner(file.path), (file.path,))


class Twice(Points):
    """Takes every file twice."""

    def units(self, tree: Tree) -> Iterator[Unit]:
        for file in tree.files:
            yield Unit(f"1/{file.path}", tree.owner(file.path), (file.path,))
            yield Unit(f"2/{file.path}", tree.owner(file.path), (file.path,))


class Same(Points):
    """Gives all units of a run one key."""

    def units(self, tree: Tree) -> Iterator[Unit]:
        for file in tree.files:
            yield Unit("same", tree.owner(file.path), (file.path,))


class Broken(Points):
    def runs(self, tree: Tree) -> Iterator[RunFolder]:
        yield RunFolder(PurePosixPath("run"), "half", "half")
        raise RuntimeError("it broke")


def test_a_file_goes_to_the_first_plugin_that_takes_it(tmp_path: Path) -> None:
    write(tmp_path, "run/a.points", "run/b.txt")
    plan = planned(tmp_path, [Points(), Greedy("rest")])
    assert [(share.plugin.name, [unit.key for unit in share.units]) for share in plan.shares] == [
        ("points", ["a.points"]),
        ("rest", ["run/b.txt"]),
    ]
    assert {str(path) for path in plan.taken} == {"run/a.points", "run/b.txt"}


def test_a_plugin_sees_only_what_is_left(tmp_path: Path) -> None:
    write(tmp_path, "run/a.points", "run/b.txt")
    _, rest = planned(tmp_path, [Points(), Greedy("rest")]).shares
    assert [str(file.path) for file in rest.tree.files] == ["run/b.txt"]


def test_a_folder_is_claimed_by_the_first_plugin_and_known_to_all(tmp_path: Path) -> None:
    write(tmp_path, "run/a.points", "run/b.txt")
    (tmp_path / "run/claim").write_text("mine")
    first, second = planned(tmp_path, [Points(), Greedy("rest")]).shares
    assert [run.run_id for run in first.runs] == ["mine"]
    assert second.runs == []
    assert {unit.run.run_id for unit in second.units if unit.run} == {"mine"}


def test_a_plugin_that_breaks_takes_nothing_and_the_others_go_on(tmp_path: Path) -> None:
    write(tmp_path, "run/a.points", "run/break-units")
    broken, units, greedy = planned(tmp_path, [Broken("broken"), Points(), Greedy("rest")]).shares
    assert broken.error == "RuntimeError: it broke"
    assert units.error == "RuntimeError: units broke"
    assert (broken.units, units.units) == ([], [])
    assert [unit.key for unit in greedy.units] == ["run/a.points", "run/break-units"]
    assert {unit.run.run_id for unit in greedy.units if unit.run} == {"src/run"}


def test_a_file_is_read_by_one_unit_only(tmp_path: Path) -> None:
    write(tmp_path, "run/a")
    [share] = planned(tmp_path, [Twice()]).shares
    assert [unit.key for unit in share.units] == ["1/run/a"]
    assert [(one.path, one.reason) for one in share.skipped] == [
        ("run/a", "another unit than '2/run/a' reads this file already")
    ]


def test_a_key_stands_for_one_unit_of_a_run_tree(tmp_path: Path) -> None:
    write(tmp_path, "run/a", "run/b", "other/c")
    [share] = planned(tmp_path, [Same()]).shares
    assert [str(unit.files[0]) for unit in share.units] == ["other/c", "run/a"]
    assert [(one.path, "run/a" in one.reason) for one in share.skipped] == [("run/b", True)]
