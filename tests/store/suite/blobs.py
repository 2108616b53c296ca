"""Blobs: content by its hash."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator

import pytest

from graphql_runs.model.errors import LimitExceeded, NotFound
from graphql_runs.store.port import Store
from tests.store.samples import Place, chunks
from tests.store.suite.base import Suite

DATA = bytes(range(256)) * 10_000


async def read(store: Store, sha256: str, start: int = 0, end: int = 1 << 60) -> bytes:
    parts = [part async for part in store.read_blob(sha256, start, end)]
    assert all(0 < len(part) <= 1 << 20 for part in parts)
    return b"".join(parts)


class Blobs(Suite):
    """See the module."""

    async def test_a_blob_by_its_hash(self, store: Store, place: Place) -> None:
        sha256, size = await store.put_blob(
            chunks(DATA[:100], b"", DATA[100:2_000_000], DATA[2_000_000:]), limit=10**7
        )
        assert (sha256, size) == (hashlib.sha256(DATA).hexdigest(), len(DATA))
        assert await store.blob_size(sha256) == len(DATA)
        assert await read(store, sha256) == DATA
        await store.close()
        again = await place.open()
        assert await read(again, sha256) == DATA
        await again.close()

    @pytest.mark.parametrize(
        ("start", "end"),
        [(0, 0), (0, 1), (5, 300), (1 << 20, (1 << 21) + 1), (2_559_999, 2_560_000), (2_559_990, 1 << 40)],
    )
    async def test_ranges(self, store: Store, start: int, end: int) -> None:
        sha256, _ = await store.put_blob(chunks(DATA), limit=10**7)
        assert await read(store, sha256, start, end) == DATA[start:end]

    async def test_beyond_the_end_is_nothing(self, store: Store) -> None:
        sha256, _ = await store.put_blob(chunks(b"abc"), limit=3)
        assert await read(store, sha256, 3, 10) == b""
        assert await read(store, sha256, 99, 100) == b""
        assert await read(store, sha256, 2, 1) == b""

    async def test_nothing_is_content_too(self, store: Store) -> None:
        sha256, size = await store.put_blob(chunks(), limit=0)
        assert (sha256, size) == (hashlib.sha256(b"").hexdigest(), 0)
        assert await store.blob_size(sha256) == 0
        assert await read(store, sha256) == b""

    async def test_past_the_limit_nothing_is_kept(self, store: Store) -> None:
        with pytest.raises(LimitExceeded):
            await store.put_blob(chunks(b"abc", b"d"), limit=3)
        for kept in (b"abc", b"abcd"):
            assert await store.blob_size(hashlib.sha256(kept).hexdigest()) is None

    async def test_a_producer_that_breaks_off(self, store: Store) -> None:
        async def broken() -> AsyncIterator[bytes]:
            yield b"abc"
            raise ConnectionResetError("gone")

        with pytest.raises(ConnectionResetError):
            await store.put_blob(broken(), limit=10)
        assert await store.blob_size(hashlib.sha256(b"abc").hexdigest()) is None

    async def test_the_same_content_at_once_and_again(self, store: Store) -> None:
        kept = await asyncio.gather(*(store.put_blob(chunks(DATA), limit=10**7) for _ in range(4)))
        assert len(set(kept)) == 1
        await store.put_blob(chunks(DATA), limit=10**7)
        assert await read(store, kept[0][0]) == DATA

    @pytest.mark.parametrize(
        "sha256", ["ab" * 32, "", "../../etc/passwd", "AB" * 32, "ab" * 32 + "\n", "é" * 64, "x" * 64]
    )
    async def test_a_blob_that_is_not_there(self, store: Store, sha256: str) -> None:
        assert await store.blob_size(sha256) is None
        with pytest.raises(NotFound):
            await read(store, sha256)
