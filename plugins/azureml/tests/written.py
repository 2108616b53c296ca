"""What Azure's own libraries write, in environments of their own."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import mkdtemp

from tests.isolated import said_by

ML_VERSIONS: dict[str, tuple[str, ...]] = {
    "1.35.2": (),
    "1.0.0": ("marshmallow<3.24", "setuptools<80", "six"),
}
"""Today's and the first stable version of azure-ai-ml with what they need besides. azureml-core has no other for today's Python."""
_CLIENT = Path(__file__).with_name("client.py")


@cache
def downloaded(version: str) -> Path:
    """Where jobs were downloaded to. Skips the test where the library cannot be had, but fails it in CI."""
    folder = Path(mkdtemp(prefix="azure-ai-ml-"))
    home = Path(mkdtemp(prefix="home-"))
    said_by("azure-ai-ml", version, _CLIENT, folder, "ml", needs=ML_VERSIONS[version], home=home)
    return folder


@cache
def recorded() -> Path:
    """Documents of the run history, and what a run without a service printed. Skips like `downloaded`."""
    folder = Path(mkdtemp(prefix="azureml-core-"))
    home = Path(mkdtemp(prefix="home-"))
    needs = ("numpy", "setuptools<80")
    said_by("azureml-core", "1.61.0.post4", _CLIENT, folder, "core", needs=needs, home=home)
    return folder
