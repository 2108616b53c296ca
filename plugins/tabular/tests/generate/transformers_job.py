"""A training with transformers' Trainer that is resumed from an earlier checkpoint: transformers_job.py FOLDER."""

from __future__ import annotations

import math
import os
import sys
import tempfile
from pathlib import Path

os.environ.update(CUDA_VISIBLE_DEVICES="", WANDB_DISABLED="true", TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD="1")
import torch
import transformers
from moments import Moments
from transformers import Trainer, TrainerCallback, TrainingArguments

MOMENTS = Moments(sys.argv[1], "transformers", transformers.__version__)
LIVE = Path(tempfile.mkdtemp())
KEPT = ("trainer_state.json", "*_results.json")
LOGGED: list[dict[str, object]] = []
RESULTS: list[dict[str, object]] = []
os.chdir(LIVE)


class Line(torch.nn.Module):
    """A line that can be trained."""

    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(1, 1)

    def forward(self, x, labels=None):
        """Loss and prediction."""
        found = self.layer(x)
        return {"loss": torch.nn.functional.mse_loss(found, labels), "logits": found}


class Rows(torch.utils.data.Dataset):
    """Points of a line."""

    def __len__(self):
        return 16

    def __getitem__(self, index):
        return {"x": torch.tensor([index / 16]), "labels": torch.tensor([index / 8])}


class Recording(TrainerCallback):
    """Writes down what is logged, and keeps the files after each checkpoint."""

    def on_log(self, args, state, control, logs=None, **_):
        """As `Trainer.log` calls it."""
        LOGGED.append({**logs, "step": state.global_step})

    def on_step_begin(self, args, state, control, **_):
        """The checkpoint of the step before is written, and old ones are removed."""
        MOMENTS.keep(LIVE, *KEPT)


class Saving(Trainer):
    """Writes down the results that are saved."""

    def save_metrics(self, split, metrics, combined=True):
        """Called below."""
        RESULTS.append(dict(metrics))
        super().save_metrics(split, metrics, combined)


def metrics(_):
    """Values that JSON has no words for, and more than a number."""
    return {
        "nan": math.nan, "low": -math.inf, "tokens": 2**60 + 1, "größe": 0.1, "per_class": [0.5, 1], "by": {"a": 1.5}
    }  # fmt: skip


def train(steps, resume=None, **more):
    """One start of the job."""
    evaluate = "eval_strategy" if transformers.__version__ >= "4.46" else "evaluation_strategy"
    arguments = TrainingArguments(
        output_dir="out", max_steps=steps, per_device_train_batch_size=4, logging_steps=1, save_steps=2, save_total_limit=2,
        eval_steps=2, learning_rate=0.1, report_to=[], disable_tqdm=True, seed=len(LOGGED), load_best_model_at_end=True,
        metric_for_best_model="größe", save_strategy="steps", **{evaluate: "steps"}, **more,
    )  # fmt: skip
    trainer = Saving(
        Line(),
        arguments,
        train_dataset=Rows(),
        eval_dataset=Rows(),
        compute_metrics=metrics,
        callbacks=[Recording()],
    )
    result = trainer.train(resume_from_checkpoint=resume)
    MOMENTS.keep(LIVE, *KEPT)
    trainer.save_metrics("train", result.metrics)
    trainer.save_state()
    MOMENTS.keep(LIVE, *KEPT)
    return trainer


torch.manual_seed(1)
train(6)
# Resumed from a checkpoint before the last: what came after it is trained again, with other values.
torch.manual_seed(2)
trainer = train(10, resume="out/checkpoint-2")
trainer.save_metrics("eval", trainer.evaluate())
trainer.save_state()
MOMENTS.keep(LIVE, *KEPT)
MOMENTS.end({"rows": LOGGED, "results": RESULTS})
