"""Bounds of what one call may write. The server's settings set them; docs/settings.md lists them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RecordLimits:
    """Limits of one `record` call and of single values in it. Passing one is an error that names the field; nothing is cut."""

    name_bytes: int = 1024
    """Names of workspaces, experiments, runs, metrics, tags, params, properties and columns; run ids; UTF-8."""
    path_bytes: int = 4096
    """Paths of log files and artifacts, UTF-8."""
    value_bytes: int = 65_536
    """Values of tags, params and properties, descriptions, messages, UTF-8."""
    keys: int = 10_000
    """Tags, params and properties of one run, each."""
    points: int = 1_000_000
    """Points and rows of one call."""
    text_bytes: int = 8 << 20
    """Bytes of log text and payloads of one call."""
    payload_bytes: int = 4 << 20
    """One payload (a confusion matrix, an accuracy table, …) as JSON."""
    operations: int = 100_000
    """Operations of one call."""
    columns: int = 256
    """Columns of one metric."""
    evidence: int = 1000
    """Status statements kept of one run; past that the oldest but the first are folded into one that counts them."""
    queue: int = 4096
    """Calls waiting for one run tree; more have to wait before they are taken in (back-pressure)."""
