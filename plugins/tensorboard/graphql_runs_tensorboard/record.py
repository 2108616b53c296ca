"""TFRecord files: records with a length and two checksums, one after the other.

    uint64 length · uint32 masked CRC-32C of the length · data · uint32 masked CRC-32C of the data      (little endian)

Format: https://github.com/tensorflow/tensorflow/blob/master/tensorflow/core/lib/io/record_writer.h
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from io import FileIO

import google_crc32c

HEADER, FOOTER = 12, 4
_READ = 1 << 20
_MASK_DELTA = 0xA282EAD8


@dataclass(frozen=True, slots=True)
class Record:
    """What came of one step through a file. `end` is the offset to go on from.

    data:   the record; None when it is left out.
    remark: what is wrong with it.
    """

    data: bytes | None
    end: int
    remark: str | None = None


def masked_crc(data: bytes) -> int:
    """The checksum that the format stores."""
    crc: int = google_crc32c.value(data)
    return ((crc >> 15 | crc << 17) + _MASK_DELTA) & 0xFFFFFFFF


def begins_like_record(data: bytes) -> bool:
    """Whether a file with these first bytes holds records: the checksum of the first length is right."""
    return len(data) >= HEADER and _length(data, 0) is not None


def records(file: FileIO, offset: int, limit: int) -> Iterator[Record]:
    """Records from an offset on, up to what is there now; the last one may still be being written and is left for later.

    A record over `limit` bytes or with a wrong checksum is passed over with a remark. After a wrong length, which leaves the
    place of the next record open, it is looked for; None of the file is held but a piece at a time.
    """
    held, at = b"", offset
    begin = offset  # of `held`
    while True:
        place = at - begin
        if len(held) - place < HEADER:
            held, begin = _more(file, held, begin, at, _READ), at
            if len(held) < HEADER:
                return
            place = 0
        length = _length(held, place)
        if length is None:
            found = _resume(file, at + 1, limit)
            if found is None:
                return
            yield Record(None, found, f"damaged at byte {at}; it goes on at byte {found}")
            held, at, begin = b"", found, found
            continue
        size = HEADER + length + FOOTER
        if length > limit:
            if at + size > os.fstat(file.fileno()).st_size:
                return
            yield Record(
                None, at + size, f"a record of {length} bytes at byte {at} is over the limit of {limit}"
            )
            held, at, begin = b"", at + size, at + size
            continue
        if len(held) - place < size:
            held, begin = _more(file, held, begin, at, max(_READ, size)), at
            if len(held) < size:
                return
            place = 0
        data = held[place + HEADER : place + HEADER + length]
        (crc,) = struct.unpack_from("<I", held, place + HEADER + length)
        at += size
        if crc == masked_crc(data):
            yield Record(data, at)
        else:
            yield Record(None, at, f"the record at byte {at - size} is damaged: its checksum is wrong")


def _more(file: FileIO, held: bytes, begin: int, at: int, size: int) -> bytes:
    """The bytes from `at` on, at least `size` of them if they are there."""
    kept = held[at - begin :]
    parts, got = [kept], len(kept)
    while got < size and (data := os.pread(file.fileno(), size - got, at + got)):
        parts.append(data)
        got += len(data)
    return b"".join(parts)


def _length(data: bytes, at: int) -> int | None:
    """The length of the record whose header is at a place; None when its checksum is wrong."""
    length, crc = struct.unpack_from("<QI", data, at)
    return length if crc == masked_crc(data[at : at + 8]) else None


def _resume(file: FileIO, offset: int, limit: int) -> int | None:
    """Where the next sound record begins; None when there is none yet."""
    begin = offset
    while len(data := _more(file, b"", begin, begin, _READ)) >= HEADER:
        for place in range(len(data) - HEADER + 1):
            # Lengths are small, so that the upper half of one is zero.
            if data[place + 4 : place + 8] == b"\0\0\0\0":
                length = _length(data, place)
                if length is not None and length <= limit:
                    return begin + place
        if len(data) < _READ:
            return None
        begin += len(data) - HEADER + 1
    return None
