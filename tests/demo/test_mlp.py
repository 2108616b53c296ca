"""The network computes what it says."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from graphql_runs.demo.mlp import Descent, Network, confusion_matrix, evaluate


def test_gradients_match_finite_differences() -> None:
    rng = np.random.default_rng(3)
    network = Network.create([5, 7, 4], rng)
    # float64 for the check alone, so that differences of the loss are exact enough.
    network.weights = [w.astype(np.float64) for w in network.weights]  # type: ignore[misc]  # see above
    network.biases = [b + 0.1 for b in network.biases]
    x, y = rng.normal(size=(6, 5)), rng.integers(0, 4, 6)
    _, gradients = network.loss_and_gradients(x, y, 0.01)
    pairs = zip(network.weights + network.biases, gradients.weights + gradients.biases, strict=True)
    for parameter, gradient in pairs:
        for index in np.ndindex(parameter.shape):
            middle, losses = parameter[index], []
            for shift in (-1e-5, 1e-5):
                parameter[index] = middle + shift
                losses.append(network.loss_and_gradients(x, y, 0.01)[0])
            parameter[index] = middle
            assert np.isclose((losses[1] - losses[0]) / 2e-5, gradient[index], rtol=1e-4, atol=1e-6)
