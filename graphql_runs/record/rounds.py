"""Work that a server does again and again behind everybody's backs."""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod

from graphql_runs.model.errors import RunsError

log = logging.getLogger(__name__)


class Rounds(ABC):
    """A background task of one server process. `what` is its name in the log, `pause` the seconds between rounds, 0 for none.

    What makes a round fail is logged, and the next one tries again.
    """

    def __init__(self, what: str, pause: float) -> None:
        self._what = what
        self._pause = pause
        self._task: asyncio.Task[None] | None = None

    @abstractmethod
    async def round(self) -> object:
        """Do what is due now, within the bounds of one round. Raises RunsError."""

    def start(self) -> None:
        """Begin rounds, if the pause is not 0."""
        if self._pause and self._task is None:
            self._task = asyncio.create_task(self._go_on())

    async def close(self) -> None:
        """Stop; what is under way is done or not done, never half."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def _go_on(self) -> None:
        while True:
            await asyncio.sleep(self._pause)
            try:
                await self.round()
            except RunsError as error:
                log.warning("%s did not finish its round: error %s", self._what, error)
            except Exception:
                # A bug of ours; the next round tries again.
                log.exception("%s failed", self._what)
