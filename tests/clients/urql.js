// urql: everything by fetch, subscriptions as event streams.
import { Client, fetchExchange } from '@urql/core';
import { pipe, subscribe, onEnd } from 'wonka';
import { scenario } from './scenario.js';

await scenario(({ url, headers }) => {
  const client = new Client({
    url,
    preferGetMethod: false,
    requestPolicy: 'network-only',
    exchanges: [fetchExchange],
    fetchSubscriptions: true,
    fetchOptions: { headers },
  });
  return {
    ask: async (query, variables) => {
      const found = await (query.startsWith('mutation')
        ? client.mutation(query, variables)
        : client.query(query, variables)
      ).toPromise();
      if (found.error) throw found.error;
      return found.data;
    },
    follow: (query, variables, sink) => {
      let last;
      const { unsubscribe } = pipe(
        client.subscription(query, variables),
        onEnd(() => sink.complete()),
        subscribe(({ data, error }) => {
          if (error) sink.error(error);
          // In the end urql gives its last result again, marked as the last one.
          else if (data !== last) sink.next((last = data));
        }),
      );
      return unsubscribe;
    },
  };
});
