"""Threads that nobody waits for at the end.

Reading a file of a network file system whose server is away blocks for as long as it is, in a way that nothing can interrupt. The threads
of `concurrent.futures` are joined when Python ends, so one such file would keep the server from ending.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any, ParamSpec, TypeVar

T = TypeVar("T")
P = ParamSpec("P")


class Threads(Executor):
    """At most `size` daemon threads, started when there is something to do for them."""

    def __init__(self, size: int, name: str) -> None:
        self._size = size
        self._name = name
        self._work: queue.SimpleQueue[tuple[Callable[[], None], Future[Any]] | None] = queue.SimpleQueue()
        self._idle = threading.Semaphore(0)
        self._lock = threading.Lock()
        self._threads = 0
        self._closed = False

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Have it called in a thread. Raises RuntimeError after `shutdown`."""
        future: Future[T] = Future()

        def call() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                result = fn(*args, **kwargs)
            except BaseException as error:
                future.set_exception(error)
            else:
                future.set_result(result)

        with self._lock:
            if self._closed:
                raise RuntimeError("the threads have ended")
            self._work.put((call, future))
            if not self._idle.acquire(blocking=False) and self._threads < self._size:
                self._threads += 1
                threading.Thread(
                    target=self._serve, name=f"{self._name}-{self._threads}", daemon=True
                ).start()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Let threads end when they have nothing to do; those that are busy are not waited for, whatever `wait` says."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            if cancel_futures:
                self._drop()
            for _ in range(self._threads):
                self._work.put(None)

    def _drop(self) -> None:
        while True:
            try:
                left = self._work.get_nowait()
            except queue.Empty:
                return
            if left is not None:
                left[1].cancel()

    def _serve(self) -> None:
        while (given := self._work.get()) is not None:
            given[0]()
            del given
            self._idle.release()
