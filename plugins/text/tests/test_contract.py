from pathlib import Path

from graphql_runs.ingest.testing import IngesterContract
from graphql_runs_text import ingester


class TestContract(IngesterContract):
    ingester = ingester
    growing = "train.log"
    rotates = True

    def write(self, folder: Path, part: int) -> None:
        with (folder / "train.log").open("ab") as file:
            for line in range(20):
                file.write(f"part {part} line {line} ünï ".encode() + b"\x00\xff\n")
                file.write(b"2024-01-01T00:00:%02dZ " % line if line % 7 == 0 else b"")
                file.write(b"epoch %d step %d: loss=%f\n" % (part, line, 1 / (1 + line)))
            file.write(b"\r 50%|#####     |" if part % 2 else b"step=99 loss=0.2")
        with (folder / "stderr").open("ab") as file:
            file.write(b"warning\n" * part)
