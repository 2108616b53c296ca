"""Any bytes in place of a file: each reader ends, takes what it can, and raises nothing but what the API allows."""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphql_runs.ingest.api import IDLE_SECONDS, Delivery, Limits, Tree, Unit, Unreadable
from graphql_runs.ingest.testing import content_of, read, units_of
from graphql_runs.model.operation import Annotate, LogPoints, LogRows
from graphql_runs_tabular import ingester

LIMITS = Limits(delivery_bytes=64, line_bytes=400, json_bytes=2000, metrics_per_run=20, name_bytes=40)
SEEDS = {
    "metrics.csv": 'epoch,"größe, max",step,loss\r\n0,1,0,0.5\r\n0,,1,"nan"\r\n1,"[1, 2]",2,-inf\r\n',
    "training.log": 'epoch;acc;bins\n0;0.5;"""[1, 2]"""\n1;0.25;NA\n',
    "progress.tsv": "time\tstep\tloss\n1700000000.5\t1\t0.5\n2024-01-01T00:00:00Z\t2\t1e999\n",
    "metrics.jsonl": '{"config": {"lr": 1}}\n{"step": 1, "a": {"b": [1, NaN]}, "t": "x"}\n{"step": 2, "status": "done"}\n',
    "trainer_state.json": json.dumps(
        {"global_step": 4, "max_steps": 9, "trial_params": {"lr": 1}, "log_history": [{"step": 1, "loss": 0.5}, {"step": 2}]}
    ),
    "all_results.json": '{"epoch": 3.0, "eval": {"a": [1, 2]}, "perplexity": NaN, "note": "x", "total_flos": 1e18}',
    "hparams.yaml": "lr: 1.0e-05\nsizes: &a !!python/tuple [1, 2]\nagain: *a\nmodel: {name: 'ü'}\np: !!python/name:a.b ''\n",
}  # fmt: skip
_JOINTS = [
    b"\n", b"\r\n", b",", b'"', b"\0", b"\xff", b"[", b"{", b"}", b":", b"&a ", b"*a", b"!!", b"\\ud800", b"NaN", b"-Infinity",
    b"1e400", b"9" * 30, b"\xef\xbb\xbf", b"\xff\xfe", b"[" * 300, b'{"a":' * 60, b"- " * 50, b"a" * 500, b"null", b"\t", b"step",
]  # fmt: skip


@st.composite
def spoiled(draw: st.DrawFn, seed: bytes) -> bytes:
    """A file with pieces cut out, doubled and put in."""
    data = seed
    for _ in range(draw(st.integers(0, 6))):
        place = draw(st.integers(0, len(data)))
        length = draw(st.integers(0, 20))
        new = draw(st.sampled_from([*_JOINTS, data[place : place + length] * 2, b""]) | st.binary(max_size=8))
        data = data[:place] + new + data[place + length :]
    return data


def contents(name: str) -> st.SearchStrategy[tuple[bytes, bytes]]:
    """A file, and what it is later."""
    one = spoiled(SEEDS[name].encode()) | st.binary(max_size=200)
    return st.tuples(one, one)


@pytest.mark.parametrize("name", SEEDS)
def test_any_bytes(name: str) -> None:
    @settings(max_examples=150, deadline=None)
    @given(contents(name), st.booleans())
    def check(states: tuple[bytes, bytes], long_ago: bool) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "version_0" / name
            path.parent.mkdir()
            tree, unit = _unit(path, states[0], long_ago)
            units_of(ingester, tree.folder)
            whole = _read(tree, unit, None)
            for place, delivery in enumerate(whole, 1):
                rest = _read(tree, unit, delivery.checkpoint)
                assert content_of([*whole[:place], *rest]) == content_of(whole)
            tree, unit = _unit(path, states[1], long_ago)
            units_of(ingester, tree.folder)
            _check(_read(tree, unit, whole[-1].checkpoint if whole else None))
            _check(whole)

    check()


def _unit(path: Path, data: bytes, long_ago: bool) -> tuple[Tree, Unit]:
    path.write_bytes(data)
    if long_ago:
        os.utime(path, (time.time() - IDLE_SECONDS - 1,) * 2)
    tree = Tree(path.parents[1], "source", ())
    inside = PurePosixPath("version_0") / path.name
    return tree, Unit(path.name, tree.owner(inside), (inside,))


def _read(tree: Tree, unit: Unit, checkpoint: Mapping[str, object] | None) -> list[Delivery]:
    found: list[Delivery] = []
    with suppress(Unreadable):
        found.extend(read(ingester, tree, unit, checkpoint, LIMITS))
    return found


def _check(deliveries: list[Delivery]) -> None:
    names = set()
    for delivery in deliveries:
        assert len(json.dumps(delivery.checkpoint)) < 64 << 10
        for one in delivery.operations:
            if isinstance(one, LogPoints | LogRows):
                names.add(one.metric)
            elif isinstance(one, Annotate):
                assert all(len(name.encode()) <= LIMITS.name_bytes for name in one.params)
                assert all(
                    value.encode().decode() == value
                    for value in [*one.params.values(), *one.properties.values()]
                )
        for skipped in delivery.skipped:
            assert len(skipped.reason) < 500
    assert len(names) <= LIMITS.metrics_per_run
    assert all(len(name.encode()) <= LIMITS.name_bytes for name in names)
