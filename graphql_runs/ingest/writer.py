"""Writing what was read, exactly once: numbers, checkpoints, and operations that are refused.

Each writer of a run tree keeps its checkpoint as the note of its last batch, so data and checkpoint are durable together or
not at all. Whenever it is not certain what the store holds (a restart, a lost answer, another server that reads the same
folder) the position is read again and reading goes on from the note found there.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import orjson

from graphql_runs.model.errors import (
    AlreadyExists,
    InvalidInput,
    LimitExceeded,
    NotFound,
    RunsError,
    SequenceConflict,
    SequenceGap,
)
from graphql_runs.model.operation import DescribeCluster, RunOperation

log = logging.getLogger(__name__)

_PLACE = re.compile(r"operations\[(\d+)\]")
PERMANENT = (InvalidInput, AlreadyExists, LimitExceeded)
"""Errors that trying again does not help against."""
_SUMS = frozenset({"operations", "points", "logs"})
"""Limits of a whole call: no single operation is to blame."""
_TRIES = 1000
"""How many operations of one batch are left out one by one where the error does not say which is refused."""


class Position(Protocol):
    """Where a writer stands."""

    @property
    def sequence(self) -> int: ...
    @property
    def note(self) -> bytes | None: ...


class Acknowledged(Protocol):
    """The answer to a batch."""

    @property
    def repeated(self) -> bool: ...


class Records(Protocol):
    """What the host needs of the recorder."""

    async def record(
        self,
        workspace: str,
        operations: Sequence[RunOperation],
        *,
        writer: str | None = None,
        sequence: int | None = None,
        note: bytes | None = None,
    ) -> Acknowledged: ...

    async def position(self, workspace: str, root_run_id: str, writer: str) -> Position | None:
        """Raises NotFound when the tree was purged."""
        ...

    async def describe_cluster(self, workspace: str, cluster: DescribeCluster) -> object: ...


class Passing(Exception):
    """Nothing was acknowledged, and trying again later helps. The message is for people."""


class Overtaken(Exception):
    """Somebody else wrote under this name: go on from the note that is there now."""


class Refused(Exception):
    """The whole batch is refused, and it cannot be told which part of it is wrong. The message is for people."""


class Gone(Refused):
    """The run was purged. What is read of it is not written, until somebody creates it anew."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """An operation that was left out of a batch, and why."""

    operation: RunOperation
    error: RunsError


class Writer:
    """One writer of one run tree."""

    def __init__(self, records: Records, workspace: str, root: str, name: str) -> None:
        self.workspace = workspace
        self.root = root
        self.name = name
        self._records = records
        self._next: int | None = None

    @property
    def opened(self) -> bool:
        """Whether the position is known; `open` has to be called first, and again after Passing and Overtaken."""
        return self._next is not None

    async def open(self) -> Mapping[str, object]:
        """Read the position. Gives the note left with the last batch, empty when there is none. Raises Passing, Gone."""
        self._next = None
        try:
            position = await self._records.position(self.workspace, self.root, self.name)
        except NotFound as error:
            raise Gone(str(error)) from error
        except RunsError as error:
            raise Passing(str(error)) from error
        self._next = 0 if position is None else position.sequence + 1
        note = orjson.loads(position.note) if position is not None and position.note else {}
        if not isinstance(note, dict):
            raise Refused(f"the position of {self.name!r} does not hold a note of an ingester")
        return note

    async def write(
        self,
        operations: Sequence[RunOperation],
        note: Callable[[Sequence[Refusal]], Mapping[str, object]],
    ) -> list[Refusal]:
        """Write a batch with the note for what was refused of it. All good operations and the note are durable when it
        returns. Gives the refusals; when everything is refused nothing is written.

        Raises Passing, Overtaken, Refused, Gone; nothing is known to be written then.
        """
        left = list(operations)
        refusals: list[Refusal] = []
        while left:
            try:
                await self._batch(left, note(refusals))
            except PERMANENT as error:
                left = await self._without(left, error, refusals, note)
                continue
            except NotFound as error:
                raise self._missing(left, error) from error
            return refusals
        return refusals

    def _missing(self, operations: Sequence[RunOperation], error: NotFound) -> Exception:
        """A run is not there: not yet, or not any more. Looking at the position again tells when the whole tree is gone; and a
        writer that wrote before, of a single run, wrote of that one."""
        wrote, self._next = bool(self._next), None
        if wrote and len({operation.run_id for operation in operations}) == 1:
            return Gone(f"run {operations[0].run_id!r} was purged")
        return Passing(f"waits for its run: {error}")

    async def _without(
        self,
        left: list[RunOperation],
        error: RunsError,
        refusals: list[Refusal],
        note: Callable[[Sequence[Refusal]], Mapping[str, object]],
    ) -> list[RunOperation]:
        """The operations that are to be tried next; none when the batch is written."""
        place = _PLACE.match(error.field or "")
        if place is not None and int(place[1]) < len(left):
            refusals.append(Refusal(left.pop(int(place[1])), error))
            return left
        if error.field in _SUMS:
            raise Refused(f"{error.code}: {error}")
        if len(left) == 1:
            refusals.append(Refusal(left[0], error))
            return []
        # The error does not say which. It is about the first that is wrong, so a batch without that one goes through or
        # is refused for another reason; without any other it is refused for the same.
        for index in range(min(len(left), _TRIES)):
            refusal, others = Refusal(left[index], error), left[:index] + left[index + 1 :]
            try:
                await self._batch(others, note([*refusals, refusal]))
            except PERMANENT as other:
                if str(other) == str(error):
                    continue
                refusals.append(refusal)
                return others
            except NotFound:
                continue  # the others need it
            refusals.append(refusal)
            return []
        raise Refused(f"{error.code}: {error}")

    async def _batch(self, operations: Sequence[RunOperation], note: Mapping[str, object]) -> None:
        """Write all of it. Raises RunsError when it is refused for good, or for want of its run; nothing is written then."""
        assert self._next is not None
        data = orjson.dumps(note)
        try:
            answer = await self._records.record(
                self.workspace, operations, writer=self.name, sequence=self._next, note=data
            )
        except (*PERMANENT, NotFound):
            raise
        except (SequenceGap, SequenceConflict) as error:
            self._next = None
            raise Overtaken(str(error)) from error
        except RunsError as error:
            self._next = None
            raise Passing(str(error)) from error
        except Exception as error:
            # A bug of ours or of the plugin's operations. What was written is not known, and the data must not get lost.
            self._next = None
            log.exception("recording failed: writer %s, root %s", self.name, self.root)
            raise Passing(f"{type(error).__name__}: {error}") from error
        except BaseException:
            self._next = None
            raise
        if answer.repeated:
            # The number was taken by somebody else's batch, which need not be the same as this one.
            self._next = None
            raise Overtaken(f"{self.name!r} is written by somebody else too")
        self._next += 1
