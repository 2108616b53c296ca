"""Bytes over HTTP: log files and artifacts, with ranges, and artifact uploads.

    GET  /logs/<run id>/<path>        the raw bytes of a log file as far as they are recorded
    GET  /artifacts/<run id>/<path>   an output file
    PUT  /artifacts/<run id>/<path>   makes or replaces an output file; the body is its content

`run id` is the server's id. Range requests follow RFC 9110, one range each. Files of runs are data from strangers, so they are
served as downloads that browsers neither sniff nor run.
"""

from __future__ import annotations

import asyncio
import mimetypes
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from graphql_runs.model import ids
from graphql_runs.model.errors import InvalidInput, LimitExceeded, NotFound, RunsError, StoreUnavailable
from graphql_runs.model.operation import AddArtifact
from graphql_runs.model.records import Artifact, LogFile, Workspace
from graphql_runs.model.run import Run
from graphql_runs.record.recorder import Recorder
from graphql_runs.store.port import Store

_CHUNK = 1 << 20
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")
_STATUS = {NotFound: 404, InvalidInput: 400, LimitExceeded: 413, StoreUnavailable: 503}


class Files:
    """The routes for bytes."""

    def __init__(self, store: Store, recorder: Recorder, upload_bytes: int) -> None:
        self._store = store
        self._recorder = recorder
        self._upload_bytes = upload_bytes

    def routes(self) -> list[Route]:
        """To be put into the application."""
        return [
            Route("/logs/{run}/{path:path}", self.log, methods=["GET"]),
            Route("/artifacts/{run}/{path:path}", self.artifact, methods=["GET", "PUT"]),
        ]

    async def log(self, request: Request) -> Response:
        """GET of a log file's raw bytes."""
        try:
            run, path = request.path_params["run"], request.path_params["path"]
            [found] = await self._store.get(LogFile, [ids.log_id(run, path)])
            if found is None:
                raise NotFound(f"run {run!r} has no log file {path!r}")
            start, end, status = _range(request, found.size)
        except RunsError as error:
            return failure(error)
        return _bytes(
            self._log_bytes(found.id, start, end),
            start,
            end,
            found.size,
            status,
            path,
            "text/plain; charset=utf-8",
        )

    async def artifact(self, request: Request) -> Response:
        """GET or PUT of an output file."""
        try:
            run, path = request.path_params["run"], request.path_params["path"]
            return await (
                self._put(request, run, path) if request.method == "PUT" else self.content(request, run, path)
            )
        except RunsError as error:
            return failure(error)

    async def content(self, request: Request, run: str, path: str) -> Response:
        """The answer to a GET of an output of a run by its id. Raises NotFound, InvalidInput for a range outside of it."""
        [found] = await self._store.get(Artifact, [ids.artifact_id(run, path)])
        if found is None:
            raise NotFound(f"run {run!r} has no artifact {path!r}")
        kind = found.content_type or "application/octet-stream"
        if found.blob is not None:
            start, end, status = _range(request, found.size)
            return _bytes(
                self._store.read_blob(found.blob, start, end), start, end, found.size, status, path, kind
            )
        place = Path(found.location or "")
        try:
            size = (await asyncio.to_thread(place.stat)).st_size
        except OSError as error:
            raise NotFound(
                f"the file of artifact {path!r} is no longer where it was found: {error.strerror}"
            ) from error
        start, end, status = _range(request, size)
        return _bytes(_file_bytes(place, start, end), start, end, size, status, path, kind)

    async def _put(self, request: Request, run: str, path: str) -> Response:
        [found] = await self._store.get(Run, [run])
        if found is None:
            raise NotFound(f"there is no run {run!r}", field="run")
        kept = await self.keep(found, path, request.stream(), request.headers.get("content-type"))
        return JSONResponse({"id": kept.id, "path": kept.path, "size": kept.size, "sha256": kept.sha256}, 201)

    async def keep(
        self, run: Run, path: str, chunks: AsyncIterator[bytes], content_type: str | None
    ) -> Artifact:
        """Make or replace an output of a run. Raises InvalidInput, LimitExceeded."""
        [workspace] = await self._store.get(Workspace, [run.workspace])
        assert workspace is not None
        sha256, size = await self._store.put_blob(chunks, limit=self._upload_bytes)
        kind = content_type or mimetypes.guess_type(path)[0]
        said = AddArtifact(run.run_id, path, size, content_type=kind, sha256=sha256, blob=sha256)
        await self._recorder.record(workspace.name, [said], create=False)
        [kept] = await self._store.get(Artifact, [ids.artifact_id(run.id, path)])
        if kept is None:
            raise NotFound(f"run {run.run_id!r} was purged", field="run")
        return kept

    async def _log_bytes(self, stream: str, start: int, end: int) -> AsyncIterator[bytes]:
        row = start
        while row < end:
            items = await self._store.read(stream, row, end=end, limit=_CHUNK)
            if not items:
                return
            for item in items:
                yield item.data[row - item.start : end - item.start]
                row = min(item.end, end)


async def _file_bytes(place: Path, start: int, end: int) -> AsyncIterator[bytes]:
    with await asyncio.to_thread(place.open, "rb") as file:
        file.seek(start)
        left = end - start
        while left > 0 and (data := await asyncio.to_thread(file.read, min(left, _CHUNK))):
            left -= len(data)
            yield data


def _range(request: Request, size: int) -> tuple[int, int, int]:
    """First byte, byte after the last, and status 200 or 206. An unsatisfiable range raises InvalidInput."""
    asked = request.headers.get("range")
    if asked is None:
        return 0, size, 200
    match = _RANGE.fullmatch(asked.strip())
    if match is None or match.groups() == ("", ""):
        return 0, size, 200
    first, last = match.groups()
    if first == "":
        start, end = max(size - int(last), 0), size
    else:
        start, end = int(first), min(int(last) + 1 if last else size, size)
    if start >= end:
        raise InvalidInput(f"range {asked!r} lies outside of {size} bytes", field="range")
    return start, end, 206


def _bytes(
    content: AsyncIterator[bytes], start: int, end: int, size: int, status: int, path: str, kind: str
) -> Response:
    headers = {
        "content-length": str(end - start),
        "accept-ranges": "bytes",
        "x-content-type-options": "nosniff",
        "content-security-policy": "sandbox",
        "content-disposition": f"attachment; filename*=UTF-8''{quote(path.rsplit('/', 1)[-1])}",
        "cache-control": "no-cache",
    }
    if status == 206:
        headers["content-range"] = f"bytes {start}-{end - 1}/{size}"
    return StreamingResponse(content, status, headers, media_type=kind)


def failure(error: RunsError) -> JSONResponse:
    """The answer that says what was wrong."""
    status = 416 if error.field == "range" else _STATUS.get(type(error), 409)
    body: dict[str, Any] = {"message": error.message, "extensions": dict(error.extensions)}
    return JSONResponse({"errors": [body]}, status)
