"""A short run of random operations; `uv run just fuzz` goes on for ten minutes."""

from __future__ import annotations

import asyncio
from collections import Counter
from functools import partial
from pathlib import Path

import pytest

from tests.server.fuzzing import Fuzz
from tests.server.local import local
from tests.server.plenty import filled, known
from tests.server.schemathesising import schemathesised
from tests.server.soundness import SECONDS, Unsound, count, read


async def test_random_operations_are_answered_as_they_have_to_be(tmp_path: Path) -> None:
    async with local(await filled(tmp_path / "runs.sqlite"), request_seconds=SECONDS) as server:
        fuzz = Fuzz(server, 1, known=known())
        await fuzz.run(most=250, seconds=10)
    # If hardly any were sound, what lies behind the checks of arguments was never reached.
    assert fuzz.done > 20
    assert fuzz.codes["OK"] > fuzz.done / 4, fuzz.codes


async def test_operations_of_schemathesis_are(tmp_path: Path) -> None:
    async with local(await filled(tmp_path / "runs.sqlite"), request_seconds=SECONDS) as server:
        drawn = partial(schemathesised, server.address, 1, seconds=7, examples=4)
        codes = await asyncio.to_thread(drawn)
    assert codes["OK"] > 0, codes


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (500, b"Internal Server Error"),
        (200, b"{"),
        (200, b"[]"),
        (200, b"{}"),
        (200, b'{"errors": [{"message": "x", "extensions": {"code": "INTERNAL"}}]}'),
        (200, b'{"data": null, "errors": [{"message": "x"}]}'),
    ],
)
def test_what_is_unsound_is_found(status: int, body: bytes) -> None:
    with pytest.raises(Unsound):
        count(read(status, body), Counter())
