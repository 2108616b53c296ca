"""How much one question may look through before its page ends early."""

from __future__ import annotations

from dataclasses import dataclass, field
from time import monotonic

SCAN_BYTES = 16 << 20
"""Bytes of lines that are looked at one by one for one page; what a search can skip unseen counts an eighth."""


@dataclass(slots=True)
class Budget:
    """What is left to spend; `until` is a moment of the monotonic clock."""

    bytes: int = field(default_factory=lambda: SCAN_BYTES)
    until: float | None = None

    @classmethod
    def of(cls, seconds: float) -> Budget:
        """So much time, and any number of bytes."""
        return cls(1 << 62, monotonic() + seconds)

    def spend(self, size: int, *, skipped: bool) -> None:
        """So many bytes were looked at, or skipped unseen."""
        self.bytes -= size // 8 if skipped else size

    @property
    def over(self) -> bool:
        """Nothing is left."""
        return self.bytes <= 0 or (self.until is not None and monotonic() >= self.until)
