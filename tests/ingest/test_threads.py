from __future__ import annotations

import threading

import pytest

from graphql_runs.ingest.threads import Threads


def test_what_is_submitted_is_done_by_as_many_threads_as_are_needed() -> None:
    threads = Threads(3, "some")
    assert [threads.submit(pow, 2, number).result(10) for number in range(50)] == [2**n for n in range(50)]
    names = {threads.submit(lambda: threading.current_thread().name).result(10) for _ in range(10)}
    assert len(names) == 1
    barrier = threading.Barrier(3)
    assert sorted(one.result(10) for one in [threads.submit(barrier.wait, 10) for _ in range(3)]) == [0, 1, 2]
    threads.shutdown()


def test_errors_come_back() -> None:
    threads = Threads(1, "some")
    with pytest.raises(ZeroDivisionError):
        threads.submit(divmod, 1, 0).result(10)
    assert threads.submit(abs, -1).result(10) == 1
    threads.shutdown()


def test_at_the_end_nothing_more_begins() -> None:
    threads = Threads(1, "some")
    go_on = threading.Event()
    busy = threads.submit(go_on.wait, 10)
    while not busy.running():
        pass
    waiting = [threads.submit(abs, number) for number in range(3)]
    threads.shutdown(cancel_futures=True)
    threads.shutdown()
    go_on.set()
    assert busy.result(10)
    assert all(one.cancelled() for one in waiting)
    with pytest.raises(RuntimeError, match="have ended"):
        threads.submit(abs, 1)
