"""Whatever bytes a file holds: no crash, no endless work, and nothing invented."""

from __future__ import annotations

import io
import struct
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile

from hypothesis import given
from hypothesis import strategies as st

from graphql_runs.ingest.wire import Malformed, fields
from graphql_runs_tensorboard.event import event
from graphql_runs_tensorboard.record import masked_crc, records
from graphql_runs_tensorboard.tensor import tensor


def framed(data: bytes) -> bytes:
    length = struct.pack("<Q", len(data))
    return length + struct.pack("<I", masked_crc(length)) + data + struct.pack("<I", masked_crc(data))


def read(data: bytes, limit: int = 1 << 20, offset: int = 0) -> tuple[list[bytes], list[str], int]:
    """Records, remarks and the end of a file with these bytes."""
    found, remarks, end = [], [], offset
    with NamedTemporaryFile() as file:
        Path(file.name).write_bytes(data)
        with io.FileIO(file.name) as opened:
            for record in records(opened, offset, limit):
                assert record.end > end
                end = record.end
                if record.data is not None:
                    found.append(record.data)
                if record.remark is not None:
                    remarks.append(record.remark)
    return found, remarks, end


@given(st.lists(st.binary(max_size=300), max_size=8), st.binary(max_size=11))
def test_records_come_back_and_a_piece_of_one_waits(parts: list[bytes], rest: bytes) -> None:
    whole = b"".join(map(framed, parts))
    assert read(whole + rest) == (parts, [], len(whole))


@given(st.lists(st.binary(min_size=1, max_size=60), min_size=3, max_size=6), st.data())
def test_one_wrong_byte_loses_two_records_at_most(parts: list[bytes], data: st.DataObject) -> None:
    whole = bytearray(b"".join(map(framed, parts)))
    place = data.draw(st.integers(0, len(whole) - len(framed(parts[-1])) - 1))
    whole[place] ^= data.draw(st.integers(1, 255))
    found, remarks, end = read(bytes(whole))
    assert end == len(whole)
    assert remarks
    assert len(found) >= len(parts) - 2
    assert found[-1] == parts[-1]


@given(st.binary(max_size=2000))
def test_any_bytes_can_be_read_as_a_file(data: bytes) -> None:
    _, _, end = read(data)
    assert end <= len(data)


def test_a_record_over_the_limit_is_passed_over() -> None:
    whole = framed(b"x" * 1000) + framed(b"small")
    found, remarks, end = read(whole, limit=100)
    assert found == [b"small"]
    assert "over the limit" in remarks[0]
    assert end == len(whole)


@given(st.binary(max_size=500))
def test_any_bytes_can_be_read_as_an_event(data: bytes) -> None:
    with suppress(Malformed):
        event(data)
    with suppress(Malformed):
        list(fields(data))
    with suppress(Malformed):
        tensor(data, 1000)


def test_a_tensor_cannot_claim_more_than_it_has() -> None:
    # shape [2^40], float, one element that stands for all
    huge = bytes([8, 1, 18, 10, 18, 8, 8]) + b"\x80\x80\x80\x80\x80\x80\x80\x20"[:7] + b"\x01"
    with suppress(Malformed):
        assert tensor(huge, 1000).numbers is None
