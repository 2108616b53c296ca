"""What is known of the keys of a table: which hold steps and times, and of which kind every metric is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Layout:
    """Which of a row's keys may be its step and its time, the likeliest first."""

    steps: tuple[str, ...]
    times: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Names:
    """The keys that hold steps and times, the likeliest first, in lower case."""

    steps: Sequence[str]
    times: Sequence[str]

    def layout(self, keys: Sequence[str]) -> Layout:
        """Those among a row's keys."""
        folded = {key.lower(): key for key in reversed(keys)}
        return Layout(
            tuple(folded[name] for name in self.steps if name in folded),
            tuple(folded[name] for name in self.times if name in folded),
        )


@dataclass(slots=True)
class Kinds:
    """The kind of every metric name of a file: `s` scalar, `l` list, `t` text."""

    kinds: dict[str, str] = field(default_factory=dict)
    size: int = 0

    def to_json(self) -> dict[str, list[str]]:
        """For a checkpoint."""
        found: dict[str, list[str]] = {}
        for name, kind in self.kinds.items():
            found.setdefault(kind, []).append(name)
        return found

    @staticmethod
    def from_json(value: object) -> Kinds:
        """From a checkpoint."""
        kinds = Kinds()
        if isinstance(value, dict):
            for kind, names in value.items():
                for name in names:
                    kinds.add(name, kind)
        return kinds

    def add(self, name: str, kind: str) -> None:
        """A new name."""
        self.kinds[name] = kind
        self.size += len(name)
