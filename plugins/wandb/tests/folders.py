"""Run folders as the wandb client writes them, in an environment of its own."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import mkdtemp

from tests.isolated import said_by

VERSIONS: dict[str, tuple[str, ...]] = {
    "0.31.0": (),
    "0.19.11": (),
    "0.16.6": ("numpy<2", "setuptools<80"),
}
"""Versions of wandb with what they need besides: today's, the last one with Python and Go, and the last one in Python alone."""
_JOB = Path(__file__).with_name("job.py")


@cache
def written(version: str, code: int = 0, rows: int = 0) -> Path:
    """The run folder of a job that ended with a code. Skips the test where wandb cannot be had, but fails it in CI."""
    folder = Path(mkdtemp(prefix="wandb-"))
    said_by(
        "wandb", version, _JOB, folder, str(code), str(rows),
        needs=VERSIONS[version], unset="WANDB", home=folder,
    )  # fmt: skip
    [found] = (folder / "wandb").glob("offline-run-*")
    return found
