"""Hugging Face's trainer_state.json: the whole history of a training, written anew with every checkpoint.

`TrainerState.save_to_json` of transformers/trainer_callback.py puts one into each folder checkpoint-N (N is `global_step`) and, by
`Trainer.save_state`, one into the output folder. Each holds the rows of all before it in `log_history`, and goes when
`save_total_limit` removes its folder. A training that is resumed from a checkpoint goes on with that one's history.

So a row counts as known when it was read with the same rows before it, from whatever file. What is known is kept as hashes, each over
a row and all before it; of long histories the earlier ones are thinned out, so that only a training that is resumed from further
back than some thousand rows repeats a few of them.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import PurePosixPath
from typing import Any

from graphql_runs.ingest.api import Context, Delivery, Unreadable
from graphql_runs_tabular.batch import Batch, Full
from graphql_runs_tabular.document import (
    Complaints,
    Document,
    Malformed,
    Stamp,
    load,
    parse_json,
    stamp_of,
)
from graphql_runs_tabular.keys import Kinds, Names
from graphql_runs_tabular.values import shown

NAME = "trainer_state.json"
_CHECKPOINT = re.compile(r"checkpoint-(\d{1,18})")
_PARAMS = ("max_steps", "num_train_epochs", "train_batch_size", "logging_steps", "eval_steps", "save_steps")
_PROPERTIES = (
    "global_step", "best_metric", "best_global_step", "best_model_checkpoint", "total_flos", "num_input_tokens_seen", "trial_name",
)  # fmt: skip
_NAMES = Names(("step",), ())
_HASH_BYTES = 6
_HASHES = 5000


def is_state(path: PurePosixPath) -> bool:
    """Whether a file is the state of a training; some versions make a checkpoint in a folder tmp-checkpoint-N first."""
    return path.name == NAME and not path.parent.name.startswith("tmp-checkpoint-")


def home(path: PurePosixPath) -> PurePosixPath:
    """The output folder of the training that a state belongs to."""
    folder = path.parent
    return folder.parent if _CHECKPOINT.fullmatch(folder.name) else folder


@dataclass(slots=True)
class Known:
    """Rows that were read, as hashes of each with all before it, in the order of reading."""

    hashes: list[bytes] = field(default_factory=list)

    def count(self, chain: Sequence[bytes]) -> int:
        """How many of the first rows of a history are known, given by their hashes."""
        known = set(self.hashes)
        return next((place for place in range(len(chain), 0, -1) if chain[place - 1] in known), 0)

    def add(self, one: bytes) -> None:
        """One more row."""
        self.hashes.append(one)
        if len(self.hashes) > _HASHES:
            half = _HASHES // 2
            self.hashes[:half] = self.hashes[1:half:2]

    def to_json(self) -> str:
        """For a checkpoint."""
        return base64.b64encode(b"".join(self.hashes)).decode()

    @staticmethod
    def from_json(value: str) -> Known:
        """From a checkpoint."""
        data = base64.b64decode(value)
        places = range(0, len(data) + 1, _HASH_BYTES)
        return Known([data[start:end] for start, end in pairwise(places)])


@dataclass(slots=True)
class Progress:
    """The checkpoint of a training.

    prefix: before all metric names.
    step:   the highest N of the folders checkpoint-N that were read to their end; -1 before the first.
    newest: when the newest of them was changed, in nanoseconds.
    home:   the file in the output folder as it was read.
    facts:  what was told besides rows, as (global_step, hash); (-1, "") before the first.
    """

    prefix: str
    step: int = -1
    newest: int | None = None
    home: Stamp | None = None
    facts: tuple[int, str] = (-1, "")
    known: Known = field(default_factory=Known)
    kinds: Kinds = field(default_factory=Kinds)
    complaints: Complaints = field(default_factory=lambda: Complaints([]))

    @staticmethod
    def from_json(value: Mapping[str, object] | None, prefix: str) -> Progress:
        """From a checkpoint; `prefix` is the one of a training that was not read before."""
        match value:
            case None:
                return Progress(prefix)
            case {
                "prefix": str(kept),
                "step": int(step),
                "newest": newest,
                "home": at_home,
                "facts": [int(at_step), str(digest)],
                "known": str(known),
                "kinds": dict(kinds),
                "complaints": list(complaints),
            }:
                return Progress(
                    kept,
                    step,
                    newest if isinstance(newest, int) else None,
                    Stamp.from_json(at_home),
                    (at_step, digest),
                    Known.from_json(known),
                    Kinds.from_json(kinds),
                    Complaints(complaints),
                )
        raise ValueError(f"not a checkpoint of a training: {value!r}")

    def to_json(self) -> dict[str, object]:
        """For a checkpoint."""
        return {
            "prefix": self.prefix,
            "step": self.step,
            "newest": self.newest,
            "home": self.home.to_json() if self.home else None,
            "facts": list(self.facts),
            "known": self.known.to_json(),
            "kinds": self.kinds.to_json(),
            "complaints": self.complaints.known,
        }


@dataclass(frozen=True, slots=True)
class History:
    """A state that was read: its rows, their hashes (each over all before it), and the rest of the document."""

    document: Document
    rows: Sequence[object]
    chain: Sequence[bytes]
    fields: Mapping[str, Any]

    @property
    def global_step(self) -> int:
        """Steps of the training."""
        value = self.fields.get("global_step")
        return value if isinstance(value, int) and not isinstance(value, bool) else 0


def read_training(
    files: Sequence[PurePosixPath],
    run_id: str,
    prefix: str,
    checkpoint: Mapping[str, object] | None,
    context: Context,
) -> Iterator[Delivery]:
    """What the states of one training hold that was not read yet. `prefix` is for one that was not read before."""
    progress = Progress.from_json(checkpoint, prefix)
    return _Training(files, run_id, progress, context).deliveries()


class _Training:
    """Reading on all states of one training."""

    def __init__(
        self, files: Sequence[PurePosixPath], run_id: str, progress: Progress, context: Context
    ) -> None:
        self._files = files
        self._run_id = run_id
        self._progress = progress
        self._context = context

    def deliveries(self) -> Iterator[Delivery]:
        """Rows that are new: of the highest checkpoint, of those written after it, of the output folder."""
        folder = self._context.tree.folder
        numbered: dict[int, tuple[PurePosixPath, Stamp]] = {}
        at_home: tuple[PurePosixPath, Stamp] | None = None
        for path in self._files:
            stamp = stamp_of(folder, path)
            found = _CHECKPOINT.fullmatch(path.parent.name)
            if stamp is None:
                continue
            if found is None:
                at_home = path, stamp
            else:
                numbered[int(found[1])] = path, stamp
        yield from self._numbered(numbered)
        if at_home is not None and at_home[1] != self._progress.home:
            yield from self._read(*at_home, None)

    def _numbered(self, numbered: Mapping[int, tuple[PurePosixPath, Stamp]]) -> Iterator[Delivery]:
        progress = self._progress
        for number in sorted(numbered, reverse=True):
            if number <= progress.step:
                break
            if (yield from self._read(*numbered[number], number)):
                break
        if progress.newest is None:
            return
        for number, (path, stamp) in sorted(numbered.items(), key=lambda item: item[1][1].modified_ns):
            if stamp.modified_ns > progress.newest:
                yield from self._read(path, stamp, number)

    def _read(self, path: PurePosixPath, stamp: Stamp, number: int | None) -> Generator[Delivery, None, bool]:
        """What is new in one state; whether it could be read."""
        progress = self._progress
        try:
            document = load(self._context, path, self._context.limits.json_bytes)
        except FileNotFoundError:
            return False
        except Unreadable as error:
            if len(self._files) == 1:
                raise
            yield from self._complain(path, stamp, error)
            return False
        try:
            history = parse(document)
        except Malformed as error:
            if document.settled:
                yield from self._complain(path, document.stamp, error)
            return False
        yield from self._rows(history)
        if number is None:
            progress.home = document.stamp
        else:
            progress.step = max(progress.step, number)
            progress.newest = max(progress.newest or 0, document.stamp.modified_ns)
        yield self._delivery(self._facts(history))
        return True

    def _complain(self, path: PurePosixPath, stamp: Stamp, error: Exception) -> Iterator[Delivery]:
        skipped = self._progress.complaints.about(path, stamp, error)
        if skipped:
            yield Delivery(self._progress.to_json(), skipped=skipped)

    def _rows(self, history: History) -> Iterator[Delivery]:
        """The rows that are not known, a delivery for about `delivery_bytes` of them."""
        progress = self._progress
        first = progress.known.count(history.chain)
        batch, size = self._batch(history), 0
        for place in range(first, len(history.rows)):
            row = history.rows[place]
            if isinstance(row, dict):
                try:
                    batch.row(row, None)
                except Full:
                    yield self._delivery(batch)
                    batch, size = self._batch(history), 0
                    batch.row(row, None)
            else:
                batch.skip(f"row {place + 1} of log_history is not an object: {shown(row)}", None)
            progress.known.add(history.chain[place])
            size += len(repr(row))
            if size >= self._context.limits.delivery_bytes:
                yield self._delivery(batch)
                batch, size = self._batch(history), 0
        if not batch.empty:
            yield self._delivery(batch)

    def _batch(self, history: History) -> Batch:
        progress = self._progress
        path = str(history.document.path)
        return Batch(self._run_id, path, progress.prefix, progress.kinds, _NAMES, None, self._context.limits)

    def _delivery(self, batch: Batch) -> Delivery:
        operations = batch.operations()
        return Delivery(self._progress.to_json(), operations, skipped=batch.skipped)

    def _facts(self, history: History) -> Batch:
        """What the state says besides rows, when it is of the furthest step and not told yet."""
        batch = self._batch(history)
        at_step, told = self._progress.facts
        if history.global_step >= at_step:
            trial = history.fields.get("trial_params")
            params = {name: history.fields.get(name) for name in _PARAMS}
            properties = {name: history.fields.get(name) for name in _PROPERTIES}
            params |= trial if isinstance(trial, dict) else {}
            digest = _chain([params, properties])[-1].hex()
            self._progress.facts = history.global_step, digest
            if digest != told:
                batch.row({"params": params}, None)
                batch.properties(properties)
        return batch


def parse(document: Document) -> History:
    """The history of a state. Raises Malformed."""
    value = parse_json(document.data)
    if not isinstance(value, dict):
        raise Malformed(f"not the state of a training: {shown(value)}", 1)
    rows = value.pop("log_history", None)
    if not isinstance(rows, list):
        raise Malformed("not the state of a training: it has no list log_history")
    try:
        return History(document, rows, _chain(rows), value)
    except RecursionError as error:
        raise Malformed("nested too deeply") from error


def _chain(rows: Sequence[object]) -> list[bytes]:
    found: list[bytes] = []
    before = b""
    for row in rows:
        text = json.dumps(row, sort_keys=True).encode()
        before = hashlib.blake2b(before + text, digest_size=_HASH_BYTES).digest()
        found.append(before)
    return found
