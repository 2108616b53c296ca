from __future__ import annotations

from pathlib import Path

import pytest
from tests.store.contract import StoreContract
from tests.store.samples import Place


class TestSqliteStore(StoreContract):
    __test__ = True

    @pytest.fixture
    def place(self, tmp_path: Path) -> Place:
        return Place("tests.store.opening:sqlite", str(tmp_path / "store.sqlite"))
