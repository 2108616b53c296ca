from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
import yaml

from graphql_runs.ingest.api import QUIET_SECONDS, Limits, Unreadable
from graphql_runs.ingest.testing import read, units_of
from graphql_runs_tabular import ingester
from graphql_runs_tabular.document import Malformed
from graphql_runs_tabular.hparams import parse
from plugins.tabular.tests.recorded import Found


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("{}\n", {}),
        ("", {}),
        ("# nothing\n", {}),
        ("lr: 1.0e-05\nn: 10\nhex: 0x10\nyes: true\nno: null\n", {"lr": 1e-05, "n": 10, "hex": 16, "yes": True, "no": None}),
        ("a: '1'\nb: !!str 1\nc: 2024-01-01\nd: |\n  two\n  lines\n", {"a": "1", "b": "1", "c": "2024-01-01", "d": "two\nlines\n"}),
        ("low: -.inf\nlong: " + "9" * 5000, {"low": float("-inf"), "long": "9" * 5000}),
        ("a: &id001 !!python/tuple\n- 1\n- 2\nb: *id001\n", {"a": [1, 2], "b": [1, 2]}),
        ("a: !!set\n  x: null\n  y: null\n", {"a": ["x", "y"]}),
        ("a: !!python/object/apply:pathlib.PosixPath\n- /\n- b\n- c\n", {"a": "/b/c"}),
        ("a: !!python/object/apply:pathlib._local.PosixPath [b, c]\n", {"a": "b/c"}),
        ("a: !!python/object/apply:torch.device [cuda, 0]\n", {"a": "torch.device(cuda, 0)"}),
        ("a: !!python/name:torch.nn.ReLU ''\nb: !!python/module:torch ''\n", {"a": "torch.nn.ReLU", "b": "torch"}),
        ("a: !!python/object:__main__.Model\n  size: 3\n", {"a": {"size": 3}}),
        ("a: !!python/complex '1j'\nb: !!python/unicode ü\n", {"a": "1j", "b": "ü"}),
        ("? [1, 2]\n: 3\n? null\n: 4\n", {"[1, 2]": 3, "null": 4}),
        ("a: !!int soon\nb: !!bool maybe\nc: !!float ''\n", {"a": "soon", "b": "maybe", "c": ""}),
    ],
)  # fmt: skip
def test_values_are_plain(text: str, values: dict[str, object]) -> None:
    assert parse(text.encode()) == values


def test_what_python_objects_would_do_is_not_done(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    text = f"a: !!python/object/apply:os.mkdir [{victim}]\nb: !!python/object/new:os.system [exit]\n"
    assert parse(text.encode()) == {"a": f"os.mkdir({victim})", "b": "os.system(exit)"}
    assert not victim.exists()


def test_any_plain_values_survive_their_dump() -> None:
    values = {
        "a": {"b": [1, {"c": "d"}]},
        "e": "on",
        "f": "12:30",
        "g": "null",
        "h": 1e300,
        "i": -(2**70),
        "j": "é\n\t",
    }
    assert parse(yaml.dump(values).encode()) == values
    assert parse(yaml.safe_dump(values, allow_unicode=True).encode("utf-16")) == values


_BOMB = "a: &a [x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n"
    for before, name in zip("abcdefghi", "bcdefghij", strict=True)
)
_TOWER = "a: &a [x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1 if n else ''}]\n" for n in range(40))


@pytest.mark.parametrize(
    ("text", "reason", "line"),
    [
        ("- 1\n", "not a mapping of hyperparameters but a list", 1),
        ("a: b: c\n", "malformed YAML: mapping values are not allowed", 1),
        ("a: 1\nb: [1\n", "malformed YAML", 2),
        ("a: \x00\n", "malformed YAML", None),
        ("a: &a [*b]\n", "the alias 'b' stands for nothing before it", 1),
        ("a: &a [*a]\n", "the alias 'a' stands for nothing before it", 1),
        ("[" * 1_000_000, "nested more than 32 deep", 1),
        (_BOMB, "more than 100000 values", 6),
        (_TOWER, "nested more than 32 deep", None),
    ],
)
def test_what_is_none_is_refused(text: str, reason: str, line: int | None) -> None:
    with pytest.raises(Malformed, match=reason) as caught:
        parse(text.encode())
    assert line in (None, caught.value.line)


# Files


def test_the_parameters_of_a_run_are_those_beside_its_metrics(tmp_path: Path) -> None:
    for path in ("a", "lightning_logs/version_3", "configs"):
        (tmp_path / path).mkdir(parents=True)
        (tmp_path / path / "hparams.yaml").write_text("lr: 0.1\nmodel: {depth: 3, name: mlp}\n")
    (tmp_path / "a" / "metrics.csv").write_text("step,loss\n1,1\n")
    found = Found(tmp_path)
    found.read()
    params = {"lr": "0.1", "model/depth": "3", "model/name": "mlp"}
    assert found.facts("params") == {"source/a": params, "source/lightning_logs/version_3": params}


def _one(folder: Path) -> Path:
    path = folder / "version_0" / "hparams.yaml"
    path.parent.mkdir()
    return path


def test_changes_are_told_and_nothing_else_is(tmp_path: Path) -> None:
    path, found = _one(tmp_path), Found(tmp_path)
    path.write_text("lr: 0.1\n")
    found.read()
    found.read()
    assert len(found.deliveries) == 1
    path.write_text("lr: 0.25\nseed: 7\n")
    found.read()
    assert found.facts("params") == {"source/version_0": {"lr": "0.25", "seed": "7"}}


def test_a_file_that_is_being_written_is_waited_for_and_reported_once_when_nobody_writes(
    tmp_path: Path,
) -> None:
    path, found = _one(tmp_path), Found(tmp_path)
    path.write_text("lr: 0.1\nlayers: [1")
    found.read()
    assert found.deliveries == []
    os.utime(path, (time.time() - QUIET_SECONDS - 1,) * 2)
    found.read()
    found.read()
    [reason] = found.skipped()
    assert reason.startswith("version_0/hparams.yaml:2: malformed YAML")
    path.write_text("lr: 0.1\nlayers: [1]\n")
    found.read()
    assert found.facts("params") == {"source/version_0": {"lr": "0.1", "layers": "[1]"}}


def test_a_file_over_the_limit_is_an_error(tmp_path: Path) -> None:
    _one(tmp_path).write_text("a: 1\n" * 100)
    tree, [unit] = units_of(ingester, tmp_path)
    with pytest.raises(Unreadable, match="larger than 100 bytes"):
        list(read(ingester, tree, unit, limits=Limits(line_bytes=100)))


def test_a_foreign_checkpoint_is_refused(tmp_path: Path) -> None:
    _one(tmp_path).write_text("a: 1\n")
    tree, [unit] = units_of(ingester, tmp_path)
    with pytest.raises(ValueError, match="not a checkpoint"):
        list(read(ingester, tree, unit, {"offset": 3}))
