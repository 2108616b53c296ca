"""The contract suite: what every store has to do, but for finding runs, which `searching` has. A store's tests inherit it, set
`__test__` and override `place`:

    class TestMyStore(StoreContract):
        __test__ = True

        @pytest.fixture
        def place(self, tmp_path: Path) -> Place:
            return Place("tests.store.opening:mine", str(tmp_path / "store"))
"""

from __future__ import annotations

from tests.store.suite.batches import Batches
from tests.store.suite.blobs import Blobs
from tests.store.suite.processes import Processes
from tests.store.suite.records import Records
from tests.store.suite.removal import Removal
from tests.store.suite.streams import Streams
from tests.store.suite.wakes import Wakes
from tests.store.suite.whole import Whole


class StoreContract(Records, Batches, Streams, Removal, Wakes, Blobs, Whole, Processes):
    """All of it."""

    __test__ = False
