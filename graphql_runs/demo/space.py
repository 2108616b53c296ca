"""The hyper-parameters that the sweep searches."""

from __future__ import annotations

import itertools
import random
from dataclasses import dataclass

LEARNING_RATES = (0.003, 0.01, 0.03, 0.1, 0.3)
HIDDEN = (16, 32, 64, 128)
BATCH_SIZES = (32, 64)
MOMENTUM = 0.9
WEIGHT_DECAY = 0.01

DIVERGING_LEARNING_RATE = 30.0
"""With WEIGHT_DECAY, the weights overflow within a hundred steps for every size and seed tried."""

DIVERGING_CHILD = 1
"""Which child gets it: one that starts at once, so that its failure is seen early."""

MIN_CHILDREN, MAX_CHILDREN = 4, 32


@dataclass(frozen=True, slots=True)
class Parameters:
    """The hyper-parameters of one child."""

    lr: float
    hidden: int
    batch_size: int
    momentum: float = MOMENTUM
    weight_decay: float = WEIGHT_DECAY

    def options(self) -> dict[str, float | int]:
        """Option of the training script -> value, as HyperDrive keeps them."""
        return {
            "--lr": self.lr,
            "--hidden": self.hidden,
            "--batch-size": self.batch_size,
            "--momentum": self.momentum,
            "--weight-decay": self.weight_decay,
        }

    def label(self) -> str:
        """What tells children apart, for people."""
        return f"lr={self.lr:g} hidden={self.hidden} batch={self.batch_size}"


def sample(children: int, seed: int) -> list[Parameters]:
    """Different parameters for each of CHILDREN children, learning rates evenly used; one child diverges."""
    rng = random.Random(seed)
    rates = list(LEARNING_RATES)
    rng.shuffle(rates)
    shapes = {rate: list(itertools.product(HIDDEN, BATCH_SIZES)) for rate in rates}
    for choices in shapes.values():
        rng.shuffle(choices)
    cycle = itertools.cycle(rates)
    drawn = []
    for child in range(children):
        if child == DIVERGING_CHILD:
            drawn.append(Parameters(DIVERGING_LEARNING_RATE, rng.choice(HIDDEN), rng.choice(BATCH_SIZES)))
        else:
            rate = next(cycle)
            drawn.append(Parameters(rate, *shapes[rate].pop()))
    return drawn


def parameter_space() -> dict[str, list[object]]:
    """The space as HyperDrive's ``generator_config`` describes it."""
    return {
        "--lr": ["choice", [[*LEARNING_RATES, DIVERGING_LEARNING_RATE]]],
        "--hidden": ["choice", [list(HIDDEN)]],
        "--batch-size": ["choice", [list(BATCH_SIZES)]],
        "--momentum": ["choice", [[MOMENTUM]]],
        "--weight-decay": ["choice", [[WEIGHT_DECAY]]],
    }
