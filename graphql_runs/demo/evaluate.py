"""A job without a tracker: how a trained model does on test digits, with more and more noise on the pixels.

Writes ``metrics.jsonl``, a row per noise level, and ``confusion_matrix.json``, without noise, in the working
directory.
"""

from __future__ import annotations

import argparse
import logging
import sys
import time
from pathlib import Path

import numpy as np

from graphql_runs.demo import digits, job
from graphql_runs.demo.bar import Bar
from graphql_runs.demo.files import LineWriter, write_json
from graphql_runs.demo.mlp import Network, confusion_matrix, evaluate

LEVELS = 40
LARGEST_NOISE = 1.0
"""Largest standard deviation of the noise; pixels go from 0 to 1."""


def measure(
    network: Network, test: digits.Samples, seed: int, seconds: float, logger: logging.Logger
) -> None:
    """Evaluate at LEVELS noise levels in about SECONDS."""
    rng = np.random.default_rng(seed)
    pace = job.Pace(seconds, LEVELS)
    usable = 0.0
    with LineWriter(Path("metrics.jsonl")) as metrics, Bar(LEVELS, "noise levels", sys.stdout) as bar:
        for step, noise in enumerate(np.linspace(0, LARGEST_NOISE, LEVELS).tolist()):
            x = (test.x + noise * rng.standard_normal(test.x.shape)).astype(np.float32)
            loss, accuracy, predicted = evaluate(network, x, test.y)
            if step == 0:
                write_json(Path("confusion_matrix.json"), confusion_matrix(test.y, predicted))
            if accuracy >= 0.9:
                usable = noise
            row = {"noise/std": noise, "test/loss": loss, "test/accuracy": accuracy}
            metrics.row({"step": step, "time": time.time(), **row})
            bar.update(f"acc={accuracy:.3f}")
            pace.step()
    logger.info(f"levels={LEVELS} usable_noise={usable:.3f}")


def main() -> int:
    """Exit code 0 when measured, 143 when stopped."""
    parser = argparse.ArgumentParser(prog="graphql_runs.demo.evaluate", description=__doc__)
    parser.add_argument("--model", type=Path, required=True, help="model.npz of a child of the sweep")
    parser.add_argument("--data", type=Path, required=True, help="digits.npz")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--pace", type=float, default=0.0, help="seconds to spread the steps over")
    arguments = parser.parse_args()
    logger = job.start("evaluate")
    logger.info(f"evaluating {arguments.model}")
    try:
        network = Network.load(arguments.model)
        measure(network, digits.load(arguments.data).test, arguments.seed, arguments.pace, logger)
    except job.Stopped:
        logger.warning("stopped before the end")
        return job.STOPPED_EXIT_CODE
    return 0


if __name__ == "__main__":
    sys.exit(main())
