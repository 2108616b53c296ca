// The npm client graphql-sse, in the mode of distinct connections: every operation is an event stream.
import { createClient } from 'graphql-sse';
import { scenario } from './scenario.js';

await scenario(({ url, headers }) => {
  const client = createClient({ url, headers, singleConnection: false, retryAttempts: 0 });
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
