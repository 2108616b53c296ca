"""A multi-layer perceptron trained by minibatch gradient descent, in numpy.

All numbers are float32, as in real training: with a learning rate that is too large they overflow, and the
loss becomes infinite or NaN.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Labels = NDArray[np.int64]

CLASSES = 10
PIXELS = 64


@dataclass(frozen=True, slots=True)
class Gradients:
    """Derivatives of the loss, in the order and shapes of a network's weights and biases."""

    weights: list[Floats]
    biases: list[Floats]


@dataclass(slots=True)
class Network:
    """Fully connected layers, ReLU between; ``weights[i]`` is (inputs, outputs), ``biases[i]`` (outputs,)."""

    weights: list[Floats]
    biases: list[Floats]

    @classmethod
    def create(cls, sizes: list[int], rng: np.random.Generator) -> Network:
        """Random weights after He et al. (2015), zero biases; SIZES are input, hidden layers, output."""
        pairs = list(itertools.pairwise(sizes))
        weights = [rng.normal(0, np.sqrt(2 / n), (n, m)).astype(np.float32) for n, m in pairs]
        return cls(weights, [np.zeros(m, np.float32) for _, m in pairs])

    @classmethod
    def load(cls, path: Path) -> Network:
        """Read what :meth:`save` wrote."""
        with np.load(path) as file:
            layers = range(len(file.files) // 2)
            return cls([file[f"weight{i}"] for i in layers], [file[f"bias{i}"] for i in layers])

    def save(self, path: Path) -> None:
        """Write the arrays ``weight0``, ``bias0``, ``weight1``... as .npz."""
        arrays: dict[str, Any] = {f"weight{i}": weight for i, weight in enumerate(self.weights)}
        arrays |= {f"bias{i}": bias for i, bias in enumerate(self.biases)}
        with path.open("wb") as file:
            np.savez(file, **arrays)

    def logits(self, x: Floats) -> Floats:
        """Scores (samples, classes) of samples X (samples, inputs)."""
        return self._activations(x)[-1]

    def loss_and_gradients(self, x: Floats, y: Labels, weight_decay: float) -> tuple[float, Gradients]:
        """Mean cross-entropy plus ``weight_decay / 2`` times the sum of squared weights; its derivatives."""
        activations = self._activations(x)
        log_p = log_softmax(activations[-1])
        rows = np.arange(len(y))
        penalty = weight_decay / 2 * sum(float(np.sum(w * w)) for w in self.weights)
        delta = np.exp(log_p)
        delta[rows, y] -= 1
        delta /= np.float32(len(y))
        decay = np.float32(weight_decay)
        weights: list[Floats] = []
        biases: list[Floats] = []
        for layer in reversed(range(len(self.weights))):
            weights.append(activations[layer].T @ delta + decay * self.weights[layer])
            biases.append(delta.sum(axis=0))
            if layer:
                delta = (delta @ self.weights[layer].T) * (activations[layer] > 0)
        return float(-log_p[rows, y].mean()) + penalty, Gradients(weights[::-1], biases[::-1])

    def _activations(self, x: Floats) -> list[Floats]:
        outputs = [x]
        last = len(self.weights) - 1
        for layer, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            z = outputs[-1] @ weight + bias
            outputs.append(z if layer == last else np.maximum(z, 0))
        return outputs


class Descent:
    """Stochastic gradient descent with heavy-ball momentum."""

    def __init__(self, network: Network, lr: float, momentum: float) -> None:
        self._network, self._lr, self._momentum = network, np.float32(lr), np.float32(momentum)
        self._velocity = [np.zeros_like(p) for p in network.weights + network.biases]

    def step(self, gradients: Gradients) -> None:
        """Move the network's weights and biases, in place."""
        parameters = self._network.weights + self._network.biases
        for p, v, g in zip(parameters, self._velocity, gradients.weights + gradients.biases, strict=True):
            v *= self._momentum
            v -= self._lr * g
            p += v


def log_softmax(logits: Floats) -> Floats:
    """Logarithms of class probabilities, row by row."""
    shifted: Floats = logits - logits.max(axis=1, keepdims=True)
    normalizer: Floats = np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return shifted - normalizer


def evaluate(network: Network, x: Floats, y: Labels) -> tuple[float, float, Labels]:
    """Mean cross-entropy, accuracy and predicted labels."""
    logits = network.logits(x)
    loss = float(-log_softmax(logits)[np.arange(len(y)), y].mean())
    predicted = logits.argmax(axis=1).astype(np.int64)
    return loss, float((predicted == y).mean()), predicted


def confusion_matrix(y: Labels, predicted: Labels) -> dict[str, object]:
    """Azure ML's confusion_matrix artifact, version 1.0.0: ``matrix[i][j]`` counts label i predicted as j."""
    matrix = np.zeros((CLASSES, CLASSES), np.int64)
    np.add.at(matrix, (y, predicted), 1)
    data = {"class_labels": [str(label) for label in range(CLASSES)], "matrix": matrix.tolist()}
    return {"schema_type": "confusion_matrix", "schema_version": "1.0.0", "data": data}
