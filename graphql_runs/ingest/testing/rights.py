"""Being held to the rights of files, which the superuser otherwise is not."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

# capabilities(7) and linux/capability.h: version 3 of the header; bits 1 and 2 let a thread pass over rights to read and search.
_VERSION = 0x20080522
_DAC_OVERRIDE, _DAC_READ_SEARCH = 1, 2
_SETS = ctypes.c_uint32 * 6


@contextmanager
def without_rights(path: Path) -> Iterator[None]:
    """Nobody may read a file meanwhile, nor may this thread if it is the superuser's. Skips the test where that cannot be done."""
    mode = path.stat().st_mode
    path.chmod(0)
    try:
        if os.geteuid() == 0:
            with _bound():
                yield
        else:
            yield
    finally:
        path.chmod(mode)


@contextmanager
def _bound() -> Iterator[None]:
    if sys.platform != "linux":
        pytest.skip("the superuser may read everything here")
    kernel = ctypes.CDLL(None, use_errno=True)
    header, before = (ctypes.c_uint32 * 2)(_VERSION, 0), _SETS()
    _succeeds(kernel.capget(header, before))
    bound = _SETS(*before)
    bound[0] &= ~(1 << _DAC_OVERRIDE | 1 << _DAC_READ_SEARCH)
    _succeeds(kernel.capset(header, bound))
    try:
        yield
    finally:
        _succeeds(kernel.capset(header, before))


def _succeeds(code: int) -> None:
    if code != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
