"""Details that were read before, so that looking through a source again costs a `stat` for each run.

They come from files of their own, and from pages: files with the run documents of many runs.
"""

from __future__ import annotations

import os
import re
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from threading import Lock

from graphql_runs.ingest.api import Unreadable
from graphql_runs.ingest.files import open_file
from graphql_runs.model.time import Micros
from graphql_runs_azureml.details import Details, details_of, is_details
from graphql_runs_azureml.document import Document, load
from graphql_runs_azureml.page import Page, read_page
from graphql_runs_azureml.text import clean, run_id_problem

_REMEMBERED = 8192
_SETTLED_SECONDS = 2.0
_RETRIES = 4
_RETRY_SECONDS = 0.025
_RUN_ID = re.compile(r'"runId"\s*:\s*"([^"\\]{1,256})"')
_SALVAGED_BYTES = 65_536
_PAGES = 64
_PAGES_BYTES = 64 << 20
"""How many pages, and of how many bytes, are held while their runs are looked at."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What the details files of one folder hold.

    files:    those of them that are details or broken, and pages, the newest last.
    details:  what they say together, None when one of them cannot be read.
    modified: when the newest was changed.
    digest:   of their bytes.
    error:    why they cannot be read.
    salvaged: the run id that can be made out in a file that cannot be read.
    """

    files: tuple[PurePosixPath, ...]
    details: Details | None
    modified: Micros
    digest: bytes
    error: Unreadable | None = None
    salvaged: str | None = None


class Shelf:
    """Details by the files they were read from, for as long as these files do not change. Safe for threads."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[object, ...], Kept | None] = OrderedDict()
        self._pages: OrderedDict[tuple[object, ...], Page | Unreadable] = OrderedDict()
        self._lock = Lock()

    def page(self, folder: Path, path: PurePosixPath, limit: int) -> Page:
        """The runs of a page. Raises Unreadable, also for one of more than `limit` bytes; OSError when it is gone."""
        key = (folder, limit, _stamp(folder, path))
        with self._lock:
            found = self._pages.get(key)
            if found is not None:
                self._pages.move_to_end(key)
        if found is None:
            try:
                found = read_page(folder, path, limit)
            except Unreadable as error:
                found = error
            with self._lock:
                self._pages[key] = found
                while len(self._pages) > _PAGES or (len(self._pages) > 1 and self._held() > _PAGES_BYTES):
                    self._pages.popitem(last=False)
        if isinstance(found, Unreadable):
            raise found
        return found

    def _held(self) -> int:
        return sum(page.bytes for page in self._pages.values() if isinstance(page, Page))

    def look(
        self,
        folder: Path,
        paths: Sequence[PurePosixPath],
        limit: int,
        run_id: str = "",
        pages: Sequence[PurePosixPath] = (),
    ) -> Kept | None:
        """What these files of one run and what pages say of it hold together; None when none of them are details of a run.
        Files that are larger than `limit` bytes count as broken.

        A file that was written a moment ago and cannot be read is given the time that a writer needs to finish it, because
        a run whose id cannot be told would be taken for another one.
        """
        stamps = (stamp for path in (*paths, *pages) if (stamp := _stamp(folder, path)) is not None)
        key = (folder, limit, run_id if pages else "", *stamps)
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        listed = [entry for path in pages if (entry := self._entry(folder, path, limit, run_id)) is not None]
        found = _read(folder, paths, limit, listed)
        for _ in range(_RETRIES):
            if found is None or found.error is None or time.time() - found.modified / 1e6 > _SETTLED_SECONDS:
                break
            time.sleep(_RETRY_SECONDS)
            found = _read(folder, paths, limit, listed)
        if found is None or found.error is None:
            with self._lock:
                self._kept[key] = found
                if len(self._kept) > _REMEMBERED:
                    self._kept.popitem(last=False)
        return found

    def _entry(self, folder: Path, path: PurePosixPath, limit: int, run_id: str) -> Document | None:
        try:
            return self.page(folder, path, limit).runs.get(run_id)
        except (OSError, Unreadable):
            return None  # the page's own unit says what is wrong with it


def _stamp(folder: Path, path: PurePosixPath) -> tuple[object, ...] | None:
    try:
        found = (folder / path).stat(follow_symlinks=False)
    except OSError:
        return None
    return path, found.st_ino, found.st_size, found.st_mtime_ns


def _read(
    folder: Path, paths: Sequence[PurePosixPath], limit: int, listed: Sequence[Document]
) -> Kept | None:
    documents = list(listed)
    error: Unreadable | None = None
    for path in paths:
        try:
            document = load(folder, path, limit)
        except Unreadable as found:
            error = found
        except FileNotFoundError:
            continue
        except OSError as found:
            error = Unreadable(f"cannot be read: {found.strerror}", path=str(path))
        else:
            if is_details(document.value):
                documents.append(document)
    if not documents and error is None:
        return None
    documents.sort(key=lambda document: (document.modified, str(document.path)))
    files = tuple(document.path for document in documents)
    digest = b"".join(document.digest for document in documents)
    if documents:
        # A broken file beside a good one is an error to show, but the good one says what it says.
        try:
            details = details_of(documents)
            broken = () if error is None or error.path is None else (PurePosixPath(error.path),)
            return Kept((*broken, *files), details, documents[-1].modified, digest, error)
        except Unreadable as found:
            error = found
    assert error is not None
    place = PurePosixPath(error.path or "")
    modified, salvaged = _salvage(folder, place)
    return Kept(tuple(dict.fromkeys((*files, place))), None, modified, digest, error, salvaged)


def _salvage(folder: Path, path: PurePosixPath) -> tuple[Micros, str | None]:
    """When the file was changed, and the first run id in its text, which is no JSON (yet)."""
    try:
        with open_file(folder, path) as file:
            modified = os.fstat(file.fileno()).st_mtime_ns // 1000
            data = os.pread(file.fileno(), _SALVAGED_BYTES, 0)
    except (OSError, Unreadable):
        return 0, None
    found = _RUN_ID.search(data.decode("utf-8", "replace"))
    run_id = clean(found[1]) if found else ""
    return modified, run_id if found and run_id_problem(run_id) is None else None
