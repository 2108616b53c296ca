"""What was measured, its goal, and what stands beside it."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median


class Wrong(Exception):
    """An answer was not what it has to be, so that its time means nothing."""


@dataclass(frozen=True, slots=True)
class Beside:
    """Something measured in the same run for comparison, in the unit of the figure: a limit of the machine, or a peer.

    `values` is empty when it could not be measured; `note` says why, or what it is.
    """

    name: str
    values: tuple[float, ...]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table.

    values: one per repetition, in `unit`. goal: what the median should reach; None for a figure that is only shown.
    more: more is better (a rate), else less (a time, a size). checked: what was found right before the time counted.
    """

    workload: str
    what: str
    unit: str
    values: tuple[float, ...]
    more: bool
    checked: str
    goal: float | None = None
    beside: tuple[Beside, ...] = ()

    @property
    def median(self) -> float:
        """The median of the repetitions."""
        return median(self.values)

    @property
    def met(self) -> bool | None:
        """Whether the median reaches the goal; None without one."""
        if self.goal is None:
            return None
        return self.median >= self.goal if self.more else self.median <= self.goal

    def ratio(self, other: Beside) -> float | None:
        """How many times better than `other` the median is (below 1: worse); None when it was not measured."""
        if not other.values:
            return None
        ours, theirs = self.median, median(other.values)
        return ours / theirs if self.more else theirs / ours


@dataclass(frozen=True, slots=True)
class Report:
    """All figures of one run, and the machine they were taken on."""

    machine: dict[str, str]
    quick: bool
    figures: tuple[Figure, ...]
