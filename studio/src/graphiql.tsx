import 'graphiql/setup-workers/vite';
import 'graphiql/style.css';
import { createGraphiQLFetcher } from '@graphiql/toolkit';
import { GraphiQL, HISTORY_PLUGIN } from 'graphiql';
import { createRoot } from 'react-dom/client';
import { token } from './live/token';
import { TokenPrompt } from './parts/token';
import { NEWEST_QUERY, WATCH_SUBSCRIPTION, WATCH_VARIABLES } from './example';

const http = new URL('/graphql', window.location.href);
const socket = new URL('/graphql', window.location.href);
socket.protocol = http.protocol === 'https:' ? 'wss:' : 'ws:';

const fetcher = createGraphiQLFetcher({
  url: http.href,
  subscriptionUrl: socket.href,
  wsConnectionParams: token.headers(),
  headers: token.headers(),
  fetch: async (input, init) => {
    const response = await fetch(input, init);
    if (response.status === 401) token.refused();
    return response;
  },
});

createRoot(document.getElementById('root')!).render(
  <>
    <TokenPrompt />
    <GraphiQL
      fetcher={fetcher}
      defaultTabs={[{ query: NEWEST_QUERY }, { query: WATCH_SUBSCRIPTION, variables: WATCH_VARIABLES }]}
      plugins={[HISTORY_PLUGIN]}
      defaultEditorToolsVisibility="variables"
    >
      <GraphiQL.Logo>
        <a href="/" className="graphiql-home">
          graphql-runs
        </a>
      </GraphiQL.Logo>
    </GraphiQL>
  </>,
);
