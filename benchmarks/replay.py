"""The load generator: prepared GraphQL requests over keep-alive connections, from a process of its own.

The client is a plain socket, so that the rate is the server's: it costs about 20 µs a call where a full client costs 500.
"""

from __future__ import annotations

import multiprocessing
import socket
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from time import perf_counter
from types import TracebackType
from typing import Any, ParamSpec, TypeVar

import orjson

from benchmarks.figure import Wrong

P = ParamSpec("P")
T = TypeVar("T")
HOST = "127.0.0.1"
_TIMEOUT = 120.0
_ERRORS = b'"errors"'


def request(query: str, **variables: Any) -> bytes:
    """The body of a GraphQL request; numpy arrays are written as JSON arrays."""
    return orjson.dumps({"query": query, "variables": variables}, option=orjson.OPT_SERIALIZE_NUMPY)


class Connection:
    """One keep-alive HTTP/1.1 connection to a server's /graphql."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection((HOST, port), timeout=_TIMEOUT)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._head = (
            f"POST /graphql HTTP/1.1\r\nhost: {HOST}:{port}\r\naccept: application/json\r\n"
            "content-type: application/json\r\ncontent-length: "
        ).encode()

    def __enter__(self) -> Connection:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    def post(self, body: bytes) -> bytes:
        """The body of the answer. Raises Wrong when it is not a 200 with a length, or holds GraphQL errors."""
        self._socket.sendall(b"%b%d\r\n\r\n%b" % (self._head, len(body), body))
        data = bytearray()
        while (end := data.find(b"\r\n\r\n")) < 0:
            self._receive(data)
        head = bytes(data[:end]).lower()
        at = head.find(b"\r\ncontent-length:")
        if not head.startswith(b"http/1.1 200 ") or at < 0:
            raise Wrong(f"the server answered {bytes(data[: end + 400]).decode(errors='replace')}")
        length = int(head[at + 17 :].split(b"\r\n", 1)[0])
        answer = data[end + 4 :]
        while len(answer) < length:
            self._receive(answer)
        # Errors come first or last in an answer; data as large as a history is not searched whole.
        if _ERRORS in answer[:200] or _ERRORS in answer[-2000:]:
            raise Wrong(f"the server answered {bytes(answer[:1000]).decode(errors='replace')}")
        return bytes(answer)

    def _receive(self, into: bytearray) -> None:
        data = self._socket.recv(1 << 20)
        if not data:
            raise Wrong("the server closed the connection")
        into += data


@dataclass(frozen=True, slots=True)
class Replayed:
    """How it went. `seconds` is from the first byte of the first request to the last byte of the last answer, over all
    connections; `latencies` are seconds of each call; `answers` the last answer on each connection, and `each` the seconds
    that each of them took."""

    seconds: float
    latencies: tuple[float, ...]
    answers: tuple[bytes, ...]
    each: tuple[float, ...]


def replay(ports: Sequence[int], scripts: Sequence[Sequence[bytes]]) -> Replayed:
    """Send each script's requests in order on a connection of its own, all connections at once; each to its server."""
    start = threading.Barrier(len(scripts))
    failures: list[BaseException] = []
    begins, ends = [0.0] * len(scripts), [0.0] * len(scripts)
    latencies: list[list[float]] = [[] for _ in scripts]
    answers = [b""] * len(scripts)

    def one(index: int) -> None:
        try:
            with Connection(ports[index]) as connection:
                start.wait(_TIMEOUT)
                before = begins[index] = perf_counter()
                for body in scripts[index]:
                    answers[index] = connection.post(body)
                    now = perf_counter()
                    latencies[index].append(now - before)
                    before = now
                ends[index] = before
        except BaseException as error:
            failures.append(error)
            start.abort()

    if len(scripts) == 1:
        one(0)
    else:
        threads = [threading.Thread(target=one, args=(index,)) for index in range(len(scripts))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    if failures:
        # A broken barrier is only the echo of the first failure.
        raise next(
            (error for error in failures if not isinstance(error, threading.BrokenBarrierError)), failures[0]
        )
    flat = tuple(latency for some in latencies for latency in some)
    each = tuple(end - begin for begin, end in zip(begins, ends, strict=True))
    return Replayed(max(ends) - min(begins), flat, tuple(answers), each)


class LoadGenerator:
    """A worker process that replays."""

    def __init__(self) -> None:
        self._pool = ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"))

    def __enter__(self) -> LoadGenerator:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(cancel_futures=True)

    def replay(self, port: int, *scripts: Sequence[bytes]) -> Replayed:
        """`replay` on one server, in the worker process."""
        return self.replay_each([port] * len(scripts), scripts)

    def replay_each(self, ports: Sequence[int], scripts: Sequence[Sequence[bytes]]) -> Replayed:
        """`replay` in the worker process."""
        return self.call(replay, ports, scripts)

    def call(self, load: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
        """Any other load, in the worker process."""
        return self._pool.submit(load, *arguments, **named).result()
