from __future__ import annotations

import sys
import types
from importlib.metadata import EntryPoint, EntryPoints

import pytest

from graphql_runs.ingest import plugins
from graphql_runs.ingest.plugins import find_plugins, load_plugins
from tests.ingest.plugin import Points


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    """A module whose attributes are entry points of their names, besides one that does not import."""
    module = types.ModuleType("plugins_for_tests")
    monkeypatch.setitem(sys.modules, module.__name__, module)

    def points(*, group: str) -> EntryPoints:
        if group != "graphql_runs.ingesters":
            return EntryPoints()
        names = [name for name in vars(module) if not name.startswith("__")]
        found = [EntryPoint(name, f"{module.__name__}:{name}", group) for name in names]
        return EntryPoints([*found, EntryPoint("missing", "no_such_module:ingester", group)])

    monkeypatch.setattr(plugins, "entry_points", points)
    return module


def test_the_plugins_of_this_repository_are_found_in_order() -> None:
    loaded = load_plugins()
    precedences = [one.precedence for one in loaded]
    assert precedences == sorted(precedences, reverse=True)
    assert {"azureml", "tabular", "text"} <= {one.name for one in loaded}
    reports = {report.name: report for report in loaded.reports}
    assert reports["text"].package == "graphql-runs-text"
    assert reports["text"].version
    assert reports["text"].error is None
    assert reports["text"].description == next(one.description for one in loaded if one.name == "text")


def test_a_plugin_that_does_not_import_is_reported_and_the_others_load(installed: types.ModuleType) -> None:
    installed.points = Points()  # type: ignore[attr-defined]  # a module made for the test
    loaded = load_plugins()
    assert [one.name for one in loaded] == ["points"]
    [error] = [report.error for report in loaded.reports if report.name == "missing"]
    assert error is not None
    assert "ModuleNotFoundError" in error


def test_an_object_that_is_no_plugin_is_reported(installed: types.ModuleType) -> None:
    installed.points = Points("another")  # type: ignore[attr-defined]  # a module made for the test
    installed.nothing = object()  # type: ignore[attr-defined]  # likewise
    installed.folder = Points("folder")  # type: ignore[attr-defined]  # likewise
    errors = {found.report.name: found.report.error for found in find_plugins()}
    assert errors["points"] == "its name is 'another', its entry point's 'points'"
    assert errors["nothing"] == "name is not a str: None"
    assert errors["folder"] == "the name 'folder' is the host's own"
    assert len(load_plugins()) == 0


def test_only_allowed_plugins_are_imported(installed: types.ModuleType) -> None:
    installed.points = Points()  # type: ignore[attr-defined]  # a module made for the test
    found = find_plugins(["points", "unknown"])
    assert {one.report.name: one.report.error for one in found} == {
        "points": None,
        "unknown": "it is not installed",
    }
