"""Every module lies in a room of the design, and the table of rooms says what import-linter enforces."""

import re
import tomllib
from typing import Any

from tests.repo.tree import ROOT, files

PACKAGE = "graphql_runs"
Imports = dict[str, set[str]]


def contracts() -> list[dict[str, Any]]:
    """The contracts of import-linter."""
    found: list[dict[str, Any]] = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"][
        "importlinter"
    ]["contracts"]
    return found


def room(module: str) -> str:
    """A module's room as the table writes it; a module inside a room that alone may be imported is put in brackets."""
    names = module.removeprefix(f"{PACKAGE}.").split(".")
    if module.startswith(f"{PACKAGE}_"):
        return "plugins"
    inner = [name for name in names[1:] if not name.startswith("*")]
    return names[0] + (f" ({inner[0]})" if inner else "")


def enforced() -> Imports:
    """For each room the rooms it may import, by the contracts."""
    table: Imports = {
        room(module): set() for contract in contracts() for module in contract["protected_modules"]
    }
    for contract in contracts():
        for importer in contract["allowed_importers"]:
            table[room(importer)].update(map(room, contract["protected_modules"]))
        for expression in contract.get("ignore_imports", ()):
            importer, imported = expression.split(" -> ")
            table[importer.removeprefix(f"{PACKAGE}.").removesuffix(".**")].add(room(imported))
    return table


def documented() -> Imports:
    """For each room the rooms it may import, by the table in CONTRIBUTING.md."""
    rows = re.findall(
        r"^\| `([^`]+)` \| [^|]+ \| ([^|]+) \|$", (ROOT / "CONTRIBUTING.md").read_text(), re.MULTILINE
    )
    return {
        name.removesuffix("/").removesuffix(".py"): set()
        if allowed == "nothing of ours"
        else set(allowed.split(", "))
        for name, allowed in rows
    }


def test_contracts_protect_rooms_and_nothing_else() -> None:
    assert {contract["type"] for contract in contracts()} == {"protected"}


def test_the_documented_table_is_the_enforced_one() -> None:
    assert documented() == enforced()


def test_every_module_is_in_a_room() -> None:
    rooms = set(enforced())
    modules = [path for path in files() if path.parts[0] == PACKAGE and path.suffix == ".py"]
    assert modules
    strangers = [
        str(path) for path in modules if path.parts[1].removesuffix(".py") not in rooms | {"__init__"}
    ]
    assert strangers == []


def test_modules_have_lower_case_names() -> None:
    names = re.compile(r"(__[a-z]+__|[a-z][a-z0-9_]*)\.py")
    modules = [path for path in files() if path.suffix == ".py" and not path.name.startswith("test_")]
    assert [str(path) for path in modules if not names.fullmatch(path.name)] == []


def test_plugins_are_found_by_their_entry_point() -> None:
    for manifest in (
        path for path in files() if path.parts[0] == "plugins" and path.name == "pyproject.toml"
    ):
        project = tomllib.loads((ROOT / manifest).read_text())["project"]
        name = manifest.parts[1]
        assert project["name"] == f"graphql-runs-{name}"
        besides = {
            "graphql_runs.receivers": {name: f"graphql_runs_{name}.receiver:receiver"},
            "graphql_runs.remotes": {name: f"graphql_runs_{name}:remote"},
        }
        given = project["entry-points"]
        ingesters = {"graphql_runs.ingesters": {name: f"graphql_runs_{name}:ingester"}}
        assert given == ingesters | {group: besides.get(group) for group in given.keys() - ingesters.keys()}
