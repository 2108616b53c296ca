import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import BaseModel

from graphql_runs.ingest.testing import IngesterContract, RemoteContract
from graphql_runs_slurm import ingester, remote
from plugins.slurm.tests.recorded import answer, config, document, moved

VERSION = "24.11.5"


class TestIngester(IngesterContract):
    ingester = ingester
    growing = "queue.json"

    def write(self, folder: Path, part: int) -> None:
        queue = document(VERSION, "late", "queue.json")
        queue["jobs"] = queue["jobs"][: 5 * (part + 1)]
        (folder / "queue.json").write_text(json.dumps(queue))
        (folder / "sacct.json").write_text(json.dumps(document(VERSION, "early", "accounting.json")))


class TestRemote(RemoteContract):
    remote = remote

    @contextmanager
    def place(self, folder: Path) -> Iterator[str]:
        (folder / "down").unlink(missing_ok=True)
        try:
            yield "slurm:"
        finally:
            (folder / "down").touch()

    def write(self, folder: Path, part: int) -> None:
        answer(folder, VERSION, "late")
        moved(folder, os.getuid(), "queue.json", "accounting.json")
        # Every look runs five commands, so there are few jobs.
        for name, count in (("queue.json", 2 * (part + 1)), ("accounting.json", 3)):
            found = json.loads((folder / name).read_text())
            found["jobs"] = found["jobs"][:count]
            (folder / name).write_text(json.dumps(found))
        (folder / "out").mkdir(exist_ok=True)
        for path in (folder / "slurm-2.out", folder / "out/train-ok-1.out", folder / "out/train-ok-1.err"):
            with path.open("ab") as file:
                file.writelines(f"part {part} line {line}: ünï\r\n".encode() for line in range(300))

    def config(self, folder: Path) -> BaseModel:
        return config(folder, queue_seconds=0, nodes_seconds=0, accounting_seconds=0)
