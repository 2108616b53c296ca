import { useWindowVirtualizer } from '@tanstack/react-virtual';
import { useEffect, useLayoutEffect, useRef, useState } from 'react';
import type { KeyboardEvent, ReactNode } from 'react';
import { formatNumber } from '../live/format';
import type { ListedRow } from '../live/list';
import { primaryMetric, runLabel } from '../live/status';
import type { RunRow } from '../operations';
import { runPath } from '../router';
import { Ago, Badge, Duration, Link } from './basics';

const ROW_HEIGHT = 34;

export type SortKey = 'NAME' | 'STATUS' | 'DURATION' | 'CREATED_AT';
export interface Sort {
  by: SortKey;
  direction: 'ASC' | 'DESC';
}

interface Props {
  rows: readonly ListedRow[];
  now: number;
  /** Last value of a run's primary metric; undefined while it is not known. */
  primary?: (run: RunRow) => number | null | undefined;
  /** Where the runs of an experiment or a cluster are listed. */
  placeHref?: (place: { experiment: string } | { cluster: string }) => string;
  /** True where a child run stands alone in the list, so that its parent has to be named. */
  flat?: boolean;
  sort?: Sort | undefined;
  onSort?: (sort: Sort) => void;
  onToggle?: (id: string) => void;
  onSight?: (runs: RunRow[]) => void;
}

/** Runs as rows; only what is in sight is in the document, so a list of thousands stays light. */
export function RunTable({ rows, now, primary, placeHref, flat, sort, onSort, onToggle, onSight }: Props) {
  const body = useRef<HTMLTableSectionElement>(null);
  const [margin, setMargin] = useState(0);
  useLayoutEffect(() => {
    const top = (body.current?.getBoundingClientRect().top ?? 0) + window.scrollY;
    if (Math.abs(top - margin) > 1) setMargin(top);
  });
  const virtual = useWindowVirtualizer({
    count: rows.length,
    estimateSize: () => ROW_HEIGHT,
    overscan: 12,
    scrollMargin: margin,
  });
  const items = virtual.getVirtualItems();
  const sight = items.flatMap((item) => rows[item.index]?.run ?? []);
  const sightKey = sight.map((run) => `${run.id} ${run.status} ${primaryMetric(run) ?? ''}`).join();
  useEffect(() => onSight?.(sight), [sightKey, onSight]);
  const before = (items[0]?.start ?? margin) - margin;
  const after = virtual.getTotalSize() - ((items.at(-1)?.end ?? margin) - margin);

  return (
    <table className="runs" aria-rowcount={rows.length + 1}>
      <thead>
        <tr>
          <Head label="Run" by="NAME" sort={sort} onSort={onSort} />
          <Head label="Status" by="STATUS" sort={sort} onSort={onSort} />
          <th className="wide">Experiment</th>
          <th className="wide">Cluster</th>
          <th className="number">Primary metric</th>
          <Head label="Duration" by="DURATION" sort={sort} onSort={onSort} className="number" />
          <Head label="Created" by="CREATED_AT" sort={sort} onSort={onSort} className="number" />
        </tr>
      </thead>
      <tbody ref={body} onKeyDown={(event) => moveBetweenRows(event, rows, onToggle)}>
        {before > 0 && <Spacer height={before} />}
        {items.map((item) => {
          const row = rows[item.index];
          if (row === undefined) return null;
          return (
            <Row
              key={row.run.id}
              row={row}
              index={item.index}
              now={now}
              flat={flat}
              placeHref={placeHref}
              onToggle={onToggle}
            >
              {primary && <Primary run={row.run} value={primary(row.run)} />}
            </Row>
          );
        })}
        {after > 0 && <Spacer height={after} />}
      </tbody>
    </table>
  );
}

function Head({
  label,
  by,
  sort,
  onSort,
  className,
}: {
  label: string;
  by: SortKey;
  sort: Sort | undefined;
  onSort: ((sort: Sort) => void) | undefined;
  className?: string;
}) {
  const direction = sort?.by === by ? sort.direction : undefined;
  if (onSort === undefined) return <th className={className}>{label}</th>;
  const ariaSort = direction && (direction === 'ASC' ? 'ascending' : 'descending');
  return (
    <th className={className} aria-sort={ariaSort}>
      <button
        className="sort"
        onClick={() => onSort({ by, direction: direction === 'DESC' ? 'ASC' : 'DESC' })}
      >
        {label}
        <span aria-hidden="true">{direction === 'ASC' ? ' ↑' : direction === 'DESC' ? ' ↓' : ''}</span>
      </button>
    </th>
  );
}

function Row({
  row,
  index,
  now,
  flat,
  placeHref,
  onToggle,
  children,
}: {
  row: ListedRow;
  index: number;
  now: number;
  flat: boolean | undefined;
  placeHref: Props['placeHref'] | undefined;
  onToggle: ((id: string) => void) | undefined;
  children: ReactNode;
}) {
  const { run, level, children: below, expanded } = row;
  return (
    <tr aria-rowindex={index + 2} data-run={run.id} style={{ height: ROW_HEIGHT }}>
      <td className="name" style={{ paddingLeft: 10 + level * 20 }}>
        {below > 0 && onToggle ? (
          <button
            className="twist"
            aria-expanded={expanded}
            aria-label={`${expanded ? 'Hide' : 'Show'} the ${below} child runs of ${runLabel(run)}`}
            onClick={() => onToggle(run.id)}
          >
            {expanded ? '▾' : '▸'}
          </button>
        ) : (
          <span className="twist" aria-hidden="true">
            {level > 0 ? '└' : ''}
          </span>
        )}
        <Link href={runPath(run.id)} title={`${runLabel(run)} · ${run.runId}`}>
          {runLabel(run)}
        </Link>
        {below > 0 && <span className="count">{below}</span>}
        {flat && run.parent && (
          <span className="muted">
            {' '}
            in <Link href={runPath(run.parent.id)}>{runLabel(run.parent)}</Link>
          </span>
        )}
      </td>
      <td>
        <Badge run={run} />
      </td>
      <td className="wide clip">
        <Place name={run.experiment.name} href={placeHref?.({ experiment: run.experiment.name })} />
      </td>
      <td className="wide clip">
        {run.cluster ? (
          <Place name={run.cluster.name} href={placeHref?.({ cluster: run.cluster.name })} />
        ) : (
          <span className="muted">–</span>
        )}
      </td>
      <td className="number">{children}</td>
      <td className="number">
        <Duration run={run} now={now} />
      </td>
      <td className="number muted">
        <Ago at={run.createdAt} now={now} />
      </td>
    </tr>
  );
}

function Place({ name, href }: { name: string; href: string | undefined }) {
  return href === undefined ? <>{name}</> : <Link href={href}>{name}</Link>;
}

function Primary({ run, value }: { run: RunRow; value: number | null | undefined }) {
  const name = primaryMetric(run);
  if (name === null || value === undefined) return <span className="muted">–</span>;
  return (
    <>
      <span className="muted metric-name">{name}</span> {formatNumber(value)}
    </>
  );
}

function Spacer({ height }: { height: number }) {
  return (
    <tr aria-hidden="true">
      <td colSpan={7} style={{ height, padding: 0, border: 0 }} />
    </tr>
  );
}

/** Arrow keys walk through the rows; right and left open and close a run with children. */
function moveBetweenRows(
  event: KeyboardEvent<HTMLElement>,
  rows: readonly ListedRow[],
  onToggle: ((id: string) => void) | undefined,
): void {
  const row = event.target instanceof HTMLElement ? event.target.closest('tr') : null;
  if (row === null) return;
  const step = event.key === 'ArrowDown' ? 1 : event.key === 'ArrowUp' ? -1 : 0;
  if (step !== 0) {
    const next = step > 0 ? row.nextElementSibling : row.previousElementSibling;
    next?.querySelector<HTMLElement>('td.name a')?.focus();
    event.preventDefault();
  } else if (event.key === 'ArrowRight' || event.key === 'ArrowLeft') {
    const listed = rows.find((candidate) => candidate.run.id === row.dataset['run']);
    if (listed && listed.children > 0 && listed.expanded === (event.key === 'ArrowLeft'))
      onToggle?.(listed.run.id);
  }
}
