// Apollo Client: queries and mutations by POST, subscriptions over WebSocket.
import { ApolloClient, ApolloLink, HttpLink, InMemoryCache, gql } from '@apollo/client';
import { GraphQLWsLink } from '@apollo/client/link/subscriptions';
import { OperationTypeNode } from 'graphql';
import { createClient } from 'graphql-ws';
import { scenario } from './scenario.js';

await scenario(({ url, ws, headers }) => {
  const socket = createClient({ url: ws, connectionParams: headers, retryAttempts: 0 });
  const client = new ApolloClient({
    cache: new InMemoryCache(),
    link: ApolloLink.split(
      ({ operationType }) => operationType === OperationTypeNode.SUBSCRIPTION,
      new GraphQLWsLink(socket),
      new HttpLink({ uri: url, headers }),
    ),
  });
  return {
    ask: async (query, variables) => {
      const document = gql(query);
      const { data } = query.startsWith('mutation')
        ? await client.mutate({ mutation: document, variables })
        : await client.query({ query: document, variables, fetchPolicy: 'network-only' });
      return data;
    },
    follow: (query, variables, sink) => {
      const following = client.subscribe({ query: gql(query), variables }).subscribe({
        next: ({ data, error }) => (error ? sink.error(error) : sink.next(data)),
        error: sink.error,
        complete: sink.complete,
      });
      return () => following.unsubscribe();
    },
    close: () => socket.dispose(),
  };
});
