import { useEffect, useState } from 'react';
import { useVersion } from '../live/emitter';
import type { Axis } from '../live/plot';
import { runLabel, statusLabel } from '../live/status';
import type { RunTree } from '../live/tree';
import { Empty, Section } from './basics';
import { ChartCard } from './chart';
import type { Zoom } from './uplot';

const PALETTE = 10;
const FILTER_FROM = 7;
const TYPING_MS = 250;
const AXES: { axis: Axis; label: string; title: string }[] = [
  { axis: 'step', label: 'Step', title: 'x is the step, or the row where none was given' },
  { axis: 'relative', label: 'Time', title: 'x is the time since each run started' },
  { axis: 'wall', label: 'Clock', title: 'x is the time of day' },
];

/** "dark" or "light", as the system has it now. */
function useScheme(): string {
  const [query] = useState(() => window.matchMedia('(prefers-color-scheme: dark)'));
  const [dark, setDark] = useState(query.matches);
  useEffect(() => {
    const change = () => setDark(query.matches);
    query.addEventListener('change', change);
    return () => query.removeEventListener('change', change);
  }, [query]);
  return dark ? 'dark' : 'light';
}

/** The charts of a run: one for each metric name, the runs below it overlaid as curves of their own. */
export function Metrics({ tree }: { tree: RunTree }) {
  useVersion(tree);
  const scheme = useScheme();
  const [axis, setAxis] = useState<Axis>('step');
  const [zoom, setZoom] = useState<Zoom>(null);
  const [log, setLog] = useState(false);
  const [filter, setFilter] = useState('');
  const [hidden, setHidden] = useState<ReadonlySet<string>>(new Set());
  const [highlighted, setHighlighted] = useState<string | null>(null);

  useEffect(() => {
    const timer = setTimeout(() => void tree.findMetrics(filter), TYPING_MS);
    return () => clearTimeout(timer);
  }, [tree, filter]);

  const charts = [...tree.charts.values()].sort((a, b) => a.name.localeCompare(b.name));
  const shown = charts.filter((chart) => chart.name.toLowerCase().includes(filter.toLowerCase()));
  const drawn = new Set(charts.flatMap((chart) => [...chart.entries.values()].map((entry) => entry.run)));
  const runs = [...tree.runs.values()].filter((run) => drawn.has(run.id));
  const style = getComputedStyle(document.documentElement);
  // By the order of all runs of the tree, so that a run keeps its colour when another one draws its first point.
  const colors = new Map(
    [...tree.runs.values()].map(
      (run, i) => [run.id, style.getPropertyValue(`--curve-${i % PALETTE}`).trim()] as const,
    ),
  );
  const toggle = (id: string) => {
    const next = new Set(hidden);
    if (!next.delete(id)) next.add(id);
    setHidden(next);
  };

  return (
    <Section
      title="Metrics"
      count={
        tree.metricsAfter === null ? charts.length || undefined : `${charts.length} of ${tree.metricCount}`
      }
      extra={
        charts.length > 0 && (
          <div className="filters">
            {charts.length >= FILTER_FROM && (
              <input
                type="search"
                placeholder="Filter metrics"
                aria-label="Filter metrics by name"
                value={filter}
                onChange={(event) => setFilter(event.target.value)}
              />
            )}
            <div className="segments" role="group" aria-label="Horizontal axis">
              {AXES.map(({ axis: each, label, title }) => (
                <button
                  key={each}
                  title={title}
                  aria-pressed={axis === each}
                  onClick={() => {
                    setAxis(each);
                    setZoom(null);
                  }}
                >
                  {label}
                </button>
              ))}
            </div>
            <div className="segments">
              <button title="Logarithmic vertical axis" aria-pressed={log} onClick={() => setLog(!log)}>
                Log
              </button>
            </div>
          </div>
        )
      }
    >
      {runs.some((run) => run.id !== tree.self?.id) && (
        <div className="chips legend" role="group" aria-label="Curves">
          {runs.map((run) => (
            <button
              key={run.id}
              className="chip"
              aria-pressed={!hidden.has(run.id)}
              title={`${runLabel(run)}: ${statusLabel(run.status)}`}
              onClick={() => toggle(run.id)}
              onMouseEnter={() => setHighlighted(run.id)}
              onMouseLeave={() => setHighlighted(null)}
              onFocus={() => setHighlighted(run.id)}
              onBlur={() => setHighlighted(null)}
            >
              <i style={{ background: colors.get(run.id) }} aria-hidden="true" />
              {runLabel(run)}
            </button>
          ))}
        </div>
      )}
      {tree.descendantCount > tree.runs.size - 1 && (
        <p className="muted">
          Curves of {tree.runs.size - 1} of the {tree.descendantCount} runs below this one are shown.
        </p>
      )}
      {charts.length === 0 && (
        <Empty title="No metrics yet">
          <p>
            They appear as the job writes them, or as it calls the <code>record</code> mutation.
          </p>
        </Empty>
      )}
      {charts.length > 0 && shown.length === 0 && <Empty title="No metric has that in its name" />}
      <div className="charts">
        {shown.map((chart) => (
          <ChartCard
            key={chart.name}
            {...{ tree, chart, axis, log, scheme, colors, hidden, highlighted, zoom }}
            onZoom={setZoom}
          />
        ))}
      </div>
      {tree.metricsAfter !== null && (
        <button className="more" onClick={() => void tree.moreMetrics()}>
          Load more metrics
        </button>
      )}
    </Section>
  );
}
