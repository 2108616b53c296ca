"""A training with Lightning's CSVLogger, whose columns come in one after the other: lightning_job.py FOLDER."""

from __future__ import annotations

import math
import sys
import tempfile
from pathlib import Path

import torch

try:
    import lightning.pytorch as pl
    from lightning.pytorch.loggers import CSVLogger
except ImportError:
    import pytorch_lightning as pl
    from pytorch_lightning.loggers import CSVLogger
from moments import Moments

MOMENTS = Moments(sys.argv[1], "lightning", pl.__version__)
LIVE = Path(tempfile.mkdtemp())
LOGGED: list[dict[str, object]] = []


class Recording(CSVLogger):
    """Writes down what it is given, and keeps the files after each writing."""

    def log_metrics(self, metrics, step=None):
        """Called by the trainer."""
        values = {name: value.item() if hasattr(value, "item") else value for name, value in metrics.items()}
        LOGGED.append({"step": step, "values": values})
        super().log_metrics(metrics, step)

    def save(self):
        """Called by the trainer and by `log_metrics`."""
        super().save()
        MOMENTS.keep(LIVE, "metrics.csv", "hparams.yaml")


class Model(pl.LightningModule):
    """A line."""

    def __init__(self, lr, layers, data, optimizer, activation, note, seed, nothing, threshold, again):
        super().__init__()
        self.save_hyperparameters()
        self.layer = torch.nn.Linear(1, 1)

    def training_step(self, batch, index):
        """A loss, and a metric that comes in with the third epoch."""
        x, y = batch
        loss = torch.nn.functional.mse_loss(self.layer(x), y)
        self.log("train_loss", loss, on_step=True, on_epoch=True)
        if self.current_epoch >= 2:
            self.log("späte/größe", math.nan if index == 0 else -math.inf)
        return loss

    def validation_step(self, batch, index):
        """A metric of its own."""
        x, y = batch
        self.log("val_loss", torch.nn.functional.mse_loss(self.layer(x), y))

    def on_train_epoch_start(self):
        """Integers that no float holds, straight to the logger, and a step that goes back."""
        if self.current_epoch == 1:
            self.logger.log_metrics({"tokens": 2**60 + 1}, step=self.global_step)
            self.logger.log_metrics({"tokens": 2**60 + 3}, step=0)

    def configure_optimizers(self):
        """Plain."""
        return torch.optim.SGD(self.parameters(), lr=self.hparams.lr)


torch.manual_seed(1)
xs = torch.linspace(0, 1, 16).reshape(-1, 1)
loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(xs, 2 * xs), batch_size=4)
layers = (64, 32)
model = Model(
    lr=1e-5, layers=layers, data=Path("/data/sets"), optimizer={"name": "sgd", "betas": [0.9, 0.999], "nesterov": False},
    activation=torch.nn.ReLU, note="größer: ja # nein", seed=2**63 + 1, nothing=None, threshold=math.inf, again=layers,
)  # fmt: skip
logger = Recording(str(LIVE), name="lightning_logs", flush_logs_every_n_steps=3)
trainer = pl.Trainer(
    logger=logger, max_epochs=4, log_every_n_steps=1, accelerator="cpu", enable_progress_bar=False,
    enable_model_summary=False, enable_checkpointing=False,
)  # fmt: skip
trainer.fit(model, loader, loader)
MOMENTS.keep(LIVE, "metrics.csv", "hparams.yaml")
MOMENTS.end(
    {
        "rows": LOGGED,
        "params": {
            "lr": "1e-05", "layers": "[64, 32]", "data": "/data/sets", "optimizer/name": "sgd",
            "optimizer/betas": "[0.9, 0.999]", "optimizer/nesterov": "false",
            "activation": "torch.nn.modules.activation.ReLU", "note": "größer: ja # nein", "seed": str(2**63 + 1),
            "threshold": "Infinity", "again": "[64, 32]",
        },
    }
)  # fmt: skip
