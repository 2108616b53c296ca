import 'graphiql/setup-workers/vite';
import 'graphiql/style.css';
import { createGraphiQLFetcher } from '@graphiql/toolkit';
import { GraphiQL, HISTORY_PLUGIN } from 'graphiql';
import { createRoot } from 'react-dom/client';
import { FIRST_QUERY } from './example';

const http = new URL('/graphql', window.location.href);
const socket = new URL('/graphql', window.location.href);
socket.protocol = http.protocol === 'https:' ? 'wss:' : 'ws:';

const fetcher = createGraphiQLFetcher({ url: http.href, subscriptionUrl: socket.href });

createRoot(document.getElementById('root')!).render(
  <GraphiQL fetcher={fetcher} defaultQuery={FIRST_QUERY} plugins={[HISTORY_PLUGIN]} defaultEditorToolsVisibility="variables">
    <GraphiQL.Logo>
      <a href="/" className="graphiql-home">
        graphql-runs
      </a>
    </GraphiQL.Logo>
  </GraphiQL>,
);
