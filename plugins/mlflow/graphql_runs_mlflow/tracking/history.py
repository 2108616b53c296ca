"""A metric's points on a server that gives them in pages, or all at once.

MLflow orders them by time, step and value, and names a page by how many points lie before it
(mlflow/store/tracking/sqlalchemy_store.py and mlflow/utils/search_utils.py); servers before 2.3 or with a file store give all
of them. A mark keeps how many points were read and the last of them, so that new ones are told from those, also when some came
with a slightly earlier time than the last.
"""

from __future__ import annotations

import base64
import hashlib
import json
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from graphql_runs.ingest.api import Unreadable
from graphql_runs_mlflow.points import MILLIS
from graphql_runs_mlflow.tracking.client import Client, Message, Refused, number, parts, whole, word

MOST_POINTS = 25_000
"""MLflow's limit for one page."""
_PAGES = 1_000_000


@dataclass(frozen=True, slots=True)
class Point:
    """A point; time in milliseconds."""

    millis: int
    step: int
    value: float

    @property
    def order(self) -> tuple[int, int, float, bool]:
        """How MLflow sorts; NaN is kept as 0 there."""
        nan = self.value != self.value
        return self.millis, self.step, 0.0 if nan else self.value, nan

    @property
    def name(self) -> str:
        """A short digest of all of it."""
        value = (
            struct.pack("<d", 0.0)
            if self.value == 0
            else b"nan"
            if self.value != self.value
            else struct.pack("<d", self.value)
        )
        return hashlib.blake2b(struct.pack("<qq", self.millis, self.step) + value, digest_size=6).hexdigest()


@dataclass(frozen=True, slots=True)
class Mark:
    """Where reading a metric stands: how many points were read, the names of the last of them in the server's order, and the point
    that the server's list of runs showed for it then."""

    count: int = 0
    tail: tuple[str, ...] = ()
    shown: str = ""

    def to_json(self) -> list[object]:
        """For a checkpoint."""
        return [self.count, "".join(self.tail), self.shown]

    @staticmethod
    def from_json(value: object) -> Mark:
        """From a checkpoint."""
        match value:
            case [int(count), str(tail), str(shown)]:
                return Mark(
                    count, tuple(tail[place : place + 12] for place in range(0, len(tail), 12)), shown
                )
        return Mark()


@dataclass(frozen=True, slots=True)
class Piece:
    """New points of a metric, the place after them, and how many came too late to be told from those that were read."""

    points: Sequence[Point]
    mark: Mark
    late: int = 0
    unusable: int = 0


class History:
    """Reads metrics of one server. Whether it gives pages, in MLflow's order, is found out once."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._pages: bool | None = None
        self._ordered = True

    def new(self, run_id: str, key: str, mark: Mark, shown: str, size: int, window: int) -> Iterator[Piece]:
        """The points after a mark, in pieces of about `size` points; `window` of them are kept by name. Raises OSError, Unreadable."""
        if mark.count and self._pages is None:
            self._page(run_id, key, "", 1)
        if self._ordered and (self._pages or not mark.count):
            # At the front of the page are those that are known by name.
            before = mark.count - len(mark.tail)
            page, token, unusable = self._page(run_id, key, _token(before), max(size, 2 * len(mark.tail)))
            if self._ordered and (not mark.count or _continues(page, mark)):
                yield from self._onwards((run_id, key), mark, (page, token, unusable), shown, size, window)
                return
        yield self._compared(self._all(run_id, key), mark, shown, window)

    def _onwards(
        self,
        metric: tuple[str, str],
        mark: Mark,
        first: tuple[list[Point], str, int],
        shown: str,
        size: int,
        window: int,
    ) -> Iterator[Piece]:
        page, token, unusable = first
        known, count = set(mark.tail), mark.count - len(mark.tail)
        names: list[str] = []
        for _ in range(_PAGES):
            count += len(page) + unusable
            names = [*names, *(point.name for point in page[-window:])][-window:]
            new = [point for point in page if point.name not in known] if known else page
            yield Piece(new, Mark(count, tuple(names), "" if token else shown), unusable=unusable)
            if not token:
                return
            page, token, unusable = self._page(*metric, token, size)

    def _compared(self, points: list[Point], mark: Mark, shown: str, window: int) -> Piece:
        """What is new among all points. Those before the ones that are known by name cannot be told from each other."""
        known = set(mark.tail)
        places = [place for place, point in enumerate(points) if point.name in known] if known else [0]
        before = mark.count - len(mark.tail)
        if len(places) < len(known) or places[0] < before:
            raise Unreadable(
                "points that were read are not there any more; nothing is read on, as it cannot be told what is new"
            )
        new = [point for point in points[places[0] :] if point.name not in known]
        tail = tuple(point.name for point in points[-window:])
        return Piece(new, Mark(len(points), tail, shown), late=places[0] - before)

    def _all(self, run_id: str, key: str) -> list[Point]:
        found: list[Point] = []
        token = ""
        for _ in range(_PAGES):
            page, token, _ = self._page(run_id, key, token, MOST_POINTS)
            found += page
            if not token:
                break
        return sorted(found, key=lambda point: point.order)

    def _page(self, run_id: str, key: str, token: str, size: int) -> tuple[list[Point], str, int]:
        asked: dict[str, str | int] = {"run_id": run_id, "run_uuid": run_id, "metric_key": key}
        if self._pages is not False:
            try:
                answer = self._client.get(
                    "metrics/get-history",
                    **asked,
                    max_results=max(1, min(size, MOST_POINTS)),
                    **({"page_token": token} if token else {}),
                )
            except Refused:
                if self._pages or token:
                    raise
                self._pages = False
                answer = self._client.get("metrics/get-history", **asked)
        else:
            answer = self._client.get("metrics/get-history", **asked)
        given = parts(answer, "metrics")
        after = word(answer, "next_page_token") or ""
        if after:
            self._pages = True
        elif self._pages is None and len(given) > size:
            self._pages = False
        found = [point for one in given if (point := _point(one)) is not None]
        if self._ordered and any(one.order[:2] > other.order[:2] for one, other in pairwise(found)):
            self._ordered = False
        return found, after, len(given) - len(found)


def _continues(page: Sequence[Point], mark: Mark) -> bool:
    """Whether a page begins with the points that were read last."""
    names = {point.name for point in page}
    return bool(page) and page[0].name in mark.tail and names >= set(mark.tail)


def _token(offset: int) -> str:
    """MLflow's name for the page after so many points."""
    return base64.b64encode(json.dumps({"offset": offset}).encode()).decode() if offset else ""


def _point(message: Message) -> Point | None:
    millis, step = whole(message.get("timestamp", 0)), whole(message.get("step", 0))
    value = number(message.get("value", 0.0))
    if millis is None or step is None or value is None or abs(millis) >= MILLIS:
        return None
    return Point(millis, step, value)


def shown(message: Mapping[str, object]) -> str:
    """The last point of a metric as a run shows it."""
    return f"{message.get('timestamp')} {message.get('step')} {message.get('value')}"
