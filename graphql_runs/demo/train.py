"""One child of the sweep: trains a network on the digits; its results go to ``outputs/`` where it runs."""

from __future__ import annotations

import argparse
import logging
import math
import sys
import time
from pathlib import Path

import numpy as np

from graphql_runs.demo import digits, job
from graphql_runs.demo.bar import Bar
from graphql_runs.demo.files import LineWriter, write_json
from graphql_runs.demo.mlp import CLASSES, PIXELS, Descent, Network, confusion_matrix, evaluate

METRICS = "outputs/metrics.jsonl"
MODEL = "outputs/model.npz"
PRIMARY_METRIC = "val/accuracy"


def train(arguments: argparse.Namespace, logger: logging.Logger) -> None:
    """Train, log every step and every epoch, and leave the model and its confusion matrix.

    Raises FloatingPointError at the end of the epoch in which the loss stopped being finite.
    """
    data = digits.load(arguments.data)
    rng = np.random.default_rng(arguments.seed)
    network = Network.create([PIXELS, arguments.hidden, CLASSES], rng)
    descent = Descent(network, arguments.lr, arguments.momentum)
    batches = len(data.train.y) // arguments.batch_size
    pace = job.Pace(arguments.pace, arguments.epochs * batches)
    logger.info(
        f"lr={arguments.lr:g} hidden={arguments.hidden} batch_size={arguments.batch_size} "
        f"samples={len(data.train.y)} epochs={arguments.epochs}"
    )
    step = 0
    accuracy, best, previous = 0.0, 0.0, math.inf
    predicted = np.zeros(0, np.int64)
    with LineWriter(Path(METRICS)) as metrics:
        for epoch in range(1, arguments.epochs + 1):
            order = rng.permutation(len(data.train.y))
            losses = []
            with Bar(batches, f"epoch {epoch}/{arguments.epochs}", sys.stdout) as bar:
                for batch in order[: batches * arguments.batch_size].reshape(batches, -1):
                    x, y = data.train.x[batch], data.train.y[batch]
                    loss, gradients = network.loss_and_gradients(x, y, arguments.weight_decay)
                    descent.step(gradients)
                    step += 1
                    losses.append(loss)
                    metrics.row({"step": step, "time": time.time(), "epoch": epoch, "train/loss": loss})
                    bar.update(f"loss={loss:.4g}")
                    pace.step()
            mean = float(np.mean(losses))
            val_loss, accuracy, predicted = evaluate(network, data.validation.x, data.validation.y)
            row = {"val/loss": val_loss, PRIMARY_METRIC: accuracy}
            metrics.row({"step": step, "time": time.time(), "epoch": epoch, **row})
            best = max(best, accuracy)
            logger.info(f"epoch={epoch} loss={mean:.4g} val_loss={val_loss:.4g} acc={accuracy:.4f}")
            if mean > previous:
                logger.warning(f"training loss rose from {previous:.4g} to {mean:.4g}")
            previous = mean
            if not math.isfinite(mean):
                first = step - batches + 1 + np.isfinite(losses).tolist().index(False)
                logger.error(f"loss is not finite since step {first}")
                raise FloatingPointError(
                    f"loss is {losses[-1]} in epoch {epoch}, not finite since step {first}"
                )
    network.save(Path(MODEL))
    write_json(Path("outputs/confusion_matrix.json"), confusion_matrix(data.validation.y, predicted))
    logger.info(f"done steps={step} best_acc={best:.4f} acc={accuracy:.4f}")


def main() -> int:
    """Exit code 0 when trained, 143 when stopped; an exception ends in a traceback and 1."""
    parser = argparse.ArgumentParser(prog="graphql_runs.demo.train", description=__doc__)
    parser.add_argument("--lr", type=float, required=True, help="learning rate")
    parser.add_argument("--hidden", type=int, required=True, help="units of the hidden layer")
    parser.add_argument("--batch-size", type=int, required=True)
    parser.add_argument("--momentum", type=float, required=True)
    parser.add_argument("--weight-decay", type=float, required=True)
    parser.add_argument("--epochs", type=int, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--data", type=Path, required=True, help="digits.npz")
    parser.add_argument("--pace", type=float, default=0.0, help="seconds to spread the steps over")
    arguments = parser.parse_args()
    logger = job.start("train")
    try:
        train(arguments, logger)
    except job.Stopped:
        logger.warning("stopped before the end")
        return job.STOPPED_EXIT_CODE
    return 0


if __name__ == "__main__":
    sys.exit(main())
