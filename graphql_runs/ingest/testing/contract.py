"""The contract kit: what every plugin has to stand, as tests that are inherited.

In a test module of the plugin:

    class TestContract(IngesterContract):
        ingester = my_plugin.ingester

        def write(self, folder, part):
            with (folder / "train.mylog").open("a") as file:
                file.writelines(f"{part} {line}\\n" for line in range(100))

        growing = "train.mylog"

The tests read what `write` leaves, in small deliveries, stop after each of them, go on from its checkpoint with files that
have changed meanwhile, and compare the streams (log bytes, points) with those of one reading of everything.
"""

from __future__ import annotations

import asyncio
import os
import random
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from pydantic import BaseModel

from graphql_runs.ingest.api import Delivery, Stability
from graphql_runs.ingest.host import Host, SourceConfig
from graphql_runs.ingest.testing.basis import PATIENCE
from graphql_runs.ingest.testing.memory import MemoryRecords
from graphql_runs.ingest.testing.reading import NAME, Checkpoint, Content, content_of, read, units_of
from graphql_runs.ingest.testing.trouble import TroubleContract
from graphql_runs.model.errors import StoreUnavailable
from graphql_runs.model.source import SourceState

_CHECKPOINT_BYTES = 64 << 10
_KILLS = 6


class IngesterContract(TroubleContract):
    """Inherit from it in a class whose name begins with `Test`."""

    # What a plugin says of itself

    def test_it_introduces_itself(self) -> None:
        one = self.ingester
        assert re.fullmatch(r"[a-z][a-z0-9_]*", one.name)
        assert one.description.strip()
        assert isinstance(one.stability, Stability)
        assert isinstance(one.config(), BaseModel)

    # Choosing

    def test_it_takes_what_is_its_own(self, tmp_path: Path) -> None:
        run = self._write_all(tmp_path)
        for name in self.foreign:
            (run / name).parent.mkdir(exist_ok=True)
            (run / name).write_bytes(b"\x00\x01\x02\x03")
        tree, units = units_of(self.ingester, tmp_path)
        there = {file.path for file in tree.files}
        taken = [path for unit in units for path in unit.files]
        assert set(taken) <= there
        assert len(taken) == len(set(taken))
        assert any(path.as_posix() == f"run/{self.growing}" for path in taken)
        assert {
            path for path in taken if path.as_posix() in {f"run/{name}" for name in self.foreign}
        } == set()

    def test_it_takes_nothing_of_an_empty_folder(self, tmp_path: Path) -> None:
        assert units_of(self.ingester, tmp_path)[1] == []

    def test_it_chooses_among_many_files(self, tmp_path: Path) -> None:
        run = self._write_all(tmp_path)
        data = (run / self.growing).read_bytes()
        name = Path(self.growing)
        for number in range(self.many):
            copy = run / name.with_name(f"{name.stem}_{number:05}{name.suffix}")
            copy.write_bytes(data[:200])
        before = _open_files()
        tree, units = units_of(self.ingester, tmp_path)
        taken = [path for unit in units for path in unit.files]
        assert len(taken) == len(set(taken))
        for unit in units[:: max(1, len(units) // 50)]:
            content_of(read(self.ingester, tree, unit, None, self.limits))
        assert _open_files() <= before
        assert len(tree.files) >= self.many

    # Reading

    def test_checkpoints_are_small(self, tmp_path: Path) -> None:
        self._write_all(tmp_path)
        deliveries = [
            delivery for key in self._keys(tmp_path) for delivery in self._read(tmp_path, key, None)
        ]
        assert deliveries
        assert all(len(repr(delivery.checkpoint)) < _CHECKPOINT_BYTES for delivery in deliveries)

    def test_reading_twice_gives_the_same(self, tmp_path: Path) -> None:
        self._write_all(tmp_path)
        for key in self._keys(tmp_path):
            once = [delivery.operations for delivery in self._read(tmp_path, key, None)]
            assert repr(once) == repr([delivery.operations for delivery in self._read(tmp_path, key, None)])

    def test_it_goes_on_from_every_checkpoint(self, tmp_path: Path) -> None:
        self._write_all(tmp_path)
        for key in self._keys(tmp_path):
            whole = list(self._read(tmp_path, key, None))
            for place, delivery in enumerate(whole, 1):
                rest = list(self._read(tmp_path, key, delivery.checkpoint))
                assert content_of([*whole[:place], *rest]) == content_of(whole)

    def test_it_goes_on_as_files_grow(self, tmp_path: Path) -> None:
        run = self._run(tmp_path)
        places: dict[str, Checkpoint] = {}
        found: dict[str, list[Delivery]] = {}
        for part in range(self.parts):
            self.write(run, part)
            self._catch_up(tmp_path, places, found)
        self._same_as_read_at_once(tmp_path, found)

    def test_files_may_grow_while_they_are_read(self, tmp_path: Path) -> None:
        run = self._run(tmp_path)
        self.write(run, 0)
        keys = self._keys(tmp_path)
        reading = {key: self._read(tmp_path, key, None) for key in keys}
        found = {key: [first] for key, one in reading.items() if (first := next(one, None)) is not None}
        for part in range(1, self.parts):
            self.write(run, part)
            for key, one in reading.items():
                found.setdefault(key, []).extend(_some(one))
        for one in reading.values():
            one.close()
        places: dict[str, Checkpoint] = {key: some[-1].checkpoint for key, some in found.items() if some}
        self._catch_up(tmp_path, places, found)
        self._same_as_read_at_once(tmp_path, found)

    def test_a_file_that_is_replaced_by_its_copy_is_not_read_twice(self, tmp_path: Path) -> None:
        run = self._write_all(tmp_path)
        places: dict[str, Checkpoint] = {}
        found: dict[str, list[Delivery]] = {}
        self._catch_up(tmp_path, places, found)
        before = {key: content_of(deliveries) for key, deliveries in found.items()}
        copy = run / "copy.tmp"
        shutil.copyfile(run / self.growing, copy)
        copy.replace(run / self.growing)
        self._catch_up(tmp_path, places, found)
        assert {key: content_of(deliveries) for key, deliveries in found.items()} == before

    def test_a_file_that_is_written_anew_with_more_gives_what_is_new(self, tmp_path: Path) -> None:
        run = self._run(tmp_path)
        places: dict[str, Checkpoint] = {}
        found: dict[str, list[Delivery]] = {}
        for part in range(self.parts):
            self.write(run, part)
            if part:
                path = run / self.growing
                path.write_bytes(path.read_bytes())
            self._catch_up(tmp_path, places, found)
        self._same_as_read_at_once(tmp_path, found)

    def test_a_file_may_be_renamed_and_begun_anew(self, tmp_path: Path) -> None:
        self._rotated(tmp_path, lambda path, older: path.replace(older))

    def test_a_file_may_be_copied_and_cut(self, tmp_path: Path) -> None:
        def rotate(path: Path, older: Path) -> None:
            shutil.copyfile(path, older)
            os.truncate(path, 0)

        self._rotated(tmp_path, rotate)

    def _rotated(self, folder: Path, rotate: Callable[[Path, Path], object]) -> None:
        """Rotate the file between parts, some of which were read before; one that rotates gives everything once."""
        run = self._run(folder)
        path = run / self.growing
        places: dict[str, Checkpoint] = {}
        found: dict[str, list[Delivery]] = {}
        for part in range(self.parts):
            self.write(run, part)
            if not self.rotates:
                self._bear(folder, places)
            elif part != 1:
                self._catch_up(folder, places, found)
            for number in range(part, 0, -1):
                path.with_name(f"{path.name}.{number}").replace(path.with_name(f"{path.name}.{number + 1}"))
            rotate(path, path.with_name(f"{path.name}.1"))
        self._bear(folder, dict(places))
        self.write(run, 0)
        if self.rotates:
            self._catch_up(folder, places, found)
            self._same_as_read_at_once(folder, found)
        else:
            self._bear(folder, places)

    # Under a host

    async def test_a_host_that_is_stopped_and_started_reads_everything_once(self, tmp_path: Path) -> None:
        run = self._run(tmp_path / "source")
        records = MemoryRecords()
        for part in range(self.parts):
            host = self._host(tmp_path / "source", records)
            self.write(run, part)
            await host.start()
            if part == self.parts - 1:
                await self._until_read(host)
            else:
                await asyncio.sleep(0.05 * part)  # somewhere in the middle
            await host.close()
            assert {report.state for report in host.reports()} <= {SourceState.STOPPED}
        self._everything_once(tmp_path / "source", records)

    async def test_a_host_that_is_killed_anywhere_reads_everything_once(self, tmp_path: Path) -> None:
        run = self._run(tmp_path / "source")
        records = MemoryRecords()
        chance = random.Random(11)
        for number in range(max(self.parts, _KILLS)):
            if number < self.parts:
                self.write(run, number)
            await self._killed(tmp_path / "source", records, chance.randrange(6), kept=number % 2 == 1)
        host = self._host(tmp_path / "source", records)
        await host.start()
        await self._until_read(host)
        await host.close()
        self._everything_once(tmp_path / "source", records)

    async def _killed(self, folder: Path, records: MemoryRecords, calls: int, *, kept: bool) -> None:
        """A host that gets no further than so many batches; the last one is `kept` without the host knowing, or is not."""
        dead = asyncio.Event()
        count = 0

        def before(_: int) -> None:
            nonlocal count
            count += 1
            if dead.is_set() or (count > calls and not kept):
                dead.set()
                raise StoreUnavailable("killed")

        def after(_: int) -> None:
            if count > calls:
                dead.set()
                raise StoreUnavailable("killed")

        host = self._host(folder, replace(records, before=before, after=after))
        await host.start()
        await self._until_read(host, dead)
        await host.close()

    def _host(self, folder: Path, records: MemoryRecords) -> Host:
        return Host(records, [self.ingester], [SourceConfig(folder, NAME)], self.limits, poll_seconds=0.2)

    def _everything_once(self, folder: Path, records: MemoryRecords) -> None:
        whole = Content()
        for key in self._keys(folder):
            for delivery in self._read(folder, key, None):
                for operation in delivery.operations:
                    whole.add(operation)
        found = content_of([Delivery({}, records.operations)])
        assert (found.logs, found.metrics) == (whole.logs, whole.metrics)

    async def _until_read(self, host: Host, dead: asyncio.Event | None = None) -> None:
        for _ in range(int(PATIENCE / 0.05)):
            reports = host.reports()
            if dead is not None and dead.is_set():
                return
            if len(reports) > 1 and all(report.state is SourceState.FOLLOWING for report in reports):
                return
            await asyncio.sleep(0.05)
        raise AssertionError(f"it does not catch up: {host.reports()}")


def _open_files() -> int:
    """Of this process; 0 where the system does not say."""
    listing = Path("/proc/self/fd")
    return len(list(listing.iterdir())) if listing.exists() else 0


def _some(deliveries: Iterator[Delivery]) -> list[Delivery]:
    return [delivery for _, delivery in zip(range(2), deliveries, strict=False)]
