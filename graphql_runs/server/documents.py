"""Trusted documents: operations that the server knows by their SHA-256.

A folder holds one document in each `*.graphql` file, at any depth; a file is a JSON object from the SHA-256 in hex to the
document. Clients name a document as `documentId: "sha256:<hex>"` (GraphQL over HTTP, appendix on persisted documents) or as
`extensions.persistedQuery.sha256Hash` (Apollo, urql), or send its text.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from graphql import GraphQLError

from graphql_runs.model.errors import InvalidInput
from graphql_runs.schema.scalars import decode_json
from graphql_runs.server.errors import BadRequest, UnknownDocument, Untrusted

_PREFIX = "sha256:"
_SETTING = "trusted_documents"
Check = Callable[[str], Sequence[GraphQLError]]
"""Gives what is wrong with a document; raises GraphQLError when it is not GraphQL."""


class Documents:
    """The documents that may be named, and whether others may be sent."""

    def __init__(self, known: Mapping[str, str] = {}, *, only: bool = False) -> None:
        self._known = dict(known)
        self._only = only

    def resolve(self, query: str | None, id: str | None, persisted: object) -> str:
        """The text of the document that a request sends or names. Raises Refused."""
        wanted = _wanted(id, persisted)
        if query:
            digest = _digest(query) if wanted is not None or self._only else None
            if wanted is not None and wanted != digest:
                raise BadRequest("the hash is not that of the query", field="persistedQuery")
            if self._only and digest not in self._known:
                raise Untrusted("this server runs trusted documents only, and this is none of them")
            return query
        if wanted is None:
            raise BadRequest("there is no query", field="query")
        found = self._known.get(wanted)
        if found is None:
            raise UnknownDocument(
                "PersistedQueryNotFound", field="persistedQuery" if id is None else "documentId"
            )
        return found


def load_documents(path: Path, *, only: bool, check: Check) -> Documents:
    """The documents of a folder or file. Raises InvalidInput naming the file and what is wrong in it."""
    try:
        found = list(_folder(path) if path.is_dir() else _file(path))
    except OSError as error:
        raise InvalidInput(f"{_SETTING}: {path} cannot be read: {error.strerror}", field=_SETTING) from error
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{_SETTING}: a document in {path} is not UTF-8", field=_SETTING) from error
    for place, text in found:
        try:
            problems = check(text)
        except GraphQLError as error:
            problems = [error]
        if problems:
            where = f", line {problems[0].locations[0].line}" if problems[0].locations else ""
            raise InvalidInput(f"{_SETTING}: {place}{where}: {problems[0].message}", field=_SETTING)
    return Documents({_digest(text): text for _, text in found}, only=only)


def _folder(path: Path) -> Iterator[tuple[str, str]]:
    for file in sorted(path.rglob("*.graphql")):
        # As bytes, since reading text would make other line ends of those that the client hashes.
        yield str(file), file.read_bytes().decode()


def _file(path: Path) -> Iterator[tuple[str, str]]:
    try:
        entries = decode_json(path.read_bytes())
    except ValueError as error:
        raise InvalidInput(f"{_SETTING}: {path} is not JSON: {error}", field=_SETTING) from error
    if not isinstance(entries, dict):
        raise InvalidInput(f"{_SETTING}: {path} is not an object of documents by SHA-256", field=_SETTING)
    for id, text in entries.items():
        if not isinstance(text, str) or _bare(id) != _digest(text):
            raise InvalidInput(
                f"{_SETTING}: {path}: {id[:80]!r} is not the SHA-256 of its document", field=_SETTING
            )
        yield f"{path}: {id}", text


def _wanted(id: str | None, persisted: object) -> str | None:
    if id is not None:
        return _bare(id)
    if isinstance(persisted, dict) and isinstance(found := persisted.get("sha256Hash"), str):
        return _bare(found)
    if persisted is not None:
        raise BadRequest("extensions.persistedQuery has to have a sha256Hash", field="persistedQuery")
    return None


def _bare(id: str) -> str:
    return id.removeprefix(_PREFIX).lower()


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
