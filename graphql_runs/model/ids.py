"""Server ids: global, typed by their prefix, and derived from what they name.

    workspace_<name hash>            cluster_<hash>   experiment_<hash>   run_<hash of workspace and runId>
    metric_<run part>_<name hash>    log_<run part>_<path hash>           artifact_<run part>_<path hash>

Because an id is a function of the identity it stands for, creating the same thing twice is harmless in every store,
and an unseen parent can be named before it is seen. A hash is 128 bits of BLAKE2b in Crockford's base 32 (26
characters, lower case), so that two names never meet in practice.
"""

from __future__ import annotations

import base64
import hashlib
import re
from functools import lru_cache

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_HASH = 26
_SHAPE = re.compile(
    rf"(?:(?:workspace|cluster|experiment|run|source)_[{_ALPHABET}]{{{_HASH}}}"
    rf"|(?:metric|log|artifact)_[{_ALPHABET}]{{{_HASH}}}_[{_ALPHABET}]{{{_HASH}}})"
)


_CROCKFORD = bytes.maketrans(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", _ALPHABET.encode())
# Every operation names its run and metric again, so ids are asked for far more often than there are new ones.
_remembered = lru_cache(maxsize=65_536)


def _digest(*parts: str) -> str:
    # Lengths go in too, so that ("a", "bc") and ("ab", "c") differ.
    text = "".join([f"{len(part)}:{part}" for part in parts])
    raw = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
    return base64.b32encode(raw)[:_HASH].translate(_CROCKFORD).decode()


@_remembered
def workspace_id(name: str) -> str:
    """The id of the workspace of that name."""
    return f"workspace_{_digest(name)}"


@_remembered
def cluster_id(workspace: str, name: str) -> str:
    """The id of a cluster by its workspace's id and its name."""
    return f"cluster_{_digest(workspace, name)}"


@_remembered
def experiment_id(workspace: str, name: str) -> str:
    """The id of an experiment by its workspace's id and its name."""
    return f"experiment_{_digest(workspace, name)}"


@_remembered
def run_id(workspace: str, producer_id: str) -> str:
    """The server's id of a run by its workspace's id and the id its producer gave it."""
    return f"run_{_digest(workspace, producer_id)}"


@_remembered
def metric_id(run: str, name: str) -> str:
    """The id of a run's metric by the run's server id and the metric's name."""
    return f"metric_{run.removeprefix('run_')}_{_digest(name)}"


@_remembered
def log_id(run: str, path: str) -> str:
    """The id of a run's log file by the run's server id and the file's path."""
    return f"log_{run.removeprefix('run_')}_{_digest(path)}"


@_remembered
def artifact_id(run: str, path: str) -> str:
    """The id of a run's output by the run's server id and the output's path."""
    return f"artifact_{run.removeprefix('run_')}_{_digest(path)}"


def source_id(uri: str) -> str:
    """The id of an ingestion source by the place it reads."""
    return f"source_{_digest(uri)}"


def kind_of(text: str) -> str | None:
    """`run`, `metric`, … when the text has the shape of a server id, else None."""
    return text.partition("_")[0] if _SHAPE.fullmatch(text) else None


def run_of(text: str) -> str:
    """The run that a metric's, log's or artifact's id belongs to (the id itself carries it); of a run's id that run."""
    return f"run_{text.split('_')[1]}"
