"""The only file that imports the MongoDB driver (docs/decisions/0004-motor-and-its-successor.md).

Small operations on named collections with the errors of `model.errors`. Every command has a time limit, writes wait until a
majority has them in its journal, and reads see only what a majority has. Trouble that passes (a lost connection, a primary
that steps down) is waited out for a bounded time wherever doing a thing twice is harmless.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import pymongo
from bson.errors import BSONError
from bson.timestamp import Timestamp
from motor.motor_asyncio import AsyncIOMotorClient, AsyncIOMotorCollection
from pymongo.errors import (
    AutoReconnect,
    BulkWriteError,
    ConfigurationError,
    ConnectionFailure,
    DocumentTooLarge,
    DuplicateKeyError,
    ExecutionTimeout,
    InvalidURI,
    NetworkTimeout,
    OperationFailure,
    PyMongoError,
    WriteConcernError,
    WTimeoutError,
)
from pymongo.read_concern import ReadConcern
from pymongo.read_preferences import ReadPreference
from pymongo.write_concern import WriteConcern

from graphql_runs.model.errors import InvalidInput, LimitExceeded, StoreUnavailable

T = TypeVar("T")
Document = dict[str, Any]
Query = Mapping[str, Any]
Sort = Sequence[tuple[str, int]]

DATABASE = "graphql_runs"
"""Where an address names no database."""
LONGEST_SECONDS = 30
"""The time limit of one command."""
PATIENCE_SECONDS = 10.0
"""How long passing trouble is waited out."""

_SELECTION_MILLISECONDS = 3000
_FIRST_PAUSE, _LONGEST_PAUSE = 0.02, 0.5
_DUPLICATE_KEY = 11000
_COMMAND_NOT_FOUND = 59
_NOT_A_REPLICA_SET = frozenset({40573, 40415, 59, 115})
# https://github.com/mongodb/mongo/blob/master/src/mongo/base/error_codes.yml
_TOO_MUCH_MEMORY = frozenset({146, 292})
_TOO_LARGE = frozenset({10334, 17280})
_CANNOT_NOW = frozenset({13, 18, 6000, 8000, 14031})
_PASSING = (
    AutoReconnect,
    ConnectionFailure,
    NetworkTimeout,
    WTimeoutError,
    WriteConcernError,
    pymongo.errors.WaitQueueTimeoutError,
)


@dataclass(frozen=True, slots=True)
class Replace:
    """Put a document in the place of the one that the query finds; make it if there is none and `make` is set."""

    query: Query
    document: Document
    make: bool = False


@dataclass(frozen=True, slots=True)
class Change:
    """Change the document that the query finds by update operators; make it if there is none and `make` is set."""

    query: Query
    change: Query
    make: bool = False


@dataclass(frozen=True, slots=True)
class Drop:
    """Delete the document that the query finds."""

    query: Query


Write = Replace | Change | Drop


@dataclass(frozen=True, slots=True)
class Index:
    """An index: fields with 1 or -1 in order; `only` restricts it to documents that match."""

    name: str
    keys: tuple[tuple[str, int], ...]
    unique: bool = False
    sparse: bool = False
    only: Query | None = None


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """What the server says of itself."""

    version: str
    topology: str
    """`standalone`, `replica set` or `sharded cluster`."""
    transactions: bool
    explain: bool
    change_streams: bool
    uuids: bool
    """Collections have an identity that a copy does not share."""


class Driver:
    """One database of one server or cluster."""

    def __init__(
        self, client: AsyncIOMotorClient[Document], name: str, patience: float = PATIENCE_SECONDS
    ) -> None:
        """Over a client that is connected or connects by itself."""
        self._client = client
        self._patience = patience
        self._name = name
        self._set_concern(majority_reads=False)

    @classmethod
    def connect(cls, address: str, *, patience: float = PATIENCE_SECONDS) -> Driver:
        """For an address `mongodb://…` or `mongodb+srv://…`; the database is the one it names, or `graphql_runs`.

        Options of the address go before ours. Raises InvalidInput when it is not understood. Nothing is sent yet.
        """
        defaults: dict[str, Any] = {
            "timeoutMS": LONGEST_SECONDS * 1000,
            "serverSelectionTimeoutMS": _SELECTION_MILLISECONDS,
            "retryWrites": True,
            "appName": "graphql-runs",
            "tz_aware": True,
        }
        try:
            given = {
                name.lower() for name in pymongo.uri_parser.parse_uri(address, validate=False)["options"]
            }
            options = {name: value for name, value in defaults.items() if name.lower() not in given}
            client: AsyncIOMotorClient[Document] = AsyncIOMotorClient(address, **options)
            name = client.get_default_database(DATABASE).name
        except (InvalidURI, ConfigurationError, ValueError, TypeError) as error:
            raise InvalidInput(f"the store's address is not understood: {error}", field="store") from error
        return cls(client, name, patience)

    @property
    def name(self) -> str:
        """The database's name."""
        return self._name

    def close(self) -> None:
        """Let go of all connections."""
        self._client.close()

    # Reads

    async def find(
        self,
        collection: str,
        query: Query,
        *,
        fields: Sequence[str] | None = None,
        sort: Sort | None = None,
        limit: int = 0,
    ) -> list[Document]:
        """All documents that match, at most `limit` if it is not 0."""

        async def read() -> list[Document]:
            cursor = self._collection(collection).find(query, _projection(fields), limit=limit)
            found: list[Document] = await (cursor.sort(sort) if sort else cursor).to_list(None)
            return found

        return await self._steadily(read)

    async def find_one(
        self, collection: str, query: Query, *, fields: Sequence[str] | None = None, sort: Sort | None = None
    ) -> Document | None:
        """The first document that matches."""
        found = await self.find(collection, query, fields=fields, sort=sort, limit=1)
        return found[0] if found else None

    async def scan(
        self,
        collection: str,
        query: Query,
        *,
        fields: Sequence[str] | None = None,
        sort: Sort | None = None,
        batch: int = 100,
    ) -> AsyncGenerator[Document]:
        """Documents that match, one by one, read in batches as they are asked for. Close it when it is left early."""
        with _translated():
            cursor = self._collection(collection).find(query, _projection(fields), batch_size=batch)
            if sort:
                cursor = cursor.sort(sort)
            try:
                async for document in cursor:
                    yield document
            finally:
                await cursor.close()

    async def aggregate(self, collection: str, pipeline: Sequence[Query]) -> list[Document]:
        """The documents that a pipeline gives."""

        async def read() -> list[Document]:
            found: list[Document] = await self._collection(collection).aggregate(list(pipeline)).to_list(None)
            return found

        return await self._steadily(read)

    async def count(self, collection: str, query: Query) -> int:
        """How many documents match."""

        async def read() -> int:
            return int(await self._collection(collection).count_documents(query))

        return await self._steadily(read)

    # Writes

    async def write(self, call: Callable[[], Awaitable[T]], *, again: bool) -> T:
        """Every write goes through here. With `again` it is repeated while trouble passes; without, StoreUnavailable means
        that it may have been carried out, or may yet be."""
        try:
            return await self._steadily(call) if again else await _once(call)
        except LimitExceeded as error:
            if isinstance(error.__cause__, ExecutionTimeout):
                raise StoreUnavailable(
                    f"MongoDB took longer than {LONGEST_SECONDS} s for a write"
                ) from error.__cause__
            raise

    async def insert(self, collection: str, documents: Sequence[Document]) -> list[int]:
        """Insert documents; gives the places of those whose key was taken, by themselves after a repetition too."""
        if not documents:
            return []

        async def call() -> list[int]:
            try:
                await self._collection(collection).insert_many(documents, ordered=False)
            except BulkWriteError as error:
                return _duplicates(error)
            return []

        return await self.write(call, again=True)

    async def change(
        self, collection: str, query: Query, change: Query, *, make: bool = False, again: bool = True
    ) -> bool:
        """Change one document by update operators. False when none was found, or when the key of one to make was taken."""

        async def call() -> bool:
            try:
                result = await self._collection(collection).update_one(query, change, upsert=make)
            except DuplicateKeyError:
                return False
            return result.matched_count > 0 or result.upserted_id is not None

        return await self.write(call, again=again)

    async def replace(self, collection: str, query: Query, document: Document, *, again: bool = True) -> bool:
        """Put a document in the place of another. False when none was found, or a unique key was taken."""

        async def call() -> bool:
            try:
                result = await self._collection(collection).replace_one(query, document)
            except DuplicateKeyError:
                return False
            return result.matched_count > 0

        return await self.write(call, again=again)

    async def apply(self, collection: str, writes: Sequence[Write]) -> None:
        """Many writes in any order. One that meets a taken key counts as done."""
        if not writes:
            return
        requests = [_request(write) for write in writes]

        async def call() -> None:
            try:
                await self._collection(collection).bulk_write(requests, ordered=False)
            except BulkWriteError as error:
                _duplicates(error)

        await self.write(call, again=True)

    async def take(self, collection: str, query: Query, change: Query, *, fields: Sequence[str]) -> Document:
        """Change a document, made if missing, and give it as it is afterwards."""

        async def call() -> Document:
            while True:
                try:
                    found: Document = await self._collection(collection).find_one_and_update(
                        query,
                        change,
                        upsert=True,
                        projection=_projection(fields),
                        return_document=pymongo.ReturnDocument.AFTER,
                    )
                except DuplicateKeyError:  # somebody made it at the same time
                    continue
                return found

        return await self.write(call, again=True)

    async def delete(self, collection: str, query: Query) -> int:
        """Delete all documents that match; gives how many."""

        async def call() -> int:
            return int((await self._collection(collection).delete_many(query)).deleted_count)

        return await self.write(call, again=True)

    # The server

    async def ping(self) -> None:
        """Raises StoreUnavailable at once when the server cannot answer."""
        await _once(lambda: self._database.command("ping"))

    async def facts(self) -> ServerFacts:
        """Ask the server what it is, and read by majority from then on where there is one."""
        hello = await self._command("hello") or await self._command("isMaster") or {}
        build = await self._command("buildInfo") or {}
        sharded, member = hello.get("msg") == "isdbgrid", "setName" in hello
        if sharded or member:
            self._set_concern(majority_reads=True)
        explain = await self._command({"explain": {"find": "meta", "filter": {}}})
        listed = await self._command("listCollections") or {}
        collections = listed.get("cursor", {}).get("firstBatch", [])
        return ServerFacts(
            version=str(build.get("version", "unknown")),
            topology="sharded cluster" if sharded else "replica set" if member else "standalone",
            transactions=sharded or member,
            explain=explain is not None,
            change_streams=await self._watches(),
            uuids=any("uuid" in collection.get("info", {}) for collection in collections),
        )

    async def uuid(self, collection: str) -> str | None:
        """The identity of a collection, None where the server gives none."""
        listed = await self._command({"listCollections": 1, "filter": {"name": collection}}) or {}
        for found in listed.get("cursor", {}).get("firstBatch", []):
            uuid = found.get("info", {}).get("uuid")
            if found["name"] == collection and uuid is not None:
                return uuid.hex() if isinstance(uuid, bytes) else str(uuid)
        return None

    async def explain(self, command: Query) -> Document:
        """How the server would carry out a `find`, `count` or `aggregate` command."""
        found: Document = await _once(
            lambda: self._database.command({"explain": command, "verbosity": "queryPlanner"})
        )
        return found

    async def ensure_indexes(self, collection: str, indexes: Sequence[Index]) -> None:
        """Create the indexes that are missing, and see that all are there. Raises StoreUnavailable when one is not as wanted."""

        async def call() -> None:
            with pymongo.timeout(None):  # on a large collection it takes as long as it takes
                for index in indexes:
                    options: dict[str, Any] = {"name": index.name}
                    options |= {"unique": True} if index.unique else {}
                    options |= {"sparse": True} if index.sparse else {}
                    options |= {"partialFilterExpression": index.only} if index.only is not None else {}
                    await self._collection(collection).create_index(list(index.keys), **options)

        try:
            await self._steadily(call)
        except OperationFailure as error:
            raise StoreUnavailable(f"an index of {collection} cannot be made: {error.details}") from error
        there = await self._steadily(lambda: self._collection(collection).index_information())
        for index in indexes:
            if list(there.get(index.name, {}).get("key", [])) != list(index.keys):
                raise StoreUnavailable(
                    f"the index {index.name} of {collection} is not as this version needs it"
                )

    @asynccontextmanager
    async def watch(
        self, collection: str, pipeline: Sequence[Query], wait_seconds: float
    ) -> AsyncIterator[Callable[[], Awaitable[Document | None]]]:
        """A change stream: a call gives the next event, or None when there was none for `wait_seconds`."""
        with _translated():
            hello = await self._command("hello") or await self._command("isMaster") or {}
            # From now on by the server's clock; without it there is a gap until the first answer.
            now = hello.get("operationTime") or Timestamp(int(hello["localTime"].timestamp()), 1)
            async with self._collection(collection).watch(
                list(pipeline), start_at_operation_time=now, max_await_time_ms=int(wait_seconds * 1000)
            ) as stream:

                async def following() -> Document | None:
                    with _translated():
                        event: Document | None = await stream.try_next()
                        return event

                yield following

    # Inside

    def _set_concern(self, *, majority_reads: bool) -> None:
        self._database = self._client.get_database(
            self._name,
            write_concern=WriteConcern(w="majority", j=True),
            read_preference=ReadPreference.PRIMARY,
            read_concern=ReadConcern("majority") if majority_reads else None,
        )

    def _collection(self, name: str) -> AsyncIOMotorCollection[Document]:
        return self._database[name]

    async def _command(self, command: str | Query) -> Document | None:
        """None when the server does not know the command."""
        try:
            found: Document = await self._steadily(
                lambda: self._database.command(dict(command) if isinstance(command, Mapping) else command)
            )
        except OperationFailure as error:
            if error.code == _COMMAND_NOT_FOUND:
                return None
            raise
        except NotImplementedError:  # of a stand-in for tests
            return None
        return found

    async def _watches(self) -> bool:
        try:
            async with self.watch("tree", [], 0.001):
                return True
        except OperationFailure as error:
            if error.code in _NOT_A_REPLICA_SET:
                return False
            raise
        except (NotImplementedError, KeyError):  # of a stand-in for tests
            return False

    async def _steadily(self, call: Callable[[], Awaitable[T]]) -> T:
        """Again and again while trouble passes, for a bounded time."""
        deadline = time.monotonic() + self._patience
        pause = _FIRST_PAUSE
        while True:
            try:
                return await _once(call)
            except StoreUnavailable as error:
                if not isinstance(error.__cause__, _PASSING) or time.monotonic() + pause > deadline:
                    raise
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)


async def _once(call: Callable[[], Awaitable[T]]) -> T:
    with _translated():
        return await call()


@contextmanager
def _translated() -> Iterator[None]:
    """Raise the driver's errors in our words."""
    try:
        yield
    except Exception as error:
        ours = _ours(error)
        if ours is None:
            raise
        raise ours from error


def _ours(error: Exception) -> Exception | None:
    match error:
        case ExecutionTimeout():
            return LimitExceeded(f"the database took longer than {LONGEST_SECONDS} s")
        case DocumentTooLarge():
            return LimitExceeded("the batch is larger than the 16 MiB that MongoDB takes at once")
        case BulkWriteError():
            return StoreUnavailable(f"MongoDB did not take a write: {error.details}")
        case OperationFailure() if error.code in _TOO_LARGE:
            return LimitExceeded("the batch is larger than the 16 MiB that MongoDB takes at once")
        case OperationFailure() if error.code in _TOO_MUCH_MEMORY:
            return LimitExceeded("the database needs too much memory for this query")
        case OperationFailure() if error.code in _CANNOT_NOW:
            return StoreUnavailable(f"MongoDB refuses: {error}")
        case UnicodeEncodeError():
            return InvalidInput(f"text is not valid Unicode: {error.reason}")
        case BSONError() | OverflowError():
            return InvalidInput(f"a value cannot be stored: {error}")
    if isinstance(error, _PASSING) or (isinstance(error, PyMongoError) and error.timeout):
        return StoreUnavailable(f"MongoDB cannot answer now: {error}")
    return None


def _duplicates(error: BulkWriteError) -> list[int]:
    """The places of writes that met a taken key. Raises the error when it is about anything else."""
    details = error.details or {}
    errors = details.get("writeErrors", [])
    if details.get("writeConcernErrors"):
        raise WriteConcernError(str(details["writeConcernErrors"]), details=details) from error
    if any(one.get("code") != _DUPLICATE_KEY for one in errors):
        raise error
    return [one["index"] for one in errors]


def _request(write: Write) -> pymongo.ReplaceOne[Document] | pymongo.UpdateOne | pymongo.DeleteOne:
    match write:
        case Replace(query, document, make):
            return pymongo.ReplaceOne(query, document, upsert=make)
        case Change(query, change, make):
            return pymongo.UpdateOne(query, change, upsert=make)
        case Drop(query):
            return pymongo.DeleteOne(query)


def _projection(fields: Sequence[str] | None) -> dict[str, int] | None:
    return None if fields is None else dict.fromkeys(fields, 1)
