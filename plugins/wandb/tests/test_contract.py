from pathlib import Path

from graphql_runs.ingest.testing import IngesterContract
from graphql_runs_wandb import ingester
from plugins.wandb.tests.folders import written


class TestContract(IngesterContract):
    ingester = ingester
    growing = "run-abcd1234.wandb"

    def write(self, folder: Path, part: int) -> None:
        log = (written("0.31.0", 0, 200) / self.growing).read_bytes()
        size = len(log) // self.parts + 1
        # Anywhere in a record, as a process that dies or a buffer that is flushed leaves it.
        with (folder / self.growing).open("ab") as file:
            file.write(log[part * size : (part + 1) * size])
