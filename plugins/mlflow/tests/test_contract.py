from pathlib import Path

from graphql_runs.ingest.testing import IngesterContract
from graphql_runs_mlflow import ingester
from plugins.mlflow.tests.stores import written


class TestContract(IngesterContract):
    ingester = ingester
    growing = "1/0123456789abcdef/metrics/many"

    def write(self, folder: Path, part: int) -> None:
        store, ids = written("3.17.2", 200)
        [source] = store.glob(f"*/{ids['first']}")
        experiment = folder / "1"
        run = experiment / "0123456789abcdef"
        (run / "metrics").mkdir(parents=True, exist_ok=True)
        for name in ("params", "tags"):
            for path in (source / name).rglob("*"):
                target = run / path.relative_to(source)
                if path.is_file():
                    target.parent.mkdir(parents=True, exist_ok=True)
                    target.write_bytes(path.read_bytes())
        (experiment / "meta.yaml").write_bytes((source.parent / "meta.yaml").read_bytes())
        meta = (source / "meta.yaml").read_text().replace(ids["first"], run.name)
        (run / "meta.yaml").write_text(meta)
        log = (source / "metrics" / "many").read_bytes()
        size = len(log) // self.parts + 1
        with (folder / self.growing).open("ab") as file:
            file.write(log[part * size : (part + 1) * size])
