"""Trainings with Keras' CSVLogger, the second of which goes on with the first one's file: keras_job.py FOLDER."""

from __future__ import annotations

import math
import os
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "torch")
import keras
import numpy as np
from moments import Moments

MOMENTS = Moments(sys.argv[1], "keras", keras.__version__)
LIVE = Path(tempfile.mkdtemp())
LOGGED: list[dict[str, object]] = []


class Recording(keras.callbacks.Callback):
    """Adds values of its own before the logger comes, and writes down all of them."""

    def on_epoch_end(self, epoch, logs=None):
        """The logger's file is as the epoch before left it."""
        MOMENTS.keep(LIVE, "*.log", "*.csv")
        logs["größe, größte"] = [math.nan, math.inf, -math.inf][epoch % 3]
        logs["tokens"] = 2**60 + 1 + epoch
        logs["bins"] = [0.5, epoch]
        LOGGED.append({"epoch": epoch, "values": dict(logs)})


keras.utils.set_random_seed(1)
model = keras.Sequential([keras.layers.Dense(1)])
model.compile(optimizer="sgd", loss="mse", metrics=["mae"])
xs = np.linspace(0, 1, 8).reshape(-1, 1)
ways = [("training.log", {}), ("history.csv", {"separator": ";"})]
for name, options in ways:
    for start in (0, 3):
        path = LIVE / Path(name).stem / name
        path.parent.mkdir(exist_ok=True)
        recording, logger = Recording(), keras.callbacks.CSVLogger(str(path), append=start > 0, **options)
        model.fit(
            xs, 2 * xs, initial_epoch=start, epochs=start + 3, validation_data=(xs, xs), verbose=0,
            callbacks=[recording, logger],
        )  # fmt: skip
MOMENTS.keep(LIVE, "*.log", "*.csv")
half = len(LOGGED) // 2
plain = [
    {
        "epoch": row["epoch"],
        "values": {
            name: value if isinstance(value, list | int) else float(value)
            for name, value in row["values"].items()
        },
    }
    for row in LOGGED
]
MOMENTS.end({"training/training.log": plain[:half], "history/history.csv": plain[half:]})
