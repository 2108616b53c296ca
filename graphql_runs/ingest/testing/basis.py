"""What the tests of the contract kit share: what a plugin's author states, and reading a folder on."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from graphql_runs.ingest.api import Delivery, Ingester, Limits, Tree, Unit, Unreadable
from graphql_runs.ingest.testing.reading import Checkpoint, content_of, read, units_of

PATIENCE = 20.0
"""Seconds that a test waits."""


class Basis:
    """A plugin, and what a job writes for it."""

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
    rotates = False
    """Whether the plugin goes on when the file `growing` is renamed to `….1`, or copied to it and cut, and begins anew."""

    def write(self, folder: Path, part: int) -> None:
        """Write part 0, 1, … of what one job writes. Each part appends something to the file `growing`."""
        raise NotImplementedError

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

    def _same_as_read_at_once(self, folder: Path, found: dict[str, list[Delivery]]) -> None:
        for key, deliveries in found.items():
            assert content_of(deliveries) == content_of(self._read(folder, key, None))

    def _bear(self, folder: Path, places: dict[str, Checkpoint]) -> None:
        """Read on; the plugin may say that it cannot, in the one way there is."""
        for key in self._keys(folder):
            for delivery in borne(self._read(folder, key, places.get(key))):
                places[key] = delivery.checkpoint


def borne(deliveries: Iterator[Delivery]) -> list[Delivery]:
    """The deliveries up to where the plugin says that it cannot read on, in the one way there is."""
    found: list[Delivery] = []
    with suppress(Unreadable, FileNotFoundError):
        found.extend(deliveries)
    return found
