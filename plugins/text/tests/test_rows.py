from __future__ import annotations

import math
import re
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from graphql_runs.model.time import from_text
from graphql_runs_text.rows import epoch_of, places_of_steps, row_of

NAN = repr(math.nan)


@pytest.mark.parametrize(
    ("line", "step", "values"),
    [
        ("step=10 loss=0.53 acc=0.91", 10, {"loss": 0.53, "acc": 0.91}),
        ("Epoch 3/10 - loss: 0.5 - val_loss: 0.7", 3, {"loss": 0.5, "val_loss": 0.7}),
        ("[epoch 3][step 120] loss: 0.52, lr: 1e-3", 120, {"epoch": 3, "loss": 0.52, "lr": 1e-3}),
        ("Step: 1000, Loss: 1., LR: 5E-4", 1000, {"Loss": 1.0, "LR": 5e-4}),
        ("global_step=9 epoch=2 step=3 loss=.5", 9, {"epoch": 2, "step": 3, "loss": 0.5}),
        ("INFO:root:step=3 loss=0.5", 3, {"loss": 0.5}),
        ("iter: 19  total_loss: 1.2  eta: 0:10:00  lr: 1e-4  max_mem: 2000M", 19, {"total_loss": 1.2, "lr": 1e-4}),
        ("step 10 train loss: 0.5 val loss: 0.7", 10, {"train loss": 0.5, "val loss": 0.7}),
        ("iteration   10/  50 | lm loss: 6.5E+00 | loss scale: 1.0 |", 10, {"lm loss": 6.5, "loss scale": 1.0}),
        ("{'loss': 0.5, 'learning_rate': 1e-05, 'epoch': 0.1}", 0.1, {"loss": 0.5, "learning_rate": 1e-5}),
        ("{'loss': '0.5', 'epoch': '0.1'}", 0.1, {"loss": 0.5}),
        ("Epoch 3:  50%|###   | 5/10 [00:10<00:10, 5.0it/s, loss=0.53, v_num=0]", 3, {"loss": 0.53}),
        ("Epoch(train) [2] loss: 0.5", 2, {"loss": 0.5}),
        ("round 3 précision=0.5 acc@1=91.5%", 3, {"précision": 0.5, "acc@1": 91.5}),
        ("step=-1 loss=0.5 (0.6)", -1, {"loss": 0.5}),
        ("step=1 loss=0.5 loss=0.6", 1, {"loss": 0.5}),
        ("step=1 epoch_time=3 loss=3.", 1, {"epoch_time": 3, "loss": 3.0}),
        ("step=1 a=1 b=+2 c=-3 d=1.0", 1, {"a": 1, "b": 2, "c": -3, "d": 1.0}),
        ("step=1 time: 0.5 pid=12 level=3 thread=5", 1, {"time": 0.5}),
        ("\x1b[36mstep\x1b[0m=\x1b[35m3\x1b[0m \x1b[1mloss\x1b[0m=\x1b[35m0.5\x1b[0m", 3, {"loss": 0.5}),
        ('2024-01-01 INFO {"step": 3, "lm loss":0.5}', 3, {"lm loss": 0.5}),
        ('{"step": 3, "loss": 0.2}', 3, {"loss": 0.2}),
        ('{"level": "info", "levelno": 20, "lineno": 7, "Epoch": 2.0, "val loss": 1}', 2.0, {"val loss": 1}),
        ('{"trainer/global_step": 7, "epoch": 1, "loss": 1, "ok": true, "s": "5", "n": {"a": 1}}', 7, {"epoch": 1, "loss": 1}),
    ],
)  # fmt: skip
def test_lines_with_numbers(line: str, step: float, values: dict[str, float]) -> None:
    row = row_of(line.encode(), None)
    assert row is not None
    assert (repr(row.step), repr(dict(row.values)), row.at) == (repr(step), repr(values), None)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "loss=0.5 acc=0.9",
        "step=10",
        "epoch 3 step 10",
        "step=nan loss=0.5",
        "Epoch:  50%|###   | 5/10 [00:10<00:10, 5.0it/s, loss=0.53]",
        "batch_size=32 num_steps=100 lr=0.1",
        "samples/step: 4.2 loss: 3",
        "time per step: 0.2 loss: 3",
        "stepping=3 loss=1",
        "the first step: loading data, then train.py:45 on host:8080",
        "step=1 loss= acc=- b=. c=e5 d=+ e=--1 f==3",
        "step=1 v=1.2.3 w=2024-01-01 x=1_000 y=0x1f z=1e t=00:10 u=3/10 i=10.0.0.1 j=1,000 k=5ms l=1e-3e m=5-fold",
        "step=1 loss=None acc=tensor(0.5) name=nano more=info",
        "step=1 time=1700000000.5 created=1700000000",
        '{"step": 3, "message": "loss=0.5"}',
        '{"step": null, "loss": 0.5}',
        '{"step": true, "loss": 0.5}',
        '{"step": Infinity, "loss": 0.5}',
        '{"a": {"step": 3, "loss": 0.5}}',
        '{"step": 3, "' + "k" * 101 + '": 1, "": 2, " ": 3, "a\\u0007": 4}',
        "step=1 " + "k" * 101 + "=1",
    ],
)
def test_lines_without(line: str) -> None:
    assert row_of(line.encode(), None) is None


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("nan", "nan"),
        ("NaN", "nan"),
        ("-nan", "nan"),
        ("inf", "inf"),
        ("-inf", "-inf"),
        ("-Infinity", "-inf"),
        ("-0.0", "-0.0"),
        ("1e400", "inf"),
        ("5e-324", "5e-324"),
        ("9007199254740993", "9007199254740993"),
        ("-9223372036854775808", "-9223372036854775808"),
        ("9223372036854775808", "9.223372036854776e+18"),
        ("007", "7"),
    ],
)
def test_numbers_are_read_as_they_are_printed(text: str, value: str) -> None:
    row = row_of(f"step=1 loss={text}, x".encode(), None)
    assert row is not None
    assert repr(row.values["loss"]) == value


@given(
    st.floats() | st.integers(-(2**63), 2**63 - 1), st.sampled_from(["step={} loss={}", "Step {}: loss: {}"])
)
def test_every_number_comes_back(value: float, form: str) -> None:
    row = row_of(form.format(3, repr(value)).encode(), None)
    assert row is not None
    assert (row.step, repr(row.values["loss"])) == (3, repr(value))


@pytest.mark.parametrize(
    ("line", "zone", "at"),
    [
        ("2024-01-01T00:01:02Z step=1 loss=1", None, "2024-01-01T00:01:02Z"),
        ("[2024-01-01 00:01:02,345+02:00] step=1 loss=1", None, "2023-12-31T22:01:02.345Z"),
        ("2024-01-01 00:01:02.123456789 -0530 step=1 loss=1", None, "2024-01-01T05:31:02.123456Z"),
        ("2024-01-01 00:01:02,345 step=1 loss=1", None, None),
        ("2024-01-01 00:01:02,345 step=1 loss=1", "UTC", "2024-01-01T00:01:02.345Z"),
        ("2024-07-01 00:01:02 step=1 loss=1", "America/New_York", "2024-07-01T04:01:02Z"),
        ("2024-01-01 00:01:02Z step=1 loss=1", "America/New_York", "2024-01-01T00:01:02Z"),
        ("2024-13-01 00:01:02Z step=1 loss=1", None, None),
        ("0001-01-01 00:00:00+14:00 step=1 loss=1", None, "0001-01-01T00:00:00+14:00"),
        ("INFO 2024-01-01 00:01:02Z step=1 loss=1", None, None),
        ('{"step": 1, "loss": 1, "timestamp": "2024-01-01T00:01:02Z"}', None, "2024-01-01T00:01:02Z"),
        ('{"step": 1, "loss": 1, "ts": 1704067262.5}', None, "2024-01-01T00:01:02.5Z"),
        ('{"step": 1, "loss": 1, "time": 0.5, "asctime": "2024-01-01 00:01:02,345"}', None, None),
    ],
)
def test_times(line: str, zone: str | None, at: str | None) -> None:
    row = row_of(line.encode(), None if zone is None else ZoneInfo(zone))
    assert row is not None
    assert row.at == (None if at is None else from_text(at))


def test_a_time_in_words_is_none_of_the_values() -> None:
    row = row_of(b'{"step": 1, "loss": 1, "ts": 1704067262.5, "time": 0.5}', None)
    assert row is not None
    assert row.values == {"loss": 1, "time": 0.5}


def test_keras_says_the_epoch_before() -> None:
    assert epoch_of(b"Epoch 3/10") == 3
    assert epoch_of(b"Epoch 3/10 - loss: 1") is None
    line = b"\x1b[1m4/4\x1b[0m \x1b[32m\xe2\x94\x81\xe2\x94\x81\x1b[0m \x1b[1m0s\x1b[0m 9ms/step - loss: 0.5 - val_loss: 0.6"
    row = row_of(line, None, 3)
    assert row is not None
    assert (row.step, row.values) == (3, {"loss": 0.5, "val_loss": 0.6})
    assert row_of(line, None) is None
    assert row_of(line.replace(b"4/4", b"3/4"), None, 3) is None


_WORDS = st.sampled_from(
    ["step", "epoch ", "=", ": ", "1", "0.5", "1e-3", "nan", "loss", "'", '"', "{", "}", "[", "]", ",", "|", " - ", "/", "%", "\t",
     "\x1b[0m", "\x00", "é", "\xa0", "_", "train ", "2024-01-01T00:00:00Z", "iter(train)", "\u2003", "٣", "K", "ſtep"]
)  # fmt: skip


@given(st.binary(max_size=80) | st.lists(_WORDS, max_size=20).map(lambda words: "".join(words).encode()))
@example(b'{"step": 1, "a": ' + b"[" * 5000)
@example(b'{"step": 1, "a": NaN, "b": ' + b"[" * 5000)
def test_whatever_a_line_holds(line: bytes) -> None:
    row = row_of(line.replace(b"\n", b""), ZoneInfo("Europe/Berlin"), 7)
    if row is None:
        return
    assert list(places_of_steps(line.lower())), "lines are sought by it"
    assert row.values
    assert math.isfinite(row.step)
    for key, value in row.values.items():
        assert 0 < len(key) <= 100
        assert not re.search(r"[\x00-\x1f\x7f]", key)
        assert isinstance(value, float) or -(2**63) <= value < 2**63
