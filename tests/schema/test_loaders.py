from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence

import pytest

from graphql_runs.schema.loaders import Loader


async def value_of(loader: Loader[str], id: str) -> str | None:
    found = loader.load(id)
    return await found if isinstance(found, Awaitable) else found


async def test_what_is_asked_for_in_one_turn_is_read_once() -> None:
    read: list[Sequence[str]] = []

    async def reading(ids: Sequence[str]) -> list[str | None]:
        read.append(ids)
        return [None if id == "none" else f"value of {id}" for id in ids]

    loader = Loader(reading)
    found = await asyncio.gather(*(value_of(loader, id) for id in ("a", "b", "a", "none")))
    assert found == ["value of a", "value of b", "value of a", None]
    assert read == [["a", "b", "none"]]
    assert loader.load("a") == "value of a"


async def test_who_is_cancelled_takes_nothing_from_others() -> None:
    go_on = asyncio.Event()

    async def reading(ids: Sequence[str]) -> list[str | None]:
        await go_on.wait()
        return [f"value of {id}" for id in ids]

    loader = Loader(reading)
    first, second = [asyncio.ensure_future(value_of(loader, "a")) for _ in range(2)]
    await asyncio.sleep(0)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    go_on.set()
    assert await second == "value of a"
