"""What every workload is given: its size, a folder on the disk, the load generator, progress and peers."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from benchmarks.figure import Beside
from benchmarks.peers import Peers
from benchmarks.replay import LoadGenerator
from scripts.mongo_java_server.launch import LaunchError, start

REPETITIONS = 3


@dataclass(slots=True)
class Bench:
    """One run of the benchmarks."""

    folder: Path
    quick: bool
    load: LoadGenerator
    console: Console
    peers: Peers
    environment: Mapping[str, str]
    repetitions: int = REPETITIONS
    _stores: int = field(default=0, init=False)

    def size(self, full: int, quick: int) -> int:
        """A number of things to do."""
        return quick if self.quick else full

    def rounds(self, what: str) -> Iterator[int]:
        """The repetitions, told on the console. Ours and what stands beside it take turns within one round, so that a
        machine that gets slower does so for both."""
        for index in range(self.repetitions):
            self.console.print(f"[dim]{what}: {index + 1} of {self.repetitions}[/]")
            yield index

    def store(self) -> Path:
        """The file of a new store, in a folder of its own."""
        self._stores += 1
        folder = self.folder / str(self._stores)
        folder.mkdir()
        return folder / "store.sqlite"

    @contextmanager
    def mongodb(self) -> Iterator[str | None]:
        """The address of an empty MongoDB store on mongo-java-server over H2, a stand-in; None where it cannot be run."""
        file = self.store().with_name("h2")
        try:
            server = start("h2", str(file))
        except LaunchError as error:
            self.console.print(f"[yellow]no MongoDB stand-in: {error}[/]", highlight=False)
            yield None
            return
        try:
            yield f"{server.address}/bench"
        finally:
            server.kill()

    @contextmanager
    def bar(self, what: str, total: int) -> Iterator[Callable[[int], None]]:
        """A progress bar; gives the function that moves it on."""
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=self.console, transient=True) as progress:
            task = progress.add_task(what, total=total)
            yield lambda count: progress.advance(task, count)

    def beside(self, workload: str, what: str) -> tuple[Beside, ...]:
        """The peers' figures for one of a workload's, with a reason where there is none."""
        return self.peers.beside(workload, what)


def timed(action: Callable[[], object]) -> float:
    """Seconds that it takes."""
    begin = time.perf_counter()
    action()
    return time.perf_counter() - begin


def milliseconds(seconds: Iterable[float]) -> float:
    """The median, in milliseconds."""
    return 1000 * median(seconds)


def quantile(values: Iterable[float], q: float) -> float:
    """The smallest value that at least the share `q` of them does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(q * len(ordered)))]
