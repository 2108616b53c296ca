"""Being told of changes in a folder, where the file system can tell. It is only a hint: sources look for themselves, too."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

import watchfiles

log = logging.getLogger(__name__)

_STEP_MS = 25
_GATHER_MS = 75
_NEWS = 10_000
"""Paths kept until they are taken; when there are more, everything counts as changed."""


class Watch:
    """A thread that collects the paths that changed. `taken` and the callback are of the event loop."""

    def __init__(self, folder: Path, wake: Callable[[], None], *, recursive: bool = True) -> None:
        self.working = False
        """Whether changes are told; False before the start and after a failure."""
        self._folder = folder
        self._wake = wake
        self._recursive = recursive
        self._news: dict[str, bool] | None = {}
        self._stop = threading.Event()
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self) -> None:
        """Stop soon, without waiting."""
        self._stop.set()

    def take(self) -> dict[str, bool] | None:
        """Absolute paths that changed since the last call, and whether the path came or went; None when there were too
        many to name."""
        news, self._news = self._news, {}
        return news

    def _run(self) -> None:
        try:
            changes = watchfiles.watch(
                self._folder,
                watch_filter=None,
                debounce=_GATHER_MS,
                step=_STEP_MS,
                stop_event=self._stop,
                raise_interrupt=False,
                rust_timeout=0,
                recursive=self._recursive,
                ignore_permission_denied=True,
                force_polling=False,
            )
            self._tell(True, {})
            for found in changes:
                paths: dict[str, bool] = {}
                for change, path in found:
                    paths[path] = paths.get(path, False) or change is not watchfiles.Change.modified
                self._tell(True, paths)
            reason = "it ended"
        except Exception as error:
            # Too many watches, a file system that cannot, a folder that went away: polling goes on.
            reason = f"{type(error).__name__}: {error}"
        if not self._stop.is_set():
            log.info("changes are not told; the folder is polled: folder %s, reason %s", self._folder, reason)
            self._tell(False, {})

    def _tell(self, working: bool, paths: Mapping[str, bool]) -> None:
        try:
            self._loop.call_soon_threadsafe(self._hear, working, paths)
        except RuntimeError:
            self._stop.set()  # the loop is closed: nobody listens any more

    def _hear(self, working: bool, paths: Mapping[str, bool]) -> None:
        self.working = working
        if self._news is not None:
            for path, names in paths.items():
                self._news[path] = self._news.get(path, False) or names
            if len(self._news) > _NEWS:
                self._news = None
        self._wake()
