"""A job without a tracker: a linear model on the digits, its metrics in a CSV file as Lightning writes it.

Like Lightning's CSVLogger, ``metrics.csv`` in the working directory has a column per metric, and each row
fills those that were logged together: the training loss every few steps, the validation accuracy at the end
of an epoch. Steps and epochs count from 0.
"""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

import numpy as np

from graphql_runs.demo import digits, job
from graphql_runs.demo.bar import Bar
from graphql_runs.demo.files import LineWriter
from graphql_runs.demo.mlp import CLASSES, PIXELS, Descent, Network, evaluate

EPOCHS = 12
BATCH_SIZE = 32
LOG_EVERY = 5
LEARNING_RATE = 0.05


def train(data: digits.Digits, seed: int, seconds: float, logger: logging.Logger) -> None:
    """Train for EPOCHS epochs in about SECONDS."""
    rng = np.random.default_rng(seed)
    network = Network.create([PIXELS, CLASSES], rng)
    descent = Descent(network, LEARNING_RATE, momentum=0.0)
    batches = len(data.train.y) // BATCH_SIZE
    pace = job.Pace(seconds, EPOCHS * batches)
    logger.info(f"linear model: lr={LEARNING_RATE} batch_size={BATCH_SIZE} samples={len(data.train.y)}")
    step = 0
    with LineWriter(Path("metrics.csv")) as metrics:
        metrics.line("epoch,step,train_loss,val_acc")
        for epoch in range(EPOCHS):
            order = rng.permutation(len(data.train.y))
            losses = []
            with Bar(batches, f"Epoch {epoch}", sys.stdout) as bar:
                for batch in order[: batches * BATCH_SIZE].reshape(batches, -1):
                    x, y = data.train.x[batch], data.train.y[batch]
                    loss, gradients = network.loss_and_gradients(x, y, 0.0)
                    descent.step(gradients)
                    losses.append(loss)
                    if (step + 1) % LOG_EVERY == 0:
                        metrics.line(f"{epoch},{step},{loss!r},")
                    step += 1
                    bar.update(f"loss={loss:.3f}")
                    pace.step()
            _, accuracy, _ = evaluate(network, data.validation.x, data.validation.y)
            metrics.line(f"{epoch},{step - 1},,{accuracy!r}")
            logger.info(f"epoch={epoch} loss={np.mean(losses):.4f} acc={accuracy:.4f}")


def main() -> int:
    """Exit code 0 when trained, 143 when stopped."""
    parser = argparse.ArgumentParser(prog="graphql_runs.demo.baseline", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="digits.npz")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--pace", type=float, default=0.0, help="seconds to spread the steps over")
    arguments = parser.parse_args()
    logger = job.start("baseline")
    try:
        train(digits.load(arguments.data), arguments.seed, arguments.pace, logger)
    except job.Stopped:
        logger.warning("stopped before the end")
        return job.STOPPED_EXIT_CODE
    return 0


if __name__ == "__main__":
    sys.exit(main())
