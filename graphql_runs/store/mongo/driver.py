"""The only file that imports the MongoDB driver (docs/decisions/0004-motor-and-its-successor.md).

Small operations on named collections with the errors of `model.errors`. Every command has a time limit, writes wait until a
majority has them in its journal, and reads see only what a majority has. Trouble that passes (a lost connection, a primary
that steps down) is waited out for a bounded time wherever doing a thing twice is harmless.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any, TypeVar

import pymongo
from bson.errors import BSONError
from bson.timestamp import Timestamp
from motor.motor_asyncio import AsyncIOMotorClient, AsyncIOMotorCollection, AsyncIOMotorDatabase
from pymongo.errors import (
    BulkWriteError,
    ConfigurationError,
    ConnectionFailure,
    DocumentTooLarge,
    DuplicateKeyError,
    ExecutionTimeout,
    InvalidURI,
    OperationFailure,
    PyMongoError,
    WriteConcernError,
)
from pymongo.read_concern import ReadConcern
from pymongo.read_preferences import ReadPreference
from pymongo.results import UpdateResult
from pymongo.write_concern import WriteConcern

from graphql_runs.model.errors import InvalidInput, LimitExceeded, StoreUnavailable
from graphql_runs.store.mongo.operations import (
    Change,
    Clear,
    Document,
    Drop,
    Index,
    Query,
    Replace,
    Sort,
    Write,
)
from graphql_runs.store.mongo.patience import passing_trouble, steadily, uncut

T = TypeVar("T")

DATABASE = "graphql_runs"
"""Where an address names no database."""
LONGEST_SECONDS = 10
"""The time limit of one command, with all that the driver does to carry it out."""
PATIENCE_SECONDS = 10.0
"""How long passing trouble is waited out."""
PING_SECONDS = 3
"""How long a server may take to say that it is there."""

_DUPLICATE_KEY = 11000
_COMMAND_NOT_FOUND = 59
# https://github.com/mongodb/mongo/blob/master/src/mongo/base/error_codes.yml
_TOO_MUCH_MEMORY = frozenset({146, 292})
_TOO_LARGE = frozenset({10334, 17280})
_CANNOT_NOW = frozenset({13, 18, 6000, 8000, 14031})
_PASSING = (ConnectionFailure, WriteConcernError)


class Driver:
    """One database of one server or cluster."""

    def __init__(
        self, client: AsyncIOMotorClient[Document], name: str, patience: float = PATIENCE_SECONDS
    ) -> None:
        """Over a client that is connected or connects by itself."""
        self._client = client
        self._patience = patience
        self._name = name
        self._closed = False
        self._database = self._at_majority(None)

    @classmethod
    def connect(cls, address: str, *, patience: float = PATIENCE_SECONDS) -> Driver:
        """For an address `mongodb://…` or `mongodb+srv://…`; the database is the one it names, or `graphql_runs`.

        Options of the address go before ours. Raises InvalidInput when it is not understood. Nothing is sent yet.
        """
        defaults: dict[str, Any] = {
            "timeoutMS": LONGEST_SECONDS * 1000,
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
        self._closed = True
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
        self._check_open()
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
            return await self._steadily(call) if again else await self._once(call)
        except LimitExceeded as error:
            if isinstance(error.__cause__, ExecutionTimeout):
                raise StoreUnavailable("MongoDB took too long for a write") from error.__cause__
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
        return await self._alter(
            lambda: self._collection(collection).update_one(query, change, upsert=make), again=again
        )

    async def replace(self, collection: str, query: Query, document: Document, *, again: bool = True) -> bool:
        """Put a document in the place of another. False when none was found, or a unique key was taken."""
        return await self._alter(
            lambda: self._collection(collection).replace_one(query, document), again=again
        )

    async def _alter(self, call: Callable[[], Awaitable[UpdateResult]], *, again: bool) -> bool:
        async def found() -> bool:
            try:
                result = await call()
            except DuplicateKeyError:
                return False
            return result.matched_count > 0 or result.upserted_id is not None

        return await self.write(found, again=again)

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
        with pymongo.timeout(PING_SECONDS):
            await self._once(lambda: self._database.command("ping"))

    @contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """Everything in the block together may take so long. Raises LimitExceeded when the server took longer."""
        with pymongo.timeout(seconds):
            yield

    def read_majority(self) -> None:
        """Read only what a majority has, from now on."""
        self._database = self._at_majority(ReadConcern("majority"))

    async def command(self, command: str | Query) -> Document | None:
        """Run a command of the database; None when the server does not know it."""
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

    async def hello(self) -> Document:
        """What the server says of itself; empty for a stand-in that says nothing."""
        return await self.command("hello") or await self.command("isMaster") or {}

    async def watches(self, collection: str) -> bool:
        """The server can give a change stream."""
        try:
            async with self.watch(collection, [], 0.001):
                return True
        except (OperationFailure, NotImplementedError, KeyError):  # the last two from stand-ins for tests
            return False

    async def ensure_indexes(self, collection: str, indexes: Sequence[Index], retired: Sequence[str]) -> None:
        """Create the indexes that are missing, drop the retired ones, and see that all are there. Raises StoreUnavailable when
        one is not as wanted."""
        models = [_index(index) for index in indexes]

        async def call() -> None:
            with pymongo.timeout(None):  # on a large collection it takes as long as it takes
                await self._collection(collection).create_indexes(models)

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
        for name in there.keys() & set(retired):
            with suppress(OperationFailure):  # another process was faster
                await self._collection(collection).drop_index(name)

    @asynccontextmanager
    async def watch(
        self, collection: str, pipeline: Sequence[Query], wait_seconds: float
    ) -> AsyncIterator[Callable[[], Awaitable[Document | None]]]:
        """A change stream: a call gives the next event, or None when there was none for `wait_seconds`."""
        with _translated():
            hello = await self.hello()
            # From now on by the server's clock; without it there is a gap until the first answer.
            now = hello.get("operationTime") or Timestamp(int(hello["localTime"].timestamp()), 1)
            async with self._collection(collection).watch(
                list(pipeline), start_at_operation_time=now, max_await_time_ms=int(wait_seconds * 1000)
            ) as stream:

                async def following() -> Document | None:
                    with _translated():
                        # To its end even if nobody waits any more: a thread is busy with it, and closing has to wait.
                        return await uncut(stream.try_next())

                yield following

    # Inside

    def _at_majority(self, reads: ReadConcern | None) -> AsyncIOMotorDatabase[Document]:
        return self._client.get_database(
            self._name,
            write_concern=WriteConcern(w="majority", j=True),
            read_preference=ReadPreference.PRIMARY,
            read_concern=reads,
        )

    def _collection(self, name: str) -> AsyncIOMotorCollection[Document]:
        return self._database[name]

    async def _once(self, call: Callable[[], Awaitable[T]]) -> T:
        self._check_open()
        with _translated():
            return await call()

    def _check_open(self) -> None:
        if self._closed:
            raise StoreUnavailable("the store is closed")

    async def _steadily(self, call: Callable[[], Awaitable[T]]) -> T:
        return await steadily(lambda: self._once(call), self._patience)


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
            return LimitExceeded("the database took too long")
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
        return passing_trouble(error)
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


def _index(index: Index) -> pymongo.IndexModel:
    options = {"unique": index.unique, "sparse": index.sparse, "partialFilterExpression": index.only}
    given = {name: value for name, value in options.items() if value}
    return pymongo.IndexModel(list(index.keys), name=index.name, **given)


def _request(
    write: Write,
) -> pymongo.ReplaceOne[Document] | pymongo.UpdateOne | pymongo.DeleteOne | pymongo.DeleteMany:
    match write:
        case Replace(query, document, make):
            return pymongo.ReplaceOne(query, document, upsert=make)
        case Change(query, change, make):
            return pymongo.UpdateOne(query, change, upsert=make)
        case Drop(query):
            return pymongo.DeleteOne(query)
        case Clear(query):
            return pymongo.DeleteMany(query)


def _projection(fields: Sequence[str] | None) -> dict[str, int] | None:
    return None if fields is None else dict.fromkeys(fields, 1)
