import json
from pathlib import Path

from graphql_runs.ingest.testing import IngesterContract
from graphql_runs_tabular import ingester


class TestJsonLines(IngesterContract):
    ingester = ingester
    growing = "metrics.jsonl"

    def write(self, folder: Path, part: int) -> None:
        with (folder / "metrics.jsonl").open("a") as file:
            for line in range(20):
                step = part * 20 + line
                row = {
                    "step": step,
                    "time": 1.7e9 + step,
                    "loss": 1 / (step + 1),
                    "eval": {"acc": step / 100, "bins": [1, 2, step]},
                }
                if line % 5 == 0:
                    row = {"epoch": part, "note": f"epoch {part}", "loss2": float("nan")}
                file.write(json.dumps(row) + "\n")
            file.write("{malformed\n")


class TestCsv(IngesterContract):
    ingester = ingester
    growing = "metrics.csv"

    def write(self, folder: Path, part: int) -> None:
        path = folder / "metrics.csv"
        with path.open("a") as file:
            if file.tell() == 0:
                file.write("epoch,step,train_loss,val_acc\n")
            for line in range(20):
                step = part * 20 + line
                file.write(f"{part},{step},{1 / (step + 1)},{'' if line % 3 else step / 80}\n")
