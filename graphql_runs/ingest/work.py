"""A fair queue of jobs, and the workers that do them."""

from __future__ import annotations

import asyncio
import logging
import random
from abc import ABC, abstractmethod
from collections import deque

log = logging.getLogger(__name__)

_SHARE = 4
"""Every so many turns belong to jobs that wait without anything fresh, however much is fresh."""


def back_off(least: float, most: float, failures: int) -> float:
    """Seconds to wait after so many failures in a row before, with chance in them, so that not all come back at once."""
    # However long something is away: powers of two soon have no float.
    return min(most, least * 2.0 ** min(failures, 64)) * random.uniform(0.5, 1.5)


class Job(ABC):
    """Something that is done again whenever it is submitted, and never twice at once."""

    queued = False
    running = False
    again = False
    timer: asyncio.TimerHandle | None = None

    @abstractmethod
    async def perform(self) -> float | None:
        """Do it, or a part of it. Gives after how many seconds to go on, 0 for when others had their turn; None when
        nothing is left to do."""


class Work:
    """Jobs in order: fresh ones (a file just grew) before those that catch up, but never only those."""

    def __init__(self, workers: int) -> None:
        self._fresh: deque[Job] = deque()
        self._rest: deque[Job] = deque()
        self._ready = asyncio.Semaphore(0)
        self._turn = 0
        self._size = workers
        self._workers: list[asyncio.Task[None]] = []
        self._timed: set[Job] = set()
        self.stopping = False

    def start(self) -> None:
        """Begin to work."""
        self._workers = [asyncio.create_task(self._serve()) for _ in range(self._size)]

    def submit_in(self, job: Job, seconds: float) -> None:
        """Have a job done later, unless it is to be done anyway."""
        if not (self.stopping or job.queued or job.timer is not None):
            self._later(job, seconds)

    def submit(self, job: Job, *, fresh: bool = False) -> None:
        """Have a job done. One that waits already is not queued twice; one that runs is done again afterwards."""
        if self.stopping or job.queued:
            return
        if job.running:
            job.again = True
            return
        self._untime(job)
        job.queued = True
        (self._fresh if fresh else self._rest).append(job)
        self._ready.release()

    async def close(self, seconds: float) -> None:
        """Stop: jobs that run are given so many seconds to end by themselves."""
        self.stopping = True
        for job in list(self._timed):
            self._untime(job)
        for _ in self._workers:
            self._ready.release()
        if self._workers:
            _, late = await asyncio.wait(self._workers, timeout=seconds)
            for worker in late:
                worker.cancel()
            if late:
                # One that waits for a thread which nothing can interrupt is left to it.
                await asyncio.wait(late, timeout=seconds)
        self._workers = []

    async def _serve(self) -> None:
        while True:
            await self._ready.acquire()
            if self.stopping:
                return
            self._turn += 1
            first, second = (self._fresh, self._rest) if self._turn % _SHARE else (self._rest, self._fresh)
            await self._do((first or second).popleft())

    async def _do(self, job: Job) -> None:
        job.queued, job.running, job.again = False, True, False
        delay: float | None = None
        try:
            delay = await job.perform()
        except Exception:
            # A bug of ours: the job is given up, everything else goes on.
            log.exception("a job failed: job %s", repr(job))
        finally:
            job.running = False
        if job.again or delay == 0:
            self.submit(job, fresh=job.again)
        elif delay is not None and not self.stopping:
            self._later(job, delay)

    def _later(self, job: Job, delay: float) -> None:
        job.timer = asyncio.get_running_loop().call_later(delay, self.submit, job)
        self._timed.add(job)

    def _untime(self, job: Job) -> None:
        if job.timer is not None:
            job.timer.cancel()
            job.timer = None
            self._timed.discard(job)
