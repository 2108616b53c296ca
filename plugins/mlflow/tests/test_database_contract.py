from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path
from tempfile import TemporaryDirectory

from graphql_runs.ingest.testing import IngesterContract
from graphql_runs_mlflow import ingester
from plugins.mlflow.tests.stores import tracked


class TestContract(IngesterContract):
    """A database of today's MLflow, cut down to one run and a part of its points."""

    ingester = ingester
    growing = "mlflow.db"

    def write(self, folder: Path, part: int) -> None:
        store = tracked("3.17.2")
        [run_id] = [run_id for run_id, run in store.said_later.items() if run["name"] == "first ✓"]
        with TemporaryDirectory() as place:
            copy = Path(place) / "copy.db"
            shutil.copyfile(store.later, copy)
            connection = sqlite3.connect(copy)
            for table in ("metrics", "latest_metrics", "params", "tags", "runs"):
                connection.execute(f"DELETE FROM {table} WHERE run_uuid <> ?", (run_id,))
            [(first, last)] = connection.execute("SELECT min(rowid), max(rowid) FROM metrics").fetchall()
            # The first hundred are points of several metrics.
            most = first + min(100, last - first) * (part + 1) // self.parts
            connection.execute("DELETE FROM metrics WHERE rowid > ?", (most,))
            connection.commit()
            connection.close()
            # In place, as SQLite does it.
            with (folder / self.growing).open("r+b" if (folder / self.growing).exists() else "wb") as file:
                file.write(copy.read_bytes())
                file.truncate()
