"""The docs name each setting, and only settings that there are."""

import re
from pathlib import Path

from graphql_runs.server.commands import read_settings
from graphql_runs.server.config import read_config
from graphql_runs.server.settings import settings_table
from scripts.generate import settings
from tests.docs.pages import blocks, pages
from tests.repo.tree import ROOT

VARIABLE = re.compile(r"\bGRAPHQL_RUNS_[A-Z0-9_]*[A-Z0-9]\b")
# Read by the test suite alone.
FOR_TESTS = {"GRAPHQL_RUNS_TEST_MONGODB_URI"}
NAMES_A_FILE = {"GRAPHQL_RUNS_CONFIG"}


def test_the_table_is_what_the_code_says() -> None:
    page = (ROOT / "docs" / "settings.md").read_text()
    assert page == settings(page)


def test_no_page_names_a_setting_that_is_not_there() -> None:
    known = set(VARIABLE.findall(settings_table())) | FOR_TESTS | NAMES_A_FILE
    assert known > FOR_TESTS | NAMES_A_FILE
    named = [(page, name) for page in pages() for name in VARIABLE.findall((ROOT / page).read_text())]
    assert [f"{page}: {name}" for page, name in named if name not in known] == []


def test_the_files_that_are_shown_are_such(tmp_path: Path) -> None:
    shown = [one for one in blocks("toml") if "[[sources]]" in one.code or "[server]" in one.code]
    assert shown
    for block in shown:
        path = tmp_path / "graphql-runs.toml"
        path.write_text(block.code)
        read_settings(read_config(path))
