from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphql_runs.model import ids
from graphql_runs.model.operation import DeclareRun, LogText
from graphql_runs.model.records import LogFile
from graphql_runs.read.progress import Progress, frames, log_progress, progress_of
from graphql_runs.record.recorder import Recorder
from graphql_runs.store.port import Store


def numbers(found: Progress) -> tuple[object, ...]:
    return found.label, found.fraction, found.done, found.total, found.unit, found.rate, found.eta


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        # tqdm
        (" 45%|####5     | 450/1000 [00:12<00:15, 36.2it/s]", (None, 0.45, 450, 1000, "it", 36.2, 15)),
        ("Epoch 3:  45%|████▌     | 450/1000 [00:12<00:15, 36.2it/s, loss=0.3, v_num=1]", ("Epoch 3", 0.45, 450, 1000, "it", 36.2, 15)),
        ("train:   0%|          | 0/1000 [00:00<?, ?it/s]", ("train", 0, 0, 1000, "it", None, None)),
        ("123it [00:01, 99.0it/s]", (None, None, 123, None, "it", 99.0, None)),
        ("get: 1.20MB [00:01, 1.50MB/s]", ("get", None, 1.2e6, None, "B", 1.5e6, None)),
        ("a.zip:  34%|###4      | 1.2M/3.4M [00:01<00:02, 1.1MB/s]", ("a.zip", 1.2 / 3.4, 1.2e6, 3.4e6, "B", 1.1e6, 2)),
        (" 50%|█████     | 1.00Gi/2.00Gi [00:01<00:02, 512MiB/s]", (None, 0.5, 2**30, 2**31, "B", 512 * 2**20, 2)),
        (" 10%|█         | 1/10 [00:02<00:18,  2.00s/it]", (None, 0.1, 1, 10, "it", 0.5, 18)),
        (" 10%|█         | 1/10 [26:02:03<2 days, 1:00:00, 2.00s/batch]", (None, 0.1, 1, 10, "batch", 0.5, 176400)),
        ("100%|██████████| 10/10 [00:30<00:00,  3.00s/it]", (None, 1.0, 10, 10, "it", 1 / 3, 0)),
        ("  7%|▋         |", (None, None, None, None, None, None, None)),
        # rich
        ("Working... ━━━━━━━━━━━━━━━━━╸━━━━━━━━━━━  45% 0:00:12", ("Working...", 0.45, None, None, None, None, 12)),
        ("⠋ get ━━━━━━━━━━━━╺━━━━━━━━━━━━━━━━━━━━━━━━━━━ 30.0/100.0 MB ? -:--:--", ("get", 0.3, 30e6, 100e6, "B", None, None)),
        ("Epoch 3/9  ━━━━━━━━━━ 120/1000 0:00:12 • 0:01:23 12.3it/s v_num: 0", ("Epoch 3/9", 0.12, 120, 1000, "it", 12.3, 83)),
        ("Downloading ━━━━━━━━━ 12.0/34.5 MB 1.2 MB/s 0:00:20", ("Downloading", 12 / 34.5, 12e6, 34.5e6, "B", 1.2e6, 20)),
        # Keras
        ("32/100 [=======>......................] - ETA: 1:23 - loss: 0.5", (None, 0.32, 32, 100, "step", None, 83)),
        ("100/100 [==============================] - 5s 50ms/step - loss: 0.5", (None, 1.0, 100, 100, "step", 20, 0)),
        ("  32/Unknown - 5s 50ms/step - loss: 1", (None, None, 32, None, "step", 20, None)),
        (" 32/100 ━━━━━━━━━━━━━━━━━━━━ 1:23 50ms/step - accuracy: 0.5", (None, 0.32, 32, 100, "step", 20, 83)),
        ("100/100 ━━━━━━━━━━━━━━━━━━━━ 5s 50ms/step - accuracy: 0.5", (None, 1.0, 100, 100, "step", 20, 0)),
        # Words
        ("Epoch 3/10", ("Epoch", 0.3, 3, 10, None, None, None)),
        ("Epoch [3/10], Step [120/1000], Loss: 0.3", ("Step", 0.12, 120, 1000, None, None, None)),
        ("Epoch: [3][ 120/1000]\tTime 0.1", ("Epoch 3", 0.12, 120, 1000, None, None, None)),
        (" iteration       10/  500000 | consumed samples: 1280 |", ("iteration", 10 / 500000, 10, 500000, None, None, None)),
        ("Epoch [1][50/7330]  lr: 0.1, eta: 1 day, 2:03:04, time: 0.5", ("Epoch 1", 50 / 7330, 50, 7330, None, None, 93784)),
        ("2026-01-31 12:00:00 INFO step 120 of 1000", ("step", 0.12, 120, 1000, None, None, None)),
        ("Progress: 45.5%", ("Progress", 0.455, None, None, None, None, None)),
        ("[ 45%] Building CXX object", (None, 0.45, None, None, None, None, None)),
        ("get 45%[====>      ] 1.2M", ("get", 0.45, None, None, None, None, None)),
    ],
)  # fmt: skip
def test_bars_and_counters(text: str, wanted: tuple[object, ...]) -> None:
    found = progress_of(text)
    if wanted == (None,) * 7:
        assert found is None
        return
    assert found is not None
    assert numbers(found) == tuple(pytest.approx(value) if isinstance(value, float) else value for value in wanted)  # fmt: skip
    assert found.text == text


@pytest.mark.parametrize(
    "text",
    [
        "loss 0.3 acc 3/10",
        "on 2026/01/31",
        "step 1200/1000",
        "epoch 0/0",
        "took [00:12] in all",
        "accuracy 45%",
        "",
        "no digits",
        "step 1/2/3",
        "Progress: 450%",
    ],
)
def test_what_is_no_progress(text: str) -> None:
    assert progress_of(text) is None


def test_frames_come_newest_first() -> None:
    text = "one\r\n 1%\r 2%\x1b[K\r\x1b[32m 3%\x1b[0m\n\r inner\x1b[A\r outer\n\n"
    assert list(frames(text)) == ["outer", "inner", "3%", "2%", "1%", "one"]


@pytest.mark.parametrize(
    ("written", "label", "fraction"),
    [
        ("outer:  50%|#####     | 1/2 [00:01<00:01,  1.00s/it]\n\rinner:  30%|###       | 3/10 [00:00<00:01, 9.0it/s]\x1b[A", "inner", 0.3),
        ("  50%|#####     | 1/2 [00:01<00:01,  1.00s/it]\r 100%|##########| 2/2 [00:02<00:00,  1.00s/it]\nsaved\n", None, 1.0),
        ("\x1b[1m 32/100\x1b[0m \x1b[32m━━━━━━\x1b[0m\x1b[37m━━━━━━━━\x1b[0m \x1b[1m1:23\x1b[0m 50ms/step - loss: 0.5\n", None, 0.32),
        ("  50%|#####     | 1/2 [00:01<00:01,  1.00s/it]\r 75%|####", None, 0.5),
    ],
)  # fmt: skip
async def test_the_newest_bar_of_a_log(
    store: Store, recorder: Recorder, written: str, label: str | None, fraction: float
) -> None:
    text = b"x" * 100_000 + b"\nEpoch 1/10\n" + written.encode()
    await recorder.record("default", [DeclareRun("run", "e", "run", "test"), LogText("run", "out.txt", text)])
    run = ids.run_id(ids.workspace_id("default"), "run")
    [log] = await store.get(LogFile, [ids.log_id(run, "out.txt")])
    assert log is not None
    found = await log_progress(store, log)
    assert found is not None
    assert (found.label, found.fraction) == (label, fraction)


async def test_a_log_without_progress(store: Store, recorder: Recorder) -> None:
    await recorder.record("default", [DeclareRun("run", "e", "run", "test"), LogText("run", "out.txt", b"")])
    run = ids.run_id(ids.workspace_id("default"), "run")
    [log] = await store.get(LogFile, [ids.log_id(run, "out.txt")])
    assert log is not None
    assert await log_progress(store, log) is None


@settings(deadline=None)
@given(
    st.lists(
        st.sampled_from(
            ["1", "23", "%", "|", "#", " ", "[", "]", "00:12", "<", "?", ", ", "it/s", "s/it", "/", "━", "ETA: ", "epoch", "step ", "=", ">", ".",
             "k", "B", "MB/s", "days, ", "(", "complete", "Unknown", "-", "ms/step", "9" * 30, "é"]
        ),
        max_size=60,
    ).map("".join)
)  # fmt: skip
def test_nothing_that_looks_like_a_bar_is_too_much(text: str) -> None:
    found = progress_of(text)
    if found is not None and found.fraction is not None:
        assert 0 <= found.fraction <= 1
    assert found is None or found.eta is None or found.eta >= 0


@pytest.mark.parametrize(
    "piece",
    ["1", " ", "1/1 ", "1%|", "[", "━", " ━", "1:", "epoch [1]", "=", "1.", "1/", "a:", "1 of ", "1%[ "],
)
def test_hostile_lines_do_not_take_forever(piece: str) -> None:
    # A backtracking pattern without bounds would take hours over these.
    for start in ("", "1", "1/1", "1%|", "epoch ", "━━━ "):
        found = progress_of(start + piece * 100_000)
        assert found is None or found.text.endswith(piece)
