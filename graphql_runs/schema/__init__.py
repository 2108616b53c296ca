"""The GraphQL API: types, thin resolvers, loaders, limits and error masking. What they show is computed in `read/`."""
