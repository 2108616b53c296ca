"""The data: scikit-learn's handwritten digits (8 x 8 pixels, 1797 samples), unpacked once into an .npz file.

``python -m graphql_runs.demo.digits PATH`` writes it. Jobs read the file, because importing scikit-learn is
slower than reading it.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from graphql_runs.demo.mlp import Floats, Labels

_PARTS = ("train", "validation", "test")
SPLIT_SEED = 0
TRAINING_SAMPLES, VALIDATION_SAMPLES = 1078, 359
"""Three and one fifths of the samples; the rest, another fifth, is for the test."""


@dataclass(frozen=True, slots=True)
class Samples:
    """Pixels (n, 64) from 0 to 1, and labels (n,) from 0 to 9."""

    x: Floats
    y: Labels


@dataclass(frozen=True, slots=True)
class Digits:
    """The three parts of the data, the same in every run."""

    train: Samples
    validation: Samples
    test: Samples


def available() -> bool:
    """Whether scikit-learn is installed; does not import it."""
    return importlib.util.find_spec("sklearn") is not None


def prepare(path: Path) -> None:
    """Write the split data to PATH, whole or not at all. Raises ModuleNotFoundError without scikit-learn."""
    # Imported by name because scikit-learn carries no type hints.
    datasets: Any = importlib.import_module("sklearn.datasets")
    pixels, labels = datasets.load_digits(return_X_y=True)
    order = np.random.default_rng(SPLIT_SEED).permutation(len(labels))
    x = (pixels[order] / 16).astype(np.float32)
    y = labels[order].astype(np.int64)
    ends = [TRAINING_SAMPLES, TRAINING_SAMPLES + VALIDATION_SAMPLES]
    arrays: dict[str, Any] = {}
    for name, part_x, part_y in zip(_PARTS, np.split(x, ends), np.split(y, ends), strict=True):
        arrays[f"{name}_x"], arrays[f"{name}_y"] = part_x, part_y
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with draft.open("wb") as file:
        np.savez_compressed(file, **arrays)
    draft.replace(path)
    sizes = " ".join(f"{name}={len(arrays[f'{name}_y'])}" for name in _PARTS)
    print(f"unpacked scikit-learn's digits: {sizes}", flush=True)


def load(path: Path) -> Digits:
    """Read what :func:`prepare` wrote. Raises OSError without the file, ValueError when it is no .npz."""
    with np.load(path) as file:
        return Digits(*(Samples(file[f"{name}_x"], file[f"{name}_y"]) for name in _PARTS))


if __name__ == "__main__":
    prepare(Path(sys.argv[1]))
