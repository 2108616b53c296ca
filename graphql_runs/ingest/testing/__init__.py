"""For authors of plugins: the contract kit, and what it is made of. Needs pytest; nothing of the server imports it."""

from graphql_runs.ingest.testing.contract import IngesterContract
from graphql_runs.ingest.testing.memory import MemoryRecords
from graphql_runs.ingest.testing.reading import Content, content_of, read, units_of
from graphql_runs.ingest.testing.remote import RemoteContract

__all__ = ["Content", "IngesterContract", "MemoryRecords", "RemoteContract", "content_of", "read", "units_of"]
