import json
from pathlib import Path

import pytest

from graphql_runs_slurm.config import SlurmConfig
from tests.repo.tree import ROOT

DOCS = (ROOT / "docs/slurm.md").read_text()


def test_every_setting_is_in_the_docs_with_its_default() -> None:
    rows: dict[str, str] = {}
    for line in DOCS.partition("## Settings")[2].splitlines():
        names, *defaults = (cell.split("`")[1::2] for cell in line.strip("|").split("|")[:2])
        if names and defaults:
            rows |= dict(
                zip(names, defaults[0] * len(names) if len(defaults[0]) == 1 else defaults[0], strict=True)
            )
    assert {name: json.loads(text) for name, text in rows.items()} == SlurmConfig().model_dump(mode="json")


def test_unknown_settings_are_errors() -> None:
    with pytest.raises(ValueError, match="Extra inputs are not permitted"):
        SlurmConfig.model_validate({"user": ["x"]})


@pytest.mark.parametrize("word", ["a;b", "$(x)", "-o", "", "a b", "ü"])
def test_filters_mean_nothing_to_a_shell(word: str) -> None:
    for name in ("users", "accounts", "partitions"):
        with pytest.raises(ValueError, match=name):
            SlurmConfig.model_validate({name: [word]})


def test_roots_are_absolute() -> None:
    with pytest.raises(ValueError, match="an absolute path is wanted"):
        SlurmConfig(log_roots=(Path("relative"),))
