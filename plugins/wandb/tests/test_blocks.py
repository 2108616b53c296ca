"""Whatever bytes a log holds: no crash, nothing invented, and damage stays where it is."""

from __future__ import annotations

import io
import struct
import zlib
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile

from hypothesis import given, settings
from hypothesis import strategies as st

from graphql_runs.ingest.wire import Malformed
from graphql_runs_wandb.blocks import BLOCK, HEADER, records
from graphql_runs_wandb.message import message


def framed(parts: list[bytes]) -> bytes:
    """A log of these records, cut at the blocks."""
    out = bytearray(HEADER)
    for data in parts:
        rest, first = data, True
        while True:
            room = BLOCK - len(out) % BLOCK
            if room < 7:
                out += bytes(room)
                room = BLOCK
            piece, rest = rest[: room - 7], rest[room - 7 :]
            kind = (1 if first else 4) if not rest else (2 if first else 3)
            out += struct.pack("<IHB", zlib.crc32(bytes([kind]) + piece), len(piece), kind) + piece
            first = False
            if not rest:
                break
    return bytes(out)


def read(data: bytes, limit: int = 1 << 20) -> tuple[list[bytes], list[str], int]:
    found, remarks, end = [], [], 0
    with NamedTemporaryFile() as file:
        Path(file.name).write_bytes(data)
        with io.FileIO(file.name) as opened:
            for record in records(opened, 0, limit):
                end = record.end
                if record.data is not None:
                    found.append(record.data)
                if record.remark:
                    remarks.append(record.remark)
    return found, remarks, end


SIZES = st.lists(st.integers(0, 50_000), max_size=6)


@settings(max_examples=50, deadline=None)
@given(SIZES)
def test_records_of_any_length_come_back(sizes: list[int]) -> None:
    parts = [bytes([index]) * size for index, size in enumerate(sizes)]
    log = framed(parts)
    found, remarks, end = read(log)
    assert (found, remarks) == (parts, [])
    assert end == (len(log) if parts else 0)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(1, 20_000), min_size=2, max_size=8), st.data())
def test_damage_costs_no_more_than_its_block_and_what_reaches_into_it(
    sizes: list[int], data: st.DataObject
) -> None:
    parts = [bytes([index]) * size for index, size in enumerate(sizes)]
    log = bytearray(framed(parts))
    place = data.draw(st.integers(len(HEADER), len(log) - 1))
    log[place] ^= data.draw(st.integers(1, 255))
    found, _, _ = read(bytes(log))
    # Nothing is invented, and the order stays.
    assert [one for one in parts if one in found] == found


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=3000))
def test_any_bytes_can_be_read(data: bytes) -> None:
    read(HEADER + data)
    with suppress(Malformed):
        message(data)


def test_a_record_over_the_limit_is_passed_over() -> None:
    found, remarks, _ = read(framed([b"x" * 100_000, b"small"]), limit=1000)
    assert found == [b"small"]
    assert "over the limit" in remarks[0]
