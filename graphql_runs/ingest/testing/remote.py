"""The contract kit of plugins for addresses, as tests that are inherited.

In a test module of the plugin:

    class TestContract(RemoteContract):
        remote = my_plugin.remote

        @contextmanager
        def place(self, folder):
            with my_service(folder) as port:
                yield f"mine://127.0.0.1:{port}"

        def write(self, folder, part):
            ...  # have the service show more

The tests read what `write` has the service show, stop after each delivery, go on from its checkpoint when there is more, and
compare the streams (log bytes, points) with those of one reading of everything.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import BaseModel

from graphql_runs.ingest.api import Context, Delivery, Limits, Stability, Tree, Unit
from graphql_runs.ingest.host import Host
from graphql_runs.ingest.remote import Connection, Remote
from graphql_runs.ingest.remote_source import RemoteConfig
from graphql_runs.ingest.testing.memory import MemoryRecords
from graphql_runs.ingest.testing.reading import NAME, Checkpoint, Content, content_of
from graphql_runs.model.source import SourceState

_PATIENCE = 30.0


class RemoteContract:
    """Inherit from it in a class whose name begins with `Test`."""

    remote: Remote
    parts = 3
    """How often `write` is called."""
    limits = Limits(delivery_bytes=4096)

    def place(self, folder: Path) -> AbstractContextManager[str]:
        """Something that answers, by its address."""
        raise NotImplementedError

    def write(self, folder: Path, part: int) -> None:
        """Have it show more: units that are new, and more of those that were there."""
        raise NotImplementedError

    def config(self, folder: Path) -> BaseModel:
        """The plugin's settings."""
        return self.remote.config()

    # What it is

    def test_it_says_what_it_is(self) -> None:
        """Attributes of the protocol have their types, and all settings have defaults."""
        one = self.remote
        assert one.name == one.name.lower()
        assert one.description
        assert isinstance(one.stability, Stability)
        assert one.schemes
        assert one.poll_seconds > 0
        assert isinstance(one.config(), one.config)

    # What is read

    def test_everything_comes_once_whatever_the_cuts(self, tmp_path: Path) -> None:
        """Stopped after every delivery and gone on from its checkpoint, with more coming in meanwhile, it gives what one reading
        of everything gives."""
        with self.place(tmp_path) as address:
            taken: dict[str, Checkpoint] = {}
            cut: list[Delivery] = []
            for part in range(self.parts):
                self.write(tmp_path, part)
                for unit in self._units(address, tmp_path):
                    cut += self._in_pieces(address, tmp_path, unit, taken)
            whole = content_of(
                delivery
                for unit in self._units(address, tmp_path)
                for delivery in self._read(address, tmp_path, unit, None)
            )
        assert whole.metrics or whole.logs or whole.runs
        assert content_of(cut) == whole

    def test_what_did_not_change_is_not_read_again(self, tmp_path: Path) -> None:
        """Two looks at the same give the same versions, and a unit that is read to its end gives no data again."""
        with self.place(tmp_path) as address:
            self.write(tmp_path, 0)
            connection = self._connect(address, tmp_path)
            try:
                first = {seen.unit.place: seen.version for seen in connection.look().units}
                again = {seen.unit.place: seen.version for seen in connection.look().units}
            finally:
                connection.close()
            assert first == again
            for unit in self._units(address, tmp_path):
                taken: dict[str, Checkpoint] = {}
                self._in_pieces(address, tmp_path, unit, taken)
                if unit.place in taken:
                    rest = content_of(self._read(address, tmp_path, unit, taken[unit.place]))
                    assert (rest.metrics, rest.logs) == ({}, {})

    def test_more_is_another_version(self, tmp_path: Path) -> None:
        """Whenever `write` has it show more, a unit is new or has another version."""
        with self.place(tmp_path) as address:
            connection = self._connect(address, tmp_path)
            try:
                seen: dict[str, str] = {}
                for part in range(self.parts):
                    self.write(tmp_path, part)
                    found = {one.unit.place: one.version for one in connection.look().units}
                    assert found != seen
                    seen = found
            finally:
                connection.close()

    # What goes wrong

    def test_nobody_answers(self, tmp_path: Path) -> None:
        """Where nobody answers any more, a look raises OSError, which is tried again."""
        with self.place(tmp_path) as address:
            self.write(tmp_path, 0)
        connection = self._connect(address, tmp_path)
        try:
            with pytest.raises(OSError):
                connection.look()
        finally:
            connection.close()

    # In a host

    async def test_a_host_follows_it_and_goes_on_after_a_stop(self, tmp_path: Path) -> None:
        """Followed, stopped and started again while there is more and more, everything comes once."""
        records = MemoryRecords()
        with self.place(tmp_path) as address:
            for part in range(self.parts):
                self.write(tmp_path, part)
                await self._followed(records, address, tmp_path)
            whole = content_of(
                delivery
                for unit in self._units(address, tmp_path)
                for delivery in self._read(address, tmp_path, unit, None)
            )
        found = Content()
        for operation in records.operations:
            found.add(operation)
        assert found == whole

    async def _followed(self, records: MemoryRecords, address: str, folder: Path) -> None:
        settings = self.config(folder).model_dump(exclude_unset=True)
        config = RemoteConfig(address, NAME, config={self.remote.name: settings}, poll_seconds=0.1)
        host = Host(records, [], [config], self.limits, remotes=[self.remote])
        assert not host.wrong
        await host.start()
        try:
            await _until(lambda: all(one.state is SourceState.FOLLOWING for one in host.reports()))
            assert [one.last_error for one in host.reports()] == [None]
        finally:
            await host.close()

    # Reading without a host

    def _connect(self, address: str, folder: Path) -> Connection:
        return self.remote.connect(address, NAME, self.config(folder), self.limits)

    def _units(self, address: str, folder: Path) -> list[Unit]:
        connection = self._connect(address, folder)
        try:
            look = connection.look()
        finally:
            connection.close()
        places = [seen.unit.place for seen in look.units]
        assert len(set(places)) == len(places)
        assert not any(seen.unit.files or seen.unit.watches for seen in look.units)
        return [seen.unit for seen in look.units]

    def _read(self, address: str, folder: Path, unit: Unit, checkpoint: Checkpoint) -> Iterator[Delivery]:
        connection = self._connect(address, folder)
        try:
            connection.look()
            context = Context(Tree(Path(), NAME, ()), self.config(folder), self.limits)
            for delivery in connection.read(unit, checkpoint, context):
                kept: Mapping[str, object] = json.loads(json.dumps(delivery.checkpoint, allow_nan=False))
                yield replace(delivery, checkpoint=kept)
        finally:
            connection.close()

    def _in_pieces(
        self, address: str, folder: Path, unit: Unit, taken: dict[str, Checkpoint]
    ) -> list[Delivery]:
        """Read to the end with a stop after every delivery."""
        found: list[Delivery] = []
        while True:
            before = taken.get(unit.place)
            delivery = next(self._read(address, folder, unit, before), None)
            if delivery is None or (delivery.checkpoint == before and not delivery.operations):
                return found
            found.append(delivery)
            taken[unit.place] = delivery.checkpoint


async def _until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + _PATIENCE
    while not condition():
        assert time.monotonic() < end, "it does not come about"
        await asyncio.sleep(0.02)
