"""A job that logs to Weights & Biases, offline, in the folder that it is started in. For an environment that has wandb."""

import json
import math
import os
import sys

os.environ |= {"WANDB_MODE": "offline", "WANDB_SILENT": "true", "WANDB_ERROR_REPORTING": "false"}
os.environ |= {"WANDB_DISABLE_GIT": "true", "WANDB_CONSOLE": "wrap"}

import wandb

ROWS = [
    {"loss": 0.5, "acc/top": 0, "größe": 1.5, "nested": {"a": 1, "b": "word"}},
    {"loss": math.nan, "acc/top": 10**15, "flag": True},
    {"loss": math.inf, "acc/top": -3},
    {"loss": -math.inf, "text": "first\nsecond"},
    {"loss": 1 / 3, "bins": [1, 2.5, 3]},
]
CONFIG = {"lr": 0.1, "model": {"name": "mlp", "layers": [1, 2]}, "n": 2**53 + 1, "flag": False, "none": None}


def main(code: int, rows: int) -> None:
    run = wandb.init(
        project="vision", entity="team", name="first try", notes="hello", group="g1", job_type="train",
        tags=["a", "b"], config=CONFIG, id="abcd1234", dir=".",
    )  # fmt: skip
    print("epoch 1: lößs 0.5")
    print("progress 10%\rprogress 20%")
    for row in ROWS:
        run.log(row)
    run.log({"late": 1}, step=100)
    run.config.update({"later": "yes"})
    for index in range(rows):
        run.log({"many": index / 7, "padding": "x" * 300})
    # Longer than a block of the log.
    run.log({"long": "y" * 70_000})
    run.summary["best"] = 0.9
    run.summary["note"] = "mine"
    with open("result.txt", "w") as file:
        file.write("result")
    run.save("result.txt", base_path=".", policy="now")
    run.finish(exit_code=code)
    print(json.dumps({"version": wandb.__version__}))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
