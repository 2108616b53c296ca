from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from graphql_runs.ingest.testing.remote import RemoteContract
from graphql_runs_mlflow.tracking.remote import MlflowRemote
from plugins.mlflow.tests.stub import Stub, serving


class TestContract(RemoteContract):
    remote = MlflowRemote()

    @contextmanager
    def place(self, folder: Path) -> Iterator[str]:
        self.stub = Stub()
        with serving(self.stub) as address:
            yield address

    def write(self, folder: Path, part: int) -> None:
        times = range(part * 300, part * 300 + 300)
        self.stub.put("a", loss=[(time, time - 5, time / 7) for time in times], acc=[(times[0], part, 0.5)])
        self.stub.put(f"b{part}", "FINISHED", parent="a", loss=[(1, 2, float(part))])
