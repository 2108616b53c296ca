from __future__ import annotations

import json
from collections.abc import Mapping

import pytest

from graphql_runs_tabular.recognition import (
    HEAD,
    has_columns,
    has_columns_tsv,
    has_metrics_columns,
    holds_metrics,
    is_generic,
    is_keras,
)


def lines(*rows: Mapping[str, object]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


@pytest.mark.parametrize(
    "head",
    [
        lines({"step": 1, "loss": 0.5}),
        lines({"loss": 0.5}),
        lines({"epoch": 1, "phase": "train", "note": "x", "loss": 1}),
        lines({"train": {"loss": 1}, "time": "2024-01-01T00:00:00Z"}),
        lines({"config": {"name": "a", "kind": "b"}}),
        lines({"status": "running"}),
        lines({"step": 1, "loss": "NaN"}),
        b'{"step": 1, "loss": NaN}\n',
        b'{"step": 1, "loss": 1}',
        b"oops\n" + lines({"step": 1, "loss": 1}),
        b"{broken\n",
        lines({"step": 1, "bins": [1, 2, 3]}),
    ],
)
def test_metrics_are_recognised(head: bytes) -> None:
    assert holds_metrics(head)


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"{broken",
        lines({"messages": [{"role": "user", "content": "hi"}]}),
        lines({"prompt": "a", "completion": "b"}, {"prompt": "a", "completion": "b"}),
        lines({"id": 1, "text": "a", "label": "b", "source": "c"}),
        lines({"text": "a"}, {"text": "b"}, {"step": 1, "loss": 1}),
        b"[1, 2]\n[3, 4]\n",
        b'"a"\n',
    ],
)
def test_other_json_lines_are_left_alone(head: bytes) -> None:
    assert not holds_metrics(head)


def test_a_first_line_beyond_the_head_decides_nothing() -> None:
    assert not holds_metrics(b'{"step": 1, "text": "' + b"x" * (HEAD - 21))


@pytest.mark.parametrize(
    "head",
    [
        b"step,loss\n1,2\n",
        b"epoch,step,loss\n",
        b"time,loss\n1,2\n",
        b"Epoch;loss\n1;2\n",
        b"step,loss\n1,\n2,0.5\n",
    ],
)
def test_tables_with_a_step_are_recognised(head: bytes) -> None:
    assert has_metrics_columns(head)


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"step,loss",
        b"sepal,petal\n1,2\n",
        b"1,2\n3,4\n",
        b"step,note\nx,y\n",
        b"a\0b,step\n1,2\n",
        b",,\n1,2,3\n",
        b"\n",
        b" \r\n\n",
    ],
)
def test_other_tables_are_left_alone(head: bytes) -> None:
    assert not has_metrics_columns(head)


def test_a_name_may_speak_for_metrics() -> None:
    assert has_columns(b"loss,acc\n1,2\n")
    assert has_columns(b"loss,acc\n")
    assert not has_columns(b"name,kind\na,b\n")
    assert has_columns_tsv(b"loss\tacc, top\n1\t2\n")


@pytest.mark.parametrize(
    ("head", "table"),
    [
        (b'epoch,"loss, max",acc\r\n0,1,0.5\r\n', True),
        (b"epoch;acc\n", True),
        (b"epoch\n1\n", False),
        (b"epoch 1, loss 0.5\nepoch 2, loss 0.25\n", False),
        (b"step,loss\n1,1\n", False),
        (b"epoch,loss\nstarting up\n", False),
        (b"", False),
        (b"\xff,1\n", False),
    ],
)
def test_keras_writes_tables_into_logs(head: bytes, table: bool) -> None:
    assert is_keras(head) is table


@pytest.mark.parametrize(
    ("stem", "generic"),
    [
        ("metrics", True),
        ("progress", True),
        ("training_log", True),
        ("run1-metrics", True),
        ("eval", True),
        ("iris", False),
        ("blog", False),
        ("metricsystem", False),
    ],
)
def test_names_that_loggers_give(stem: str, generic: bool) -> None:
    assert is_generic(stem) is generic
