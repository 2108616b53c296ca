"""Asking a tracking server: bounded answers, and errors that never show who asked.

API: https://mlflow.org/docs/latest/api_reference/rest-api.html
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import httpx
import orjson

from graphql_runs.ingest.api import Limits, Unreadable
from graphql_runs_mlflow.message import SERVED_BY
from graphql_runs_mlflow.tracking.config import SCHEMES, TrackingConfig

API = "/api/2.0/mlflow/"
_ANSWER_SECONDS = 60.0
_TOLD = 300
"""Characters of an error that are shown."""

Message = Mapping[str, Any]

# It tells of each request, of which there are many.
logging.getLogger("httpx").setLevel(logging.WARNING)


class Missing(Unreadable):
    """There is no such thing, or no such question."""


class Refused(Unreadable):
    """The question is not one that this server answers."""


class TooLarge(Unreadable):
    """The answer is over the limit."""


class Client:
    """One server. Questions may be asked from several threads at once."""

    def __init__(self, address: str, config: TrackingConfig, limits: Limits) -> None:
        self.base = _base(address)
        self._limit = limits.json_bytes
        login, token = config.credentials()
        headers = {"accept": "application/json", "user-agent": "graphql-runs"}
        if token is not None:
            headers["authorization"] = f"Bearer {token}"
        self._http = httpx.Client(
            auth=login,
            headers=headers,
            timeout=httpx.Timeout(config.timeout_seconds, connect=min(10.0, config.timeout_seconds)),
            verify=config.verify_tls and self.base.startswith("https:"),
            trust_env=False,
        )

    def close(self) -> None:
        """Let go of connections."""
        self._http.close()

    def get(self, path: str, /, **values: str | int) -> Message:
        """The answer to a GET. Raises OSError for what may pass, else Unreadable."""
        return self._ask("GET", path, params={name: str(value) for name, value in values.items()})

    def post(self, path: str, /, **values: object) -> Message:
        """The answer to a POST. Raises as `get`."""
        return self._ask(
            "POST", path, content=orjson.dumps(values), headers={"content-type": "application/json"}
        )

    def _ask(self, method: str, path: str, **given: Any) -> Message:
        until = time.monotonic() + _ANSWER_SECONDS
        try:
            with self._http.stream(method, f"{self.base}{API}{path}", **given) as answer:
                data = bytearray()
                for piece in answer.iter_bytes():
                    data += piece
                    if len(data) > self._limit:
                        raise TooLarge(f"{path}: the answer is over the limit of {self._limit} bytes")
                    if time.monotonic() > until:
                        raise TimeoutError(f"{path}: the answer takes longer than {_ANSWER_SECONDS:.0f} s")
        except httpx.TimeoutException as error:
            raise TimeoutError(f"{path}: no answer in time ({type(error).__name__})") from None
        except httpx.HTTPError as error:
            # Its text may hold the address, which holds no user or password: those are refused there.
            raise ConnectionError(f"{path}: {type(error).__name__}: {str(error)[:_TOLD]}") from None
        return _message(path, answer, bytes(data))


def _message(path: str, answer: httpx.Response, data: bytes) -> Message:
    status = answer.status_code
    if answer.headers.get(SERVED_BY) is not None:
        raise Unreadable(
            "this is a server of graphql-runs, not of MLflow's: reading it could go round in circles; "
            "`graphql-runs store copy` takes its runs along"
        )
    if status in {401, 403}:
        raise Unreadable(f"{path}: the server refuses the user or the token (status {status})")
    if status == 429 or status >= 500:
        raise ConnectionError(f"{path}: the server has trouble (status {status}){_reason(data)}")
    if 300 <= status < 400:
        raise Unreadable(
            f"{path}: the server sends elsewhere (status {status}); give the address it sends to"
        )
    if status == 404 or status == 405:
        raise Missing(f"{path}: there is none (status {status}){_reason(data)}")
    if status != 200:
        raise Refused(f"{path}: status {status}{_reason(data)}")
    found = _parsed(data)
    if not isinstance(found, dict):
        raise Unreadable(f"{path}: the answer is no JSON object; is it a tracking server of MLflow's?")
    return found


def _reason(data: bytes) -> str:
    """What the server says of it."""
    found = _parsed(data)
    if not isinstance(found, dict):
        return ""
    words = [str(found[name]) for name in ("error_code", "message") if isinstance(found.get(name), str)]
    return f": {': '.join(words)[:_TOLD]}" if words else ""


def _parsed(data: bytes) -> object:
    try:
        found: object = orjson.loads(data)
    except orjson.JSONDecodeError:
        return None
    return found


def _base(address: str) -> str:
    """The address of the API. Raises ValueError, without showing what may be secret."""
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        raise ValueError("the address is malformed") from None
    if parts.scheme not in SCHEMES:
        raise ValueError(f"the address begins with {' or '.join(SCHEMES)}://")
    if "@" in parts.netloc:
        raise ValueError(
            "the address may not hold a user or password: set them as `username` and `password` of the plugin, or as "
            "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"
        )
    if not parts.hostname or parts.query or parts.fragment:
        raise ValueError("the address is mlflow+https://HOST[:PORT][/PATH]")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    where = host if port is None else f"{host}:{port}"
    return f"{SCHEMES[parts.scheme]}://{where}{parts.path.rstrip('/')}"


# Values in answers, which anybody may have made


def part(message: object, name: str) -> Message:
    """An object in an object; an empty one when there is none."""
    found = message.get(name) if isinstance(message, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def parts(message: object, name: str) -> Sequence[Message]:
    """The objects of a list in an object."""
    found = message.get(name) if isinstance(message, Mapping) else None
    return [one for one in found if isinstance(one, Mapping)] if isinstance(found, list) else []


def word(message: Message, *names: str) -> str | None:
    """The first text under these names; None when there is none."""
    return next((found for name in names if isinstance(found := message.get(name), str) and found), None)


def whole(value: object) -> int | None:
    """A whole number of 64 bits, which JSON may hold as a text."""
    if isinstance(value, str) and len(value) <= 20:
        try:
            value = int(value)
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if -(1 << 63) <= value < 1 << 63 else None


def number(value: object) -> float | None:
    """A number, which JSON holds as a text when it is not finite."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return float(value)
    except (ValueError, OverflowError):
        return None


def pairs(message: object, name: str) -> dict[str, str]:
    """A list of keys and values."""
    return {
        key: str(one.get("value", ""))
        for one in parts(message, name)
        if isinstance(key := one.get("key"), str) and key
    }
