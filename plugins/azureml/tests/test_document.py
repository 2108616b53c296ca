"""JSON documents: read, or refused with file and line."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphql_runs.ingest.api import Unreadable
from graphql_runs_azureml.document import parse

PATH = PurePosixPath("HD_1/run_details.json")


@pytest.mark.parametrize(
    ("data", "message", "line"),
    [
        (b'{"runId": "r1",\n "status": ', "not JSON: Expecting value", 2),
        (b"", "the file is empty", 1),
        (b" \n", "the file is empty", 1),
        (b'{"a":\n"\xff\xfe"}', "not utf-8 text", 2),
        (b"[" * 100_000, "nested too deeply", None),
        (b'{"n": ' + b"9" * 5000 + b"}", "not JSON that can be read", None),
        (b'{"runId": "r1"} trailing', "Extra data", 1),
    ],
)
def test_documents_that_are_no_json(data: bytes, message: str, line: int | None) -> None:
    with pytest.raises(Unreadable, match=message) as caught:
        parse(data, PATH)
    assert (caught.value.path, caught.value.line) == (str(PATH), line)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le"])
def test_encodings_of_powershell(encoding: str) -> None:
    assert parse(json.dumps({"runId": "ü"}, ensure_ascii=False).encode(encoding), PATH) == {"runId": "ü"}


@given(st.binary(max_size=200) | st.text().map(lambda text: json.dumps({"runId": text}).encode()[:-1]))
def test_whatever_the_bytes_are_they_are_read_or_unreadable(data: bytes) -> None:
    with suppress(Unreadable):
        value = parse(data, PATH)
        assert value is None or isinstance(value, dict | list | str | int | float)
