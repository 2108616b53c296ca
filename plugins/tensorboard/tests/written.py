"""Event files as the libraries write them, in environments of their own."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import mkdtemp

from tests.isolated import said_by

_OLD = ("protobuf<3.21", "numpy<1.24", "pillow<10", "setuptools<70")
VERSIONS: dict[str, dict[str, tuple[str, ...]]] = {
    "tensorboardX": {
        "2.6.5": ("soundfile", "pillow"),
        "2.1": ("soundfile", *_OLD),
        "1.8": ("soundfile", *_OLD),
    },
    "tensorboard": {"2.21.0": (), "2.4.1": _OLD, "1.15.0": _OLD},
}
"""Libraries and their versions with what they need besides. tensorboardX 1.8 is older than hyperparameters; 1.15 is the last
TensorBoard of TensorFlow 1."""
RECORDED = Path(__file__).with_name("recorded")
"""A folder for each version of TensorFlow, with what job.py wrote and said there."""
_JOB = Path(__file__).with_name("job.py")


@cache
def written(library: str, version: str) -> Path:
    """The folder that the job of a library left. Skips the test where the library cannot be had, but fails it in CI."""
    folder = Path(mkdtemp(prefix=f"{library}-"))
    said_by(library, version, _JOB, folder, library, needs=VERSIONS[library][version])
    return folder
