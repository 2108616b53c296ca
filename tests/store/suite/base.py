"""What every part of the suite starts from."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from graphql_runs.store.port import Store
from tests.store.samples import Place


class Suite:
    """Fixtures: where an empty store is, and that store, opened."""

    __test__ = False

    @pytest.fixture
    def place(self) -> Place:
        """A place with no store yet. Every store's tests override this."""
        raise NotImplementedError

    @pytest.fixture
    async def store(self, place: Place) -> AsyncIterator[Store]:
        store = await place.open()
        yield store
        await store.close()
