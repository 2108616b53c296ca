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
import time
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from pydantic import BaseModel

from graphql_runs.ingest.api import (
    IDLE_SECONDS,
    QUIET_SECONDS,
    Delivery,
    Ingester,
    Limits,
    Stability,
    Tree,
    Unit,
    Unreadable,
)
from graphql_runs.ingest.host import Host, SourceConfig
from graphql_runs.ingest.testing.memory import MemoryRecords
from graphql_runs.ingest.testing.reading import NAME, Checkpoint, Content, content_of, read, units_of
from graphql_runs.model.source import SourceState

_CHECKPOINT_BYTES = 64 << 10
_PATIENCE = 20.0


class IngesterContract:
    """Inherit from it in a class whose name begins with `Test`."""

    ingester: Ingester
    growing: str
    """A file below the run's folder that `write` appends to."""
    parts = 4
    """How often `write` is called."""
    many = 10_000
    """Files in a folder that are looked at without trouble."""
    limits = Limits(delivery_bytes=256, line_bytes=4096)
    foreign: Sequence[str] = (
        "model.ckpt",
        "picture.png",
        "notes.md",
        "src/train.py",
        "weights.npy",
        "archive.zip",
    )
    """Files beside those of the plugin that it must leave alone."""

    def write(self, folder: Path, part: int) -> None:
        """Write part 0, 1, … of what one job writes. Each part appends something to the file `growing`."""
        raise NotImplementedError

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
        for key, deliveries in found.items():
            assert content_of(deliveries) == content_of(self._read(tmp_path, key, None))

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
        for key, deliveries in found.items():
            assert content_of(deliveries) == content_of(self._read(tmp_path, key, None))

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

    # What goes wrong

    def test_a_file_may_be_cut(self, tmp_path: Path) -> None:
        run = self._write_all(tmp_path)
        for seconds in (0.0, QUIET_SECONDS + 1, IDLE_SECONDS + 1):
            for size in (0.5, 0.0):
                places: dict[str, Checkpoint] = {}
                self._catch_up(tmp_path, places, {})
                path = run / self.growing
                os.truncate(path, int(path.stat().st_size * size))
                os.utime(path, (time.time() - seconds,) * 2)
                self._bear(tmp_path, places)
                self.write(run, 0)

    def test_a_file_may_hold_junk(self, tmp_path: Path) -> None:
        run = self._write_all(tmp_path)
        places: dict[str, Checkpoint] = {}
        self._catch_up(tmp_path, places, {})
        junk = random.Random(7).randbytes(20_000)
        with (run / self.growing).open("ab") as file:
            file.write(junk)
        self._bear(tmp_path, places)
        (run / self.growing).write_bytes(junk)
        self._bear(tmp_path, places)
        self._bear(tmp_path, {})

    def test_a_file_may_go_away(self, tmp_path: Path) -> None:
        path = self._write_all(tmp_path) / self.growing
        tree, unit = self._of_growing(tmp_path)
        path.unlink()
        assert content_of(_borne(read(self.ingester, tree, unit, None, self.limits))).logs == {}

    def test_a_folder_may_stand_in_place_of_a_file(self, tmp_path: Path) -> None:
        path = self._write_all(tmp_path) / self.growing
        tree, unit = self._of_growing(tmp_path)
        path.unlink()
        path.mkdir()
        assert content_of(_borne(read(self.ingester, tree, unit, None, self.limits))).logs == {}

    def test_a_pipe_may_stand_in_place_of_a_file(self, tmp_path: Path) -> None:
        path = self._write_all(tmp_path) / self.growing
        tree, unit = self._of_growing(tmp_path)
        path.unlink()
        os.mkfifo(path)
        with ThreadPoolExecutor(1) as pool:
            # In a thread: who waits for somebody to write into a pipe may wait for ever.
            reading = pool.submit(_borne, read(self.ingester, tree, unit, None, self.limits))
            try:
                assert content_of(reading.result(timeout=_PATIENCE)).logs == {}
            finally:
                os.close(os.open(path, os.O_RDWR | os.O_NONBLOCK))  # lets go of one who waits

    def test_a_link_out_of_the_source_is_not_followed(self, tmp_path: Path) -> None:
        path = self._write_all(tmp_path / "source") / self.growing
        tree, unit = self._of_growing(tmp_path / "source")
        outside = tmp_path / "outside"
        path.rename(outside)
        path.symlink_to(outside)
        found = content_of(_borne(read(self.ingester, tree, unit, None, self.limits)))
        assert (found.logs, found.metrics) == ({}, {})

    # Under a host

    async def test_a_host_that_is_stopped_and_started_reads_everything_once(self, tmp_path: Path) -> None:
        run = self._run(tmp_path / "source")
        records = MemoryRecords()
        for part in range(self.parts):
            host = Host(
                records,
                [self.ingester],
                [SourceConfig(tmp_path / "source", NAME)],
                self.limits,
                poll_seconds=0.2,
            )
            self.write(run, part)
            await host.start()
            if part == self.parts - 1:
                await self._until_read(host)
            else:
                await asyncio.sleep(0.05 * part)  # somewhere in the middle
            await host.close()
            assert {report.state for report in host.reports()} <= {SourceState.STOPPED}
        whole = Content()
        for key in self._keys(tmp_path / "source"):
            for delivery in self._read(tmp_path / "source", key, None):
                for operation in delivery.operations:
                    whole.add(operation)
        found = content_of([Delivery({}, records.operations)])
        assert (found.logs, found.metrics) == (whole.logs, whole.metrics)

    async def _until_read(self, host: Host) -> None:
        for _ in range(int(_PATIENCE / 0.05)):
            reports = host.reports()
            if len(reports) > 1 and all(report.state is SourceState.FOLLOWING for report in reports):
                return
            await asyncio.sleep(0.05)
        raise AssertionError(f"it does not catch up: {host.reports()}")

    # Shorthands

    def _of_growing(self, folder: Path) -> tuple[Tree, Unit]:
        tree, units = units_of(self.ingester, folder)
        [unit] = [
            unit for unit in units if any(path.as_posix() == f"run/{self.growing}" for path in unit.files)
        ]
        return tree, unit

    def _run(self, folder: Path) -> Path:
        run = folder / "run"
        run.mkdir(parents=True, exist_ok=True)
        return run

    def _write_all(self, folder: Path) -> Path:
        run = self._run(folder)
        for part in range(self.parts):
            self.write(run, part)
        assert (run / self.growing).is_file(), "write does not write the file that `growing` names"
        return run

    def _keys(self, folder: Path) -> list[str]:
        return [unit.key for unit in units_of(self.ingester, folder)[1]]

    def _read(self, folder: Path, key: str, checkpoint: Checkpoint) -> Generator[Delivery, None, None]:
        tree, units = units_of(self.ingester, folder)
        [unit] = [unit for unit in units if unit.key == key]
        return read(self.ingester, tree, unit, checkpoint, self.limits)

    def _catch_up(
        self, folder: Path, places: dict[str, Checkpoint], found: dict[str, list[Delivery]]
    ) -> None:
        for key in self._keys(folder):
            for delivery in self._read(folder, key, places.get(key)):
                places[key] = delivery.checkpoint
                found.setdefault(key, []).append(delivery)

    def _bear(self, folder: Path, places: dict[str, Checkpoint]) -> None:
        """Read on; the plugin may say that it cannot, in the one way there is."""
        for key in self._keys(folder):
            for delivery in _borne(self._read(folder, key, places.get(key))):
                places[key] = delivery.checkpoint


def _borne(deliveries: Iterator[Delivery]) -> list[Delivery]:
    found: list[Delivery] = []
    with suppress(Unreadable, FileNotFoundError):
        found.extend(deliveries)
    return found


def _open_files() -> int:
    """Of this process; 0 where the system does not say."""
    listing = Path("/proc/self/fd")
    return len(list(listing.iterdir())) if listing.exists() else 0


def _some(deliveries: Iterator[Delivery]) -> list[Delivery]:
    return [delivery for _, delivery in zip(range(2), deliveries, strict=False)]
