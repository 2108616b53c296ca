"""What every operation has to be answered with, whoever thought it up."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any

SECONDS = 5.0
"""What the server is told to give an operation at most."""
SLACK = 5.0
"""Seconds above that until a machine under load counts as too late."""


class Unsound(Exception):
    """An operation that was not answered as it has to be."""


def read(status: int, body: bytes) -> Mapping[str, Any]:
    """The answer. Raises Unsound for a status that says that the server failed, and for what is no answer of GraphQL."""
    if status not in (200, 400):
        raise Unsound(f"status {status}: {body[:2000]!r}")
    try:
        answer = json.loads(body)
    except ValueError:
        raise Unsound(f"no JSON: {body[:2000]!r}") from None
    if not isinstance(answer, dict) or not answer.keys() & {"data", "errors"}:
        raise Unsound(f"neither data nor errors: {body[:2000]!r}")
    return answer


def count(answer: Mapping[str, Any], codes: Counter[str]) -> None:
    """Count an answer and the codes of its errors. Raises Unsound for an error that was not meant for the client."""
    found = {error.get("extensions", {}).get("code", "NONE") for error in answer.get("errors", ())}
    codes.update(found or {"OK"})
    if found & {"INTERNAL", "NONE"}:
        raise Unsound(str(answer["errors"]))
