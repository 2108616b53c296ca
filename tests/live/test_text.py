from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from graphql_runs.live.text import between, torn


@given(st.text(), st.data())
def test_pieces_of_a_text_join_to_the_text(text: str, data: st.DataObject) -> None:
    raw = text.encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(raw)), max_size=6)))
    out = ""
    end_told = 0
    for start, end in zip([0, *cuts], [*cuts, len(raw)], strict=True):
        lead = min(start, 3)
        held, piece = between(raw[start - lead : end], lead)
        assert start - held == end_told
        end_told += len(piece)
        out += piece.decode()
    assert out == text


@given(st.binary(max_size=40), st.data())
def test_pieces_of_any_bytes_join_to_all_but_a_torn_end(raw: bytes, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(raw)), max_size=6)))
    out = b""
    for start, end in zip([0, *cuts], [*cuts, len(raw)], strict=True):
        lead = min(start, 3)
        out += between(raw[start - lead : end], lead)[1]
    assert out == raw[: len(raw) - torn(raw)]


def test_torn() -> None:
    assert torn("é".encode()) == 0
    assert torn("é".encode()[:1]) == 1
    assert torn("🙂".encode()[:3]) == 3
    assert torn(b"\x80\x80\x80\x80") == 0
    assert torn(b"") == 0
