import { useEffect, useMemo } from 'react';
import type { ReactNode } from 'react';
import { useClient } from 'urql';
import { useVersion } from '../live/emitter';
import { formatBytes, formatDuration, formatTime, seconds } from '../live/format';
import { subtree } from '../live/list';
import { parseCell } from '../live/cell';
import { primaryMetric, runLabel, statusLabel } from '../live/status';
import { RunTree } from '../live/tree';
import type { RunDetails, RunRow } from '../operations';
import { Ago, Badge, Duration, Empty, Link, Section, useNow } from '../parts/basics';
import { LogDock } from '../parts/logs';
import { Metrics } from '../parts/metrics';
import { Phases } from '../parts/phases';
import { RunTable } from '../parts/runtable';
import { runPath, workspacePath } from '../router';

const LABEL_LENGTH = 48;

export function RunView({ id }: { id: string }) {
  const client = useClient();
  const tree = useMemo(() => new RunTree(client, id), [client, id]);
  useVersion(tree);
  useEffect(() => {
    void tree.open();
    return () => tree.close();
  }, [tree]);
  const self = tree.self;
  useEffect(() => {
    if (self) document.title = `${runLabel(self)} · graphql-runs`;
  }, [self]);

  if (tree.missing)
    return (
      <Empty title="There is no such run here">
        <p>
          Nothing is known of <code>{id}</code>. <Link href="/">See all runs</Link>
        </p>
      </Empty>
    );
  if (tree.details === null || self === undefined)
    return tree.error ? (
      <p className="error-line">{tree.error}</p>
    ) : (
      <p className="loading">Loading the run…</p>
    );
  return (
    <>
      <Header tree={tree} run={tree.details} self={self} />
      {tree.error && <p className="error-line">{tree.error}</p>}
      <Problems run={tree.details} />
      <Metrics tree={tree} />
      <Children tree={tree} self={self} />
      <div className="columns">
        <Artifacts run={tree.details} />
        <Evidence run={tree.details} />
        <Values title="Tags" values={tree.details.tags.filter((tag) => !isLabel(tag))} />
        <Values title="Properties" values={tree.details.properties} />
      </div>
      <LogDock tree={tree} />
    </>
  );
}

function Header({ tree, run, self }: { tree: RunTree; run: RunDetails; self: RunRow }) {
  const now = useNow();
  const workspace = run.workspace.name;
  const labels = run.tags.filter(isLabel);
  return (
    <header className="run-head">
      <nav className="crumbs" aria-label="Where this run is">
        <Link href={workspacePath(workspace)}>{workspace}</Link>
        <Link href={workspacePath(workspace, { experiment: run.experiment.name })}>
          {run.experiment.name}
        </Link>
        {tree.parent && (
          <span>
            <Link href={runPath(tree.parent.id)}>{runLabel(tree.parent)}</Link> <Badge run={tree.parent} />
          </span>
        )}
      </nav>
      <div className="title">
        <h1>{runLabel(self)}</h1>
        <Badge run={self} />
        <code className="muted" title="The id the producer gave this run">
          {run.runId}
        </code>
      </div>
      <dl className="facts">
        <Fact name="Duration">
          <Duration run={self} now={now} />
        </Fact>
        <Fact name="Created">
          <Ago at={run.createdAt} now={now} />
        </Fact>
        {self.cluster && (
          <Fact name="Cluster">
            <Link href={workspacePath(workspace, { cluster: self.cluster.name })}>{self.cluster.name}</Link>
          </Fact>
        )}
        {run.kind && <Fact name="Kind">{run.kind}</Fact>}
        {run.target && <Fact name="Target">{run.target}</Fact>}
        {run.submittedBy && <Fact name="Submitted by">{run.submittedBy}</Fact>}
        <Fact name="Source">{run.source}</Fact>
        {run.exitCode !== null && <Fact name="Exit code">{run.exitCode}</Fact>}
        {run.git?.commit && (
          <Fact name="Commit">
            <code>{run.git.commit.slice(0, 10)}</code>
            {run.git.branch && ` on ${run.git.branch}`}
            {run.git.dirty && ' (changed)'}
          </Fact>
        )}
        {run.params.map(({ key, value }) => (
          <Fact key={`param ${key}`} name={key} kind="param">
            {value}
          </Fact>
        ))}
      </dl>
      {labels.length > 0 && (
        <ul className="chips" aria-label="Tags">
          {labels.map(({ key, value }) => (
            <li key={key} className="chip tag">
              {key} <b>{value}</b>
            </li>
          ))}
        </ul>
      )}
      {run.description && <p className="description">{run.description}</p>}
      <Phases phases={run.phases} now={now} />
    </header>
  );
}

/** Tags short enough to be read at a glance; systems keep whole documents in others. */
function isLabel({ key, value }: { key: string; value: string }): boolean {
  return key.length + value.length <= LABEL_LENGTH;
}

function Fact({ name, kind, children }: { name: string; kind?: string; children: ReactNode }) {
  return (
    <div className={kind}>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

function Problems({ run }: { run: RunDetails }) {
  const waiting = run.statusClass === 'PENDING' ? run.queueing?.message : null;
  return (
    <>
      {waiting && <p className="notice">{waiting}</p>}
      {run.warnings.map((warning, i) => (
        <p key={i} className="notice warn">
          {warning.source && <b>{warning.source}: </b>}
          {warning.message}
        </p>
      ))}
      {run.error && (
        <div className="notice bad" role="alert">
          {run.error.code && <b>{run.error.code}</b>}
          <pre>{run.error.message}</pre>
        </div>
      )}
    </>
  );
}

function Children({ tree, self }: { tree: RunTree; self: RunRow }) {
  const now = useNow();
  const below = subtree(tree.runs.values(), self.id);
  if (below.length === 0) return null;
  const last = (run: RunRow) => {
    const chart = tree.charts.get(primaryMetric(run) ?? '');
    const entry = [...(chart?.entries.values() ?? [])].find((candidate) => candidate.run === run.id);
    return entry?.summary.last == null ? undefined : parseCell(entry.summary.last);
  };
  return (
    <Section title="Child runs" count={tree.descendantCount}>
      <RunTable
        rows={below.map(({ run, level }) => ({ run, level: level - 1, children: 0, expanded: false }))}
        now={now}
        primary={last}
        placeHref={(place) => workspacePath(tree.details?.workspace.name ?? '', place)}
      />
    </Section>
  );
}

function Artifacts({ run }: { run: RunDetails }) {
  const { nodes, totalCount } = run.artifacts;
  return (
    <Section title="Artifacts" count={totalCount || undefined}>
      {nodes.length === 0 && <p className="muted">Files the job leaves under outputs/ are listed here.</p>}
      <ul className="files">
        {nodes.map((artifact) => (
          <li key={artifact.id}>
            <a
              href={artifact.url}
              download={artifact.path.split('/').at(-1)}
              title={artifact.contentType ?? undefined}
            >
              {artifact.path}
            </a>
            <span className="muted">{formatBytes(artifact.size)}</span>
          </li>
        ))}
      </ul>
      {totalCount > nodes.length && <p className="muted">The first {nodes.length} are listed.</p>}
    </Section>
  );
}

function Evidence({ run }: { run: RunDetails }) {
  return (
    <Section title="Status evidence" count={run.statusEvidence.length}>
      <ol className="evidence">
        {run.statusEvidence.map((item, i) => (
          <li key={i}>
            <time dateTime={item.at} title={formatTime(item.at)}>
              +{formatDuration(Math.max(0, seconds(item.at) - seconds(run.createdAt)))}
            </time>
            <b>{statusLabel(item.status)}</b>
            <span className="muted">
              {[item.source, item.original, item.detail].filter(Boolean).join(' · ')}
            </span>
          </li>
        ))}
      </ol>
    </Section>
  );
}

function Values({ title, values }: { title: string; values: RunDetails['tags'] }) {
  if (values.length === 0) return null;
  return (
    <Section title={title} count={values.length}>
      <dl className="values">
        {values.map(({ key, value }) => (
          <div key={key}>
            <dt>{key}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
    </Section>
  );
}
