"""Hugging Face's all_results.json: an object of the last values, which `Trainer.save_metrics` merges new ones into.

It holds what train_results.json and eval_results.json beside it hold, and what scripts add to the metrics of the trainer (`perplexity`,
`train_samples`, `predict_accuracy`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

from graphql_runs.ingest.api import Context, Delivery
from graphql_runs_tabular.batch import Batch
from graphql_runs_tabular.document import Malformed, Told, follow, parse_json
from graphql_runs_tabular.keys import Kinds, Names
from graphql_runs_tabular.values import shown

NAME = "all_results.json"
PREFIX = "all_results/"
_BYTES = 32 << 10
_EPOCH = "epoch"


def read_results(
    path: PurePosixPath, run_id: str, checkpoint: Mapping[str, object] | None, context: Context
) -> Iterator[Delivery]:
    """A row of the values that are new or others than before, whenever the file changes. Its step is the epoch."""

    def take(data: bytes, told: Told) -> tuple[Batch, Told]:
        value = parse_json(data)
        if not isinstance(value, dict):
            raise Malformed(f"not an object: {shown(value)}", 1)
        now = {name: _digest(inner) for name, inner in value.items()}
        new = {name for name in value if name == _EPOCH or now[name] != told.get(name)}
        batch = Batch(run_id, str(path), PREFIX, Kinds(), Names((_EPOCH,), ()), None, context.limits)
        if new != {_EPOCH}:
            batch.row({name: inner for name, inner in value.items() if name in new}, None)
        return batch, now

    return follow(path, checkpoint, context, min(_BYTES, context.limits.json_bytes), take)


def _digest(value: object) -> str:
    try:
        return hashlib.blake2b(json.dumps(value).encode(), digest_size=4).hexdigest()
    except RecursionError as error:
        raise Malformed("nested too deeply") from error
