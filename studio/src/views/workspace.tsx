import { useEffect, useMemo, useState } from 'react';
import { useClient } from 'urql';
import { useVersion } from '../live/emitter';
import { RunList } from '../live/list';
import type { ListQuery } from '../live/list';
import type { ClusterFacts, RunRow } from '../operations';
import { classOf, runLabel, statusLabel, statusTone } from '../live/status';
import { Badge, Empty, Link, Section, useNow } from '../parts/basics';
import { RunTable } from '../parts/runtable';
import { Sources } from '../parts/sources';
import type { Sort, SortKey } from '../parts/runtable';
import { navigate, runPath, workspacePath } from '../router';

const TYPING_MS = 250;
const KEYS = ['q', 'status', 'experiment', 'cluster', 'sort'] as const;
type Chosen = Partial<Record<(typeof KEYS)[number], string>>;

function chosenIn(search: URLSearchParams): Chosen {
  return Object.fromEntries(KEYS.flatMap((key) => (search.get(key) ? [[key, search.get(key)!]] : [])));
}

function sortOf(chosen: Chosen): Sort {
  const text = chosen.sort ?? '-CREATED_AT';
  return { by: text.replace('-', '') as SortKey, direction: text.startsWith('-') ? 'DESC' : 'ASC' };
}

/** What the user chose, as the API asks for it. Whole trees are listed until something is searched for. */
function listQuery(workspace: string, chosen: Chosen): ListQuery {
  const text = chosen.q && `%${chosen.q.replaceAll(/[\\%_]/g, '\\$&')}%`;
  const narrowed = [
    ...(text ? [{ or: [{ displayName: { ilike: text } }, { name: { ilike: text } }] }] : []),
    ...(chosen.experiment ? [{ experiment: { eq: chosen.experiment } }] : []),
    ...(chosen.cluster ? [{ cluster: { eq: chosen.cluster } }] : []),
  ];
  const flat = isFlat(chosen);
  const { by, direction } = sortOf(chosen);
  return {
    workspace,
    counted: { and: narrowed },
    filter: {
      and: [
        ...narrowed,
        ...(chosen.status ? [{ status: { eq: chosen.status as RunRow['status'] } }] : []),
        ...(flat ? [] : [{ parent: { exists: false } }]),
      ],
    },
    orderBy: [
      ...(by === 'NAME' ? [{ by: { field: 'DISPLAY_NAME' as const }, direction }] : []),
      { by: { field: by }, direction },
    ],
  };
}

function isFlat(chosen: Chosen): boolean {
  return Boolean(chosen.q || chosen.status || chosen.cluster);
}

export function WorkspaceView({ name, search }: { name: string; search: URLSearchParams }) {
  const client = useClient();
  const list = useMemo(() => new RunList(client), [client]);
  useVersion(list);
  const now = useNow();
  const key = search.toString();
  const chosen = chosenIn(search);
  useEffect(() => {
    list.open(listQuery(name, chosenIn(new URLSearchParams(key))));
    return () => list.close();
  }, [list, name, key]);
  useEffect(() => {
    document.title = `${name} · graphql-runs`;
  }, [name]);
  const choose = (change: Chosen) => {
    const next = Object.fromEntries(
      Object.entries({ ...chosen, ...change }).filter((pair): pair is [string, string] => Boolean(pair[1])),
    );
    navigate(workspacePath(name, next), 'replace');
  };
  const onSight = useMemo(() => (runs: RunRow[]) => list.inSight(runs), [list]);
  const rows = list.listed();

  if (list.missing)
    return (
      <Empty title={`There is no workspace “${name}”`}>
        <p>Choose another one above, or let a run create it.</p>
      </Empty>
    );
  return (
    <>
      <Clusters clusters={list.clusters} workspace={name} />
      <Section
        title="Runs"
        count={list.loaded ? list.total : undefined}
        extra={<Filters list={list} chosen={chosen} choose={choose} />}
      >
        {list.error && <p className="error-line">{list.error}</p>}
        {rows.length > 0 && (
          <RunTable
            rows={rows}
            now={now}
            primary={(run) => list.primary.get(run.id)}
            flat={isFlat(chosen)}
            placeHref={(place) => workspacePath(name, place)}
            sort={sortOf(chosen)}
            onSort={({ by, direction }) => choose({ sort: (direction === 'DESC' ? '-' : '') + by })}
            onToggle={(id) => list.toggle(id)}
            onSight={onSight}
          />
        )}
        {!list.loaded && rows.length === 0 && <p className="loading">Loading runs…</p>}
        {list.loaded && rows.length === 0 && (
          <NoRuns filtered={key !== ''} clear={() => navigate(workspacePath(name))} />
        )}
        {list.hasMore && (
          <button className="more" onClick={() => void list.more()}>
            Load more
          </button>
        )}
      </Section>
      <Sources sources={list.sources} />
    </>
  );
}

function Filters({
  list,
  chosen,
  choose,
}: {
  list: RunList;
  chosen: Chosen;
  choose: (change: Chosen) => void;
}) {
  const [text, setText] = useState(chosen.q ?? '');
  useEffect(() => {
    if (text === (chosen.q ?? '')) return undefined;
    const timer = setTimeout(() => choose({ q: text }), TYPING_MS);
    return () => clearTimeout(timer);
  }, [text]);
  useEffect(() => setText(chosen.q ?? ''), [chosen.q]);
  return (
    <div className="filters">
      <div className="chips" role="group" aria-label="Status">
        {list.counts.map(({ status, count }) => (
          <button
            key={status}
            className={`chip ${statusTone({ status, statusClass: classOf(status), stale: false })}`}
            aria-pressed={chosen.status === status}
            onClick={() => choose({ status: chosen.status === status ? '' : status })}
          >
            <i aria-hidden="true" />
            {statusLabel(status)} <b>{count}</b>
          </button>
        ))}
      </div>
      {(['experiment', 'cluster'] as const).map(
        (kind) =>
          chosen[kind] && (
            <button key={kind} className="chip chosen" onClick={() => choose({ [kind]: '' })}>
              {kind}: <b>{chosen[kind]}</b> <span aria-label="remove">×</span>
            </button>
          ),
      )}
      <input
        type="search"
        placeholder="Filter by name"
        aria-label="Filter runs by name"
        value={text}
        onChange={(event) => setText(event.target.value)}
      />
    </div>
  );
}

function NoRuns({ filtered, clear }: { filtered: boolean; clear: () => void }) {
  if (filtered)
    return (
      <Empty title="No run matches">
        <p>
          <button onClick={clear}>Clear the filter</button>
        </p>
      </Empty>
    );
  return (
    <Empty title="No runs yet">
      <p>Point the server at a folder where jobs write, and they show up here as they run:</p>
      <pre>uv run graphql-runs serve PATH</pre>
      <p>
        Or create one over the API: try <code>createRun</code> and <code>record</code> in{' '}
        <a href="/graphql">GraphiQL</a>.
      </p>
    </Empty>
  );
}

function Clusters({ clusters, workspace }: { clusters: readonly ClusterFacts[]; workspace: string }) {
  if (clusters.length === 0) return null;
  return (
    <Section title="Clusters" count={clusters.length}>
      <div className="clusters">
        {clusters.map((cluster) => (
          <article key={cluster.id} className="cluster" aria-label={cluster.name}>
            <header>
              <Link href={workspacePath(workspace, { cluster: cluster.name })}>{cluster.name}</Link>
              <span className="muted">{[cluster.kind, cluster.vmSize].filter(Boolean).join(' · ')}</span>
              <Nodes cluster={cluster} />
            </header>
            {cluster.runs.nodes.length === 0 ? (
              <p className="muted">Nothing queued or running</p>
            ) : (
              <ul>
                {cluster.runs.nodes.map((run) => (
                  <li key={run.id}>
                    <Badge run={run} />
                    <Link href={runPath(run.id)}>{runLabel(run)}</Link>
                  </li>
                ))}
              </ul>
            )}
            {cluster.runs.totalCount > cluster.runs.nodes.length && (
              <p className="muted">and {cluster.runs.totalCount - cluster.runs.nodes.length} more</p>
            )}
          </article>
        ))}
      </div>
    </Section>
  );
}

function Nodes({ cluster }: { cluster: ClusterFacts }) {
  if (cluster.currentNodes === null && cluster.maxNodes === null)
    return <span className="muted nodes">{cluster.state}</span>;
  const { currentNodes, maxNodes } = cluster;
  return (
    <span className="muted nodes" title={cluster.state}>
      {currentNodes ?? '?'}
      {maxNodes !== null && ` of ${maxNodes}`} nodes
    </span>
  );
}
