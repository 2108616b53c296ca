import 'graphiql/setup-workers/vite';
import 'graphiql/style.css';
import { createGraphiQLFetcher } from '@graphiql/toolkit';
import { GraphiQL, HISTORY_PLUGIN } from 'graphiql';
import { createRoot } from 'react-dom/client';

const http = new URL('/graphql', window.location.href);
const socket = new URL('/graphql', window.location.href);
socket.protocol = http.protocol === 'https:' ? 'wss:' : 'ws:';

const fetcher = createGraphiQLFetcher({ url: http.href, subscriptionUrl: socket.href });

const FIRST = `# The newest runs of every workspace. Ctrl-Enter sends it; ⇧-Ctrl-P lists what else the editor can do.
query Newest {
  runs(first: 10, orderBy: [{ by: { field: CREATED_AT }, direction: DESC }]) {
    totalCount
    nodes {
      id
      displayName
      status
      duration
      metrics(first: 5) {
        nodes {
          name
          summary { count last min max }
        }
      }
    }
  }
}

# Paste an id from above and watch it: what changes in the run and below it, as it happens.
subscription Watch($run: ID!) {
  runTree(run: $run) {
    cursor
    caughtUp
    runs { displayName status }
    metrics { name start values }
    logs { path text }
  }
}
`;

createRoot(document.getElementById('root')!).render(
  <GraphiQL fetcher={fetcher} defaultQuery={FIRST} plugins={[HISTORY_PLUGIN]} defaultEditorToolsVisibility="variables">
    <GraphiQL.Logo>
      <a href="/" className="graphiql-home">
        graphql-runs
      </a>
    </GraphiQL.Logo>
  </GraphiQL>,
);
