"""The embedded store does what every store has to do."""

from pathlib import Path

import pytest

from tests.store.contract import StoreContract
from tests.store.samples import Place
from tests.store.searching import SearchContract


class TestSqlite(StoreContract):
    __test__ = True

    @pytest.fixture
    def place(self, tmp_path: Path) -> Place:
        return Place("tests.store.opening:sqlite", str(tmp_path / "runs.sqlite"))


class TestSearch(SearchContract):
    __test__ = True
    opener = "sqlite"
