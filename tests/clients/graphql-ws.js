// The npm client graphql-ws: everything over one WebSocket.
import { createClient } from 'graphql-ws';
import { scenario } from './scenario.js';

await scenario(({ ws, headers }) => {
  const client = createClient({ url: ws, connectionParams: headers, lazy: true, retryAttempts: 0 });
  const follow = (query, variables, sink) =>
    client.subscribe(
      { query, variables },
      {
        next: ({ data, errors }) => (errors ? sink.error(errors) : sink.next(data)),
        error: sink.error,
        complete: sink.complete,
      },
    );
  return {
    follow,
    ask: (query, variables) =>
      new Promise((resolve, reject) => {
        let found;
        follow(query, variables, { next: (data) => (found = data), error: reject, complete: () => resolve(found) });
      }),
    close: () => client.dispose(),
  };
});
