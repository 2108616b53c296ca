"""The pins hold the whole tree, exactly."""

import tomllib

import pytest

from scripts.pin import (
    BUILD,
    RUNTIME,
    PinError,
    build_requirements,
    locked_pins,
    name_of,
    read_pins,
    write_pins,
)
from tests.repo.tree import ROOT

MANIFEST = """\
[tool.uv]
# why
constraint-dependencies = [
    "old==1",
]
build-constraint-dependencies = [
]

[tool.uv.workspace]
members = ["plugins/*"]
"""


def test_the_pins_of_a_lock_are_its_registry_packages() -> None:
    lock = {
        "package": [
            {"name": "b", "version": "2.1", "source": {"registry": "r"}},
            {"name": "a", "version": "1.0", "source": {"registry": "r"}},
            {"name": "ours", "version": "0.1", "source": {"editable": "."}},
        ]
    }
    assert locked_pins(lock) == ("a==1.0", "b==2.1")


def test_several_versions_of_a_package_keep_their_markers() -> None:
    registry = {"registry": "r"}
    old = {"name": "a", "version": "1", "source": registry, "resolution-markers": ["python_version < '3.12'"]}
    markers = ["python_version >= '3.15'", "python_version >= '3.12'"]
    new = {"name": "a", "version": "2", "source": registry, "resolution-markers": markers}
    assert locked_pins({"package": [old, new]}) == (
        "a==1 ; python_version < '3.12'",
        "a==2 ; (python_version >= '3.15') or (python_version >= '3.12')",
    )


def test_only_the_list_is_rewritten() -> None:
    written = write_pins(MANIFEST, RUNTIME, ["a==1", "b==2"])
    assert read_pins(written, RUNTIME) == ("a==1", "b==2")
    assert write_pins(written, RUNTIME, ["old==1"]) == MANIFEST
    assert read_pins(write_pins(MANIFEST, BUILD, ["hatchling==1"]), RUNTIME) == ("old==1",)


def test_a_manifest_without_the_list_is_an_error() -> None:
    with pytest.raises(PinError, match=f"needs one `{RUNTIME}"):
        write_pins("[tool.uv]\n", RUNTIME, [])


def test_build_hooks_count_as_build_requirements() -> None:
    manifest = """
        [build-system]
        requires = ["hatchling"]
        [tool.hatch.build.hooks.custom]
        dependencies = ["everywhere"]
        [tool.hatch.build.targets.wheel.hooks.custom]
        dependencies = ["in-wheels"]
    """
    assert build_requirements([manifest]) == ("everywhere", "hatchling", "in-wheels")


def test_every_dependency_of_the_repository_is_pinned() -> None:
    manifest = tomllib.loads((ROOT / "pyproject.toml").read_text())
    project = manifest["project"]
    wanted = [
        *project["dependencies"],
        *(requirement for extra in project["optional-dependencies"].values() for requirement in extra),
        *(requirement for group in manifest["dependency-groups"].values() for requirement in group),
    ]
    pins = read_pins((ROOT / "pyproject.toml").read_text(), RUNTIME)
    assert list(pins) == sorted(pins)
    assert all("==" in pin for pin in pins)
    ours = {
        "graphql-runs",
        "graphql-runs-text",
        "graphql-runs-tabular",
        "graphql-runs-azureml",
        "graphql-runs-tensorboard",
        "graphql-runs-wandb",
        "graphql-runs-mlflow",
        "graphql-runs-slurm",
    }
    assert {name_of(requirement) for requirement in wanted} - ours <= {name_of(pin) for pin in pins}
