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


class TestTrainerState(IngesterContract):
    ingester = ingester
    growing = "trainer_state.json"

    def write(self, folder: Path, part: int) -> None:
        path = folder / self.growing
        path.parent.mkdir(exist_ok=True)
        rows = [
            {"step": step, "epoch": step / 20, "loss": 1 / (step + 1), "eval_acc": [float("nan"), step]}
            for step in range(part * 20 + 20)
        ]
        state = {"global_step": part * 20 + 20, "max_steps": 80, "log_history": rows}
        path.write_text(json.dumps(state, indent=2))


class TestCheckpoint(TestTrainerState):
    growing = "checkpoint-80/trainer_state.json"


class TestHparams(IngesterContract):
    ingester = ingester
    growing = "hparams.yaml"

    def write(self, folder: Path, part: int) -> None:
        (folder / "metrics.csv").write_text("step,loss\n1,0.5\n")
        with (folder / "hparams.yaml").open("a") as file:
            file.write(f"lr_{part}: 1.0e-0{part}\nlayers_{part}: !!python/tuple\n- {part}\n")
