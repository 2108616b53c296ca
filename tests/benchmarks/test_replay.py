"""The load generator refuses what it must not count."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import orjson
import pytest

from benchmarks.figure import Wrong
from benchmarks.replay import Connection, replay, request


@contextmanager
def answering(answer: bytes, *, pieces: int = 1) -> Iterator[int]:
    """A server that gives one answer to every request on any number of connections; its port."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve(connection: socket.socket) -> None:
        with connection:
            while data := connection.recv(1 << 16):
                if data.endswith(b"}"):
                    step = -(-len(answer) // pieces)
                    for start in range(0, len(answer), step):
                        connection.sendall(answer[start : start + step])

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def http(body: bytes, status: str = "200 OK") -> bytes:
    return b"HTTP/1.1 %b\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (
        status.encode(),
        len(body),
        body,
    )


@pytest.mark.parametrize("pieces", [1, 7])
def test_every_request_of_every_script_is_sent(pieces: int) -> None:
    body = orjson.dumps({"data": {"run": "x" * 300}})
    with answering(http(body), pieces=pieces) as port:
        done = replay([port, port], [[request("{ a }")] * 3, [request("{ b }")] * 2])
    assert len(done.latencies) == 5
    assert done.answers == (body, body)
    assert 0 < max(done.latencies) <= done.seconds


@pytest.mark.parametrize(
    "answer",
    [http(b'{"data": null, "errors": [{"message": "no"}]}'), http(b"{}", "503 Service Unavailable")],
)
def test_an_error_is_never_counted_as_an_answer(answer: bytes) -> None:
    with answering(answer) as port:
        with Connection(port) as connection, pytest.raises(Wrong, match="the server answered"):
            connection.post(request("{ a }"))
        with pytest.raises(Wrong, match="the server answered"):
            replay([port, port], [[request("{ a }")], [request("{ b }")]])
