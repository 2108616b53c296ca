"""What goes wrong with files, and what a plugin makes of it."""

from __future__ import annotations

import os
import random
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from graphql_runs.ingest.api import IDLE_SECONDS, QUIET_SECONDS, Delivery, Unreadable
from graphql_runs.ingest.testing.basis import PATIENCE, Basis, borne
from graphql_runs.ingest.testing.reading import Checkpoint, content_of, read, units_of
from graphql_runs.ingest.testing.rights import without_rights


class TroubleContract(Basis):
    """The part of the contract that is about trouble with files."""

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
        assert content_of(borne(read(self.ingester, tree, unit, None, self.limits))).logs == {}

    def test_a_folder_may_stand_in_place_of_a_file(self, tmp_path: Path) -> None:
        path = self._write_all(tmp_path) / self.growing
        tree, unit = self._of_growing(tmp_path)
        path.unlink()
        path.mkdir()
        assert content_of(borne(read(self.ingester, tree, unit, None, self.limits))).logs == {}

    def test_a_pipe_may_stand_in_place_of_a_file(self, tmp_path: Path) -> None:
        path = self._write_all(tmp_path) / self.growing
        tree, unit = self._of_growing(tmp_path)
        path.unlink()
        os.mkfifo(path)
        with ThreadPoolExecutor(1) as pool:
            # In a thread: who waits for somebody to write into a pipe may wait for ever.
            reading = pool.submit(borne, read(self.ingester, tree, unit, None, self.limits))
            try:
                assert content_of(reading.result(timeout=PATIENCE)).logs == {}
            finally:
                os.close(os.open(path, os.O_RDWR | os.O_NONBLOCK))  # lets go of one who waits

    def test_rights_may_be_missing(self, tmp_path: Path) -> None:
        run = self._write_all(tmp_path)
        places: dict[str, Checkpoint] = {}
        found: dict[str, list[Delivery]] = {}
        with without_rights(run / self.growing):
            self._held_up(tmp_path, places, found)
        self._catch_up(tmp_path, places, found)
        self._same_as_read_at_once(tmp_path, found)

    def test_rights_may_go_and_come_back(self, tmp_path: Path) -> None:
        run = self._run(tmp_path)
        places: dict[str, Checkpoint] = {}
        found: dict[str, list[Delivery]] = {}
        for part in range(self.parts):
            self.write(run, part)
            with without_rights(run / self.growing):
                self._held_up(tmp_path, places, found)
            if part % 2 == 0:
                self._catch_up(tmp_path, places, found)
        self._catch_up(tmp_path, places, found)
        self._same_as_read_at_once(tmp_path, found)

    def _held_up(self, folder: Path, places: dict[str, Checkpoint], found: dict[str, list[Delivery]]) -> None:
        """Read what can be read without the file `growing`; a plugin that takes it has to say that it cannot."""
        errors: list[Unreadable] = []
        skipped = 0
        units = units_of(self.ingester, folder)[1]
        # One that is known by its content alone may be passed over.
        taken = any(path.as_posix() == f"run/{self.growing}" for unit in units for path in unit.files)
        for key in [unit.key for unit in units]:
            try:
                for delivery in self._read(folder, key, places.get(key)):
                    places[key] = delivery.checkpoint
                    found.setdefault(key, []).append(delivery)
                    skipped += len(delivery.skipped)
            except Unreadable as error:
                errors.append(error)
        assert errors or skipped or not taken, "nothing tells that a file cannot be read"
        assert all(isinstance(error.__cause__, OSError) for error in errors), (
            "by that the host knows to try again"
        )

    def test_a_link_out_of_the_source_is_not_followed(self, tmp_path: Path) -> None:
        path = self._write_all(tmp_path / "source") / self.growing
        tree, unit = self._of_growing(tmp_path / "source")
        outside = tmp_path / "outside"
        path.rename(outside)
        path.symlink_to(outside)
        found = content_of(borne(read(self.ingester, tree, unit, None, self.limits)))
        assert (found.logs, found.metrics) == ({}, {})
