"""The record log `run-….wandb`: a header, then records in blocks of 32 KiB, as LevelDB writes its log.

    :W&B · uint16 0xBEE1 · uint8 version      once
    uint32 CRC-32 of type and data · uint16 length · uint8 type · data

A record that does not fit into what is left of a block is cut into a first, middle and last piece; fewer than seven bytes at the end of a
block are zeros. The checksum is zlib's CRC-32, where LevelDB has a masked CRC-32C.
Formats: https://github.com/google/leveldb/blob/main/doc/log_format.md and wandb's own `datastore` (0.13 to 0.31 write the same).
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from io import FileIO

HEADER = b":W&B\xe1\xbe\x00"
BLOCK = 32 << 10
_HEAD = struct.Struct("<IHB")
_FULL, _FIRST, _MIDDLE, _LAST = 1, 2, 3, 4


@dataclass(frozen=True, slots=True)
class Record:
    """A record, or what is wrong where one should be. `end` is the offset to go on from, the beginning of a record."""

    data: bytes | None
    end: int
    remark: str | None = None


@dataclass(frozen=True, slots=True)
class _Piece:
    type: int
    data: bytes
    end: int
    sound: bool = True


def is_log(data: bytes) -> bool:
    """Whether a file begins like a record log, of this version of the format."""
    return data.startswith(HEADER)


def records(file: FileIO, offset: int, limit: int) -> Iterator[Record]:
    """Records from an offset on (0: the beginning), up to what is there now; one that is not whole yet is left for later.

    A damaged block is passed over up to the next one, with a remark; so is a record of more than `limit` bytes.
    """
    parts: list[bytes] = []
    size = 0
    started = False
    lost = False
    for piece in _pieces(file, max(offset, len(HEADER))):
        if not piece.sound:
            yield Record(None, piece.end, f"damaged before byte {piece.end}; it goes on there")
            parts, size, started, lost = [], 0, False, True
            continue
        if piece.type in (_FULL, _FIRST):
            if started:
                yield Record(None, piece.end - len(piece.data) - _HEAD.size, "a record has no end")
            parts, size, started = [], 0, True
        elif not started:
            # The rest of a record whose beginning was damaged.
            if piece.type == _LAST and lost:
                yield Record(None, piece.end)
            continue
        size += len(piece.data)
        if size <= limit:
            parts.append(piece.data)
        if piece.type in (_FULL, _LAST):
            lost = False
            if size > limit:
                yield Record(None, piece.end, f"a record of {size} bytes is over the limit of {limit}")
            else:
                yield Record(b"".join(parts), piece.end)
            parts, size, started = [], 0, False


def _pieces(file: FileIO, at: int) -> Iterator[_Piece]:
    while True:
        begin = at - at % BLOCK
        block = os.pread(file.fileno(), BLOCK, begin)
        whole = len(block) == BLOCK
        while True:
            place = at - begin
            if BLOCK - place < _HEAD.size:
                break
            if len(block) - place < _HEAD.size:
                return
            crc, length, kind = _HEAD.unpack_from(block, place)
            end = place + _HEAD.size + length
            if end > BLOCK or not _FULL <= kind <= _LAST:
                if not whole:
                    # What was not written yet reads as zeros; anything else is told when the block is full.
                    return
                yield _Piece(0, b"", begin + BLOCK, sound=False)
                break
            if end > len(block):
                return
            data = block[place + _HEAD.size : end]
            at = begin + end
            if crc != zlib.crc32(data, zlib.crc32(bytes([kind]))):
                yield _Piece(0, b"", at, sound=False)
            else:
                yield _Piece(kind, data, at)
        if not whole:
            return
        at = begin + BLOCK
