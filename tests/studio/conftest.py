"""What the tests of studio need: its libraries, installed as package-lock.json lists them."""

from pathlib import Path

import pytest

import hatch_build

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def studio() -> Path:
    """The folder of studio with everything that its checks and tests need."""
    hatch_build.install(ROOT, development=True)
    return ROOT / "studio"
