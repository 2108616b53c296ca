"""Which runs a tracking server has, and which of them changed since it was asked last.

Runs come newest first: usually the first page tells what is new, and one more question those that are running. Everything is
asked for once in a while, as the rest may change too. A run that is running is read again every minute at least: a point of an
earlier step does not show in the list.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

import orjson

from graphql_runs.ingest.api import Limits, RunFolder, Skipped, Unit
from graphql_runs.ingest.remote import Look, Seen
from graphql_runs_mlflow.layout import root_of
from graphql_runs_mlflow.run import PARENT, UNIT, WORDS, micros
from graphql_runs_mlflow.tracking.client import (
    Client,
    Message,
    Missing,
    TooLarge,
    pairs,
    part,
    parts,
    whole,
    word,
)

_PAGE = 500
_EXPERIMENTS = 1000
_TOGETHER = 500
"""Experiments that are searched at once."""
_ID_BYTES = 256
_EVERYTHING_SECONDS = 60.0
_SPARING = 20
"""Asking for everything takes one part in so many of the time."""
_AGAIN_SECONDS = 60.0
_PAGES = 100_000
"""Pages of one question: a server that never ends is not listened to for ever."""


@dataclass(slots=True)
class _Listed:
    digest: str
    running: bool
    parent: str | None
    modified_at: int
    since: float


class Listing:
    """What was seen of a server. Used by one thread at a time."""

    def __init__(self, client: Client, limits: Limits) -> None:
        self.experiments: dict[str, str] = {}
        self._client = client
        self._limits = limits
        self._runs: dict[str, _Listed] = {}
        self._page = _PAGE
        self._everything_at = 0.0
        self._left_out = 0

    def look(self) -> Look:
        """All runs there are. Raises OSError, Unreadable."""
        self.experiments = self._experiments()
        began = time.monotonic()
        if began >= self._everything_at:
            self._left_out = 0
            before, self._runs = self._runs, {}
            try:
                for page in self._pages(""):
                    self._take(page, before)
            except BaseException:
                self._runs = before | self._runs
                raise
            ended = time.monotonic()
            self._everything_at = ended + max(_EVERYTHING_SECONDS, (ended - began) * _SPARING)
        else:
            for page in self._pages(""):
                if not self._take(page, self._runs):
                    break
            for page in self._pages("attributes.status = 'RUNNING'"):
                self._take(page, self._runs)
        return self._look()

    def _look(self) -> Look:
        parents = {run_id: run.parent for run_id, run in self._runs.items()}
        clock = time.monotonic()
        seen = []
        for run_id, run in self._runs.items():
            again = int((clock - run.since) / _AGAIN_SECONDS) if run.running else 0
            version = f"{run.digest}.{again}"
            place = RunFolder(_place(run_id), run_id, root_of(run_id, parents), whole=True)
            hints = {"version": version, "parent": run.parent, "again": again > 0}
            seen.append(Seen(Unit(UNIT, place, (), hints=hints), version, run.modified_at))
        skipped = []
        if self._left_out:
            reason = f"{self._left_out} runs beyond the limit of {self._limits.files}, or without a usable id"
            skipped.append(Skipped("runs", reason))
        return Look(seen, skipped)

    def _take(self, page: list[Message], before: Mapping[str, _Listed]) -> bool:
        """Take in the runs of a page. Whether any is new or differs."""
        changed = False
        for message in page:
            info = part(message, "info")
            run_id = word(info, "run_id", "run_uuid")
            if (
                run_id is None
                or len(run_id.encode("utf-8", "replace")) > _ID_BYTES
                or (run_id not in self._runs and len(self._runs) >= self._limits.files)
            ):
                self._left_out += 1
                continue
            digest = _digest(message, self.experiments)
            known = before.get(run_id)
            if known is None or known.digest != digest:
                changed = True
                parent = pairs(part(message, "data"), "tags").get(PARENT)
                running = info.get("status") in {"RUNNING", "SCHEDULED"}
                known = _Listed(
                    digest,
                    running,
                    parent if parent != run_id else None,
                    _modified(message),
                    time.monotonic(),
                )
            self._runs[run_id] = known
        return changed

    def _pages(self, filter: str) -> Iterator[list[Message]]:
        ids = list(self.experiments)
        for first in range(0, len(ids), _TOGETHER):
            token = ""
            for _ in range(_PAGES):
                asked: dict[str, object] = {
                    "experiment_ids": ids[first : first + _TOGETHER],
                    "run_view_type": "ALL",
                    "max_results": self._page,
                }
                asked |= {"filter": filter} if filter else {}
                asked |= {"page_token": token} if token else {}
                try:
                    answer = self._client.post("runs/search", **asked)
                except TooLarge:
                    if self._page == 1:
                        raise
                    self._page = max(1, self._page // 4)
                    continue
                page = list(parts(answer, "runs"))
                yield page
                token = word(answer, "next_page_token") or ""
                if not token or not page:
                    break

    def _experiments(self) -> dict[str, str]:
        found: dict[str, str] = {}
        token = ""
        for _ in range(_PAGES):
            try:
                answer = self._client.post(
                    "experiments/search",
                    max_results=_EXPERIMENTS,
                    view_type="ALL",
                    **({"page_token": token} if token else {}),
                )
            except Missing:
                # Before MLflow 1.28; all at once.
                answer = self._client.get("experiments/list", view_type="ALL")
            for one in parts(answer, "experiments"):
                if (id := word(one, "experiment_id")) is not None:
                    found[id] = word(one, "name") or id
            token = word(answer, "next_page_token") or ""
            if not token:
                break
        return found


def _digest(message: Message, experiments: Mapping[str, str]) -> str:
    """Of everything that a list says of a run."""
    experiment = experiments.get(word(part(message, "info"), "experiment_id") or "")
    listed = [experiment, message]
    data = orjson.dumps(listed, option=orjson.OPT_SORT_KEYS)
    return hashlib.blake2b(data, digest_size=12).hexdigest()


def _modified(message: Message) -> int:
    """Microseconds when something last happened in a run."""
    info = part(message, "info")
    times = [whole(info.get("start_time")), whole(info.get("end_time"))]
    times += [whole(one.get("timestamp")) for one in parts(part(message, "data"), "metrics")]
    return max((at for one in times if (at := micros(one)) is not None), default=0)


def _place(run_id: str) -> PurePosixPath:
    return PurePosixPath(run_id.replace("/", "_") or "_")


def ended(status: str) -> bool:
    """Whether a word for a status says that it is over."""
    return status in WORDS and WORDS[status].terminal
