"""The network computes what it says."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import numpy as np

from graphql_runs.demo.mlp import Descent, Floats, Network, confusion_matrix, evaluate


def test_gradients_match_finite_differences() -> None:
    def precise(array: object) -> Floats:
        # float64 for this check alone: differences of a float32 loss are too coarse.
        return cast(Floats, np.asarray(array, np.float64))

    rng = np.random.default_rng(3)
    network = Network.create([5, 7, 4], rng)
    network.weights = [precise(w) for w in network.weights]
    network.biases = [precise(b + 0.1) for b in network.biases]
    x, y = precise(rng.normal(size=(6, 5))), rng.integers(0, 4, 6)
    _, gradients = network.loss_and_gradients(x, y, 0.01)
    parameters = network.weights + network.biases
    for parameter, gradient in zip(parameters, gradients.weights + gradients.biases, strict=True):
        for index in np.ndindex(parameter.shape):
            middle, losses = parameter[index], []
            for shift in (-1e-5, 1e-5):
                parameter[index] = middle + shift
                losses.append(network.loss_and_gradients(x, y, 0.01)[0])
            parameter[index] = middle
            assert np.isclose((losses[1] - losses[0]) / 2e-5, gradient[index], rtol=1e-4, atol=1e-6)


def test_descent_learns_and_a_saved_network_is_the_same(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 8)).astype(np.float32)
    y = (x[:, 0] * x[:, 1] > 0).astype(np.int64)  # not linear, so the hidden layer has to work
    network = Network.create([8, 32, 2], rng)
    descent = Descent(network, lr=0.1, momentum=0.9)
    for _ in range(200):
        descent.step(network.loss_and_gradients(x, y, 0.0)[1])
    loss, accuracy, predicted = evaluate(network, x, y)
    assert accuracy > 0.95
    assert loss < 0.3
    network.save(tmp_path / "model.npz")
    again = evaluate(Network.load(tmp_path / "model.npz"), x, y)
    assert again[:2] == (loss, accuracy)
    assert (again[2] == predicted).all()


def test_confusion_matrix_counts_label_by_prediction() -> None:
    artifact = confusion_matrix(np.array([1, 1, 2]), np.array([1, 2, 2]))
    data = cast(dict[str, list[list[int]]], artifact["data"])
    counted = {(i, j): n for i, row in enumerate(data["matrix"]) for j, n in enumerate(row) if n}
    assert counted == {(1, 1): 1, (1, 2): 1, (2, 2): 1}
