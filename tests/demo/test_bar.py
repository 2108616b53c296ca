"""The progress bar looks like tqdm's."""

from __future__ import annotations

import io

import pytest

from graphql_runs.demo.bar import Bar, render


@pytest.mark.parametrize(
    ("done", "total", "seconds", "text"),
    [
        (0, 20, 0.0, "work:   0%|          | 0/20 [00:00<?, ?it/s]"),
        (9, 20, 0.9, "work:  45%|████▌     | 9/20 [00:00<00:01, 10.00it/s]"),
        (20, 20, 2.0, "work: 100%|██████████| 20/20 [00:02<00:00, 10.00it/s]"),
        (1, 3, 2000.0, "work:  33%|███▎      | 1/3 [33:20<1:06:40, 2000.00s/it]"),
    ],
)
def test_render(done: int, total: int, seconds: float, text: str) -> None:
    assert render(done, total, seconds, "work") == text


def test_a_bar_redraws_in_place_and_wipes_what_was_longer() -> None:
    now = 0.0
    stream = io.StringIO()
    with Bar(3, "work", stream, clock=lambda: now) as bar:
        now = 0.05
        bar.update("loss=1")  # too soon to draw
        now = 0.2
        bar.update("loss=0.125")
        now = 0.4
        bar.update("loss=0.5")
    assert stream.getvalue().split("\r") == [
        "",
        "work:   0%|          | 0/3 [00:00<?, ?it/s]",
        "work:  67%|██████▋   | 2/3 [00:00<00:00, 10.00it/s, loss=0.125]",
        "work: 100%|██████████| 3/3 [00:00<00:00,  7.50it/s, loss=0.5]  ",
        "work: 100%|██████████| 3/3 [00:00<00:00,  7.50it/s, loss=0.5]\n",
    ]
