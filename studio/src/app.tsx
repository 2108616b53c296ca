import { useEffect } from 'react';
import { useQuery } from 'urql';
import { connection, errorText } from './live/client';
import { useVersion } from './live/emitter';
import { workspacesQuery } from './operations';
import { Empty, Link } from './parts/basics';
import { TokenPrompt } from './parts/token';
import { navigate, useRoute, workspacePath } from './router';
import { PlaceView } from './views/place';
import { RunView } from './views/run';
import { WorkspaceView } from './views/workspace';
import mark from './mark.svg';

const PREFERRED = 'default';
const RETRY_MS = 3_000;

export function App() {
  const route = useRoute();
  const [{ data, error }, ask] = useQuery({ query: workspacesQuery });
  const workspaces = data?.workspaces.nodes ?? [];
  const waiting = data === undefined || (route.view === 'workspace' && workspaces.length === 0);
  useEffect(() => {
    if (!waiting) return undefined;
    const timer = setInterval(() => ask({ requestPolicy: 'network-only' }), RETRY_MS);
    return () => clearInterval(timer);
  }, [waiting, ask]);
  const preferred = workspaces.find((workspace) => workspace.name === PREFERRED) ?? workspaces[0];
  const current = route.view === 'workspace' ? (route.workspace ?? preferred?.name) : undefined;

  return (
    <>
      <header className="top">
        <Link href="/" className="brand">
          <img src={mark} alt="" width="20" height="20" />
          graphql-runs
        </Link>
        {workspaces.length > 1 && (
          <select
            aria-label="Workspace"
            value={current ?? ''}
            onChange={(event) => navigate(workspacePath(event.target.value))}
          >
            {current === undefined && <option value="">Workspaces</option>}
            {workspaces.map((workspace) => (
              <option key={workspace.id}>{workspace.name}</option>
            ))}
          </select>
        )}
        <span className="grow" />
        <a href="/graphql">GraphiQL</a>
        {data && <span className="muted version">{data.server.version}</span>}
      </header>
      <ConnectionBanner />
      <TokenPrompt />
      <main>
        {route.view === 'run' && <RunView key={route.id} id={route.id} />}
        {route.view === 'workspace' && current !== undefined && (
          <WorkspaceView key={current} name={current} search={route.search} />
        )}
        {route.view === 'workspace' && current === undefined && data && <NoWorkspace />}
        {route.view === 'workspace' && error?.graphQLErrors.length ? (
          <p className="error-line">{errorText(error)}</p>
        ) : null}
        {route.view === 'place' && <PlaceView key={route.id} id={route.id} />}
        {route.view === 'unknown' && (
          <Empty title="There is no such page">
            <p>
              <code>{route.path}</code> is not a page of this server. <Link href="/">See all runs</Link>
            </p>
          </Empty>
        )}
      </main>
    </>
  );
}

function NoWorkspace() {
  return (
    <Empty title="Nothing here yet">
      <p>A workspace appears with its first run. Point the server at a folder where jobs write:</p>
      <pre>uv run graphql-runs serve PATH</pre>
      <p>
        Or call <code>createRun</code> and <code>record</code> in <a href="/graphql">GraphiQL</a>.
      </p>
    </Empty>
  );
}

function ConnectionBanner() {
  useVersion(connection);
  if (connection.online) return null;
  return (
    <div className="banner" role="alert">
      The server does not answer. What you see may be old; it goes on from there as soon as the server is
      back.
    </div>
  );
}
