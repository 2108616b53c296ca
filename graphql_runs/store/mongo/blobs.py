"""Blobs in GridFS, by content (https://github.com/mongodb/specifications/blob/master/source/gridfs/gridfs-spec.md).

    blob.files    {_id, filename: SHA-256 in hex, length, chunkSize, uploadDate, metadata: {put_at}}
    blob.chunks   {_id, files_id, n, data}
    blob.uploads  {_id: files_id, at}: chunks that no file speaks of yet, or no more

The file is written after its chunks, so that a blob that can be found is whole. Any GridFS tool reads the bucket `blob`.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from datetime import UTC, datetime

from graphql_runs.model.errors import LimitExceeded, NotFound, StoreUnavailable
from graphql_runs.model.time import Micros, now
from graphql_runs.store.mongo.driver import Driver
from graphql_runs.store.mongo.operations import Document

CHUNK = 255 << 10
"""Bytes of a chunk, GridFS's own default."""
_TOGETHER = 8
"""Chunks in one message."""
_LARGEST_READ = 1 << 20
_SWEPT = 500
"""Blobs that are looked at together."""
_ABANDONED_MICROS = 24 * 3600 * 1_000_000
_SHA256 = re.compile(r"[0-9a-f]{64}")


class Blobs:
    """All blobs of a store."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver

    async def put(self, chunks: AsyncIterator[bytes], limit: int) -> tuple[str, int]:
        """See `Store.put_blob`."""
        upload = secrets.token_hex(12)
        await self._driver.insert("blob.uploads", [{"_id": upload, "at": now()}])
        kept = False
        try:
            sha256, size = await self._fill(upload, chunks, limit)
            kept = await self._keep(upload, sha256, size)
        finally:
            if not kept:
                await self._driver.delete("blob.chunks", {"files_id": upload})
            await self._driver.delete("blob.uploads", {"_id": upload})
        return sha256, size

    async def size(self, sha256: str) -> int | None:
        """See `Store.blob_size`."""
        file = await self._file(sha256)
        return None if file is None else int(file["length"])

    async def read(self, sha256: str, start: int, end: int) -> AsyncGenerator[bytes]:
        """See `Store.read_blob`."""
        file = await self._file(sha256)
        if file is None:
            raise NotFound(f"there is no blob {sha256!r}")
        at, stop, chunk = max(0, start), min(end, file["length"]), file["chunkSize"]
        if at >= stop:
            return
        query = {"files_id": file["_id"], "n": {"$gte": at // chunk, "$lte": (stop - 1) // chunk}}
        scan = self._driver.scan(
            "blob.chunks", query, fields=("n", "data"), sort=(("n", 1),), batch=_TOGETHER
        )
        async with aclosing(scan) as documents:
            async for document in documents:
                begin = document["n"] * chunk
                data = document["data"][at - begin : stop - begin] if begin <= at else b""
                if not data:
                    break
                at += len(data)
                for place in range(0, len(data), _LARGEST_READ):
                    yield data[place : place + _LARGEST_READ]
        if at < stop:
            raise StoreUnavailable(f"the store is damaged: the blob {sha256} lacks bytes from {at} on")

    async def sweep(self, before: Micros) -> int:
        """See `Store.sweep_blobs`."""
        deleted, after = 0, ""
        while True:
            query = {"filename": {"$gt": after}, "metadata.put_at": {"$lt": before}}
            found = await self._driver.find(
                "blob.files", query, fields=("filename",), sort=(("filename", 1),), limit=_SWEPT
            )
            if not found:
                return deleted
            after = found[-1]["filename"]
            named = {"blob": {"$in": [file["filename"] for file in found]}}
            kept = {one["blob"] for one in await self._driver.find("artifact", named, fields=("blob",))}
            for file in found:
                if file["filename"] not in kept:
                    deleted += await self._delete(file["_id"], before)

    async def sizes(self) -> tuple[int, int]:
        """How many there are, and the bytes of all of them."""
        total = {"_id": None, "files": {"$sum": 1}, "bytes": {"$sum": "$length"}}
        found = await self._driver.aggregate("blob.files", [{"$group": total}])
        return (found[0]["files"], found[0]["bytes"]) if found else (0, 0)

    async def tidy(self) -> None:
        """Delete what uploads and sweeps that were never finished have left."""
        old = {"at": {"$lt": now() - _ABANDONED_MICROS}}
        for document in await self._driver.find("blob.uploads", old, limit=100):
            # A process that died between the file and the end of its upload has left a whole blob.
            if await self._driver.find_one("blob.files", {"_id": document["_id"]}, fields=("_id",)) is None:
                await self._driver.delete("blob.chunks", {"files_id": document["_id"]})
            await self._driver.delete("blob.uploads", {"_id": document["_id"]})

    async def _keep(self, upload: str, sha256: str, size: int) -> bool:
        """Whether these chunks are the blob. If not there is one already, which counts as put now."""
        while True:
            file = {
                "_id": upload,
                "filename": sha256,
                "length": size,
                "chunkSize": CHUNK,
                "uploadDate": datetime.now(UTC),
                "metadata": {"put_at": now()},
            }
            await self._driver.insert("blob.files", [file])
            # Another upload of the same content may have been first; a repeated insert meets itself.
            if await self._driver.find_one("blob.files", {"_id": upload}, fields=("_id",)) is not None:
                return True
            put = {"$max": {"metadata.put_at": now()}}
            if await self._driver.change("blob.files", {"filename": sha256}, put):
                return False
            # Swept just now.

    async def _delete(self, file: str, before: Micros) -> bool:
        """Delete a blob unless somebody has put it meanwhile."""
        await self._driver.insert("blob.uploads", [{"_id": file, "at": now()}])
        old = {"_id": file, "metadata.put_at": {"$lt": before}}
        deleted = await self._driver.delete("blob.files", old) > 0
        if deleted:
            await self._driver.delete("blob.chunks", {"files_id": file})
        await self._driver.delete("blob.uploads", {"_id": file})
        return deleted

    async def _file(self, sha256: str) -> Document | None:
        return (
            await self._driver.find_one("blob.files", {"filename": sha256})
            if _SHA256.fullmatch(sha256)
            else None
        )

    async def _fill(self, upload: str, chunks: AsyncIterator[bytes], limit: int) -> tuple[str, int]:
        digest, size, n = hashlib.sha256(), 0, 0
        waiting = bytearray()
        async for piece in chunks:
            size += len(piece)
            if size > limit:
                raise LimitExceeded(f"the content is larger than {limit} bytes")
            digest.update(piece)
            waiting += piece
            while len(waiting) >= CHUNK * _TOGETHER:
                n = await self._send(upload, n, waiting[: CHUNK * _TOGETHER])
                del waiting[: CHUNK * _TOGETHER]
        await self._send(upload, n, waiting)
        return digest.hexdigest(), size

    async def _send(self, upload: str, n: int, data: bytearray) -> int:
        """Write chunks from number n on; gives the number after them."""
        documents = [
            {
                "_id": f"{upload}/{n + place}",
                "files_id": upload,
                "n": n + place,
                "data": bytes(data[start : start + CHUNK]),
            }
            for place, start in enumerate(range(0, len(data), CHUNK))
        ]
        await self._driver.insert("blob.chunks", documents)
        return n + len(documents)
