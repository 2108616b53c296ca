"""Reading: functions over a store that compute what people look at. They never write, and know nothing of GraphQL."""

from graphql_runs.store.port import Store as Store
