import { useEffect, useMemo, useRef, useState } from 'react';
import uPlot from 'uplot';
import { parseCell } from '../live/cell';
import type { Points } from '../live/curve';
import { useVersion } from '../live/emitter';
import { formatNumber } from '../live/format';
import { place } from '../live/plot';
import type { Axis, Drawable } from '../live/plot';
import { runLabel, statusLabel } from '../live/status';
import { drawing } from '../live/tree';
import type { Chart, Entry, RunTree } from '../live/tree';
import { Tooltip } from './tooltip';
import { align, HEIGHT, plotOptions } from './uplot';
import type { PlotCurve, Zoom } from './uplot';

const ZOOM_MS = 150;

export interface ChartProps {
  tree: RunTree;
  chart: Chart;
  axis: Axis;
  log: boolean;
  scheme: string;
  colors: ReadonlyMap<string, string>;
  hidden: ReadonlySet<string>;
  highlighted: string | null;
  /** The part of the axis that all charts of the page show. */
  zoom: Zoom;
  onZoom: (zoom: Zoom) => void;
}

interface DrawnCurve extends PlotCurve {
  entry: Entry;
  origin: number;
}

/** A closer look at part of the steps: series of that window for the curves that are not exact as a whole. */
interface Window {
  from: number;
  to: number;
  points: ReadonlyMap<string, Points>;
}

export function ChartCard(props: ChartProps) {
  const { tree, chart, colors, hidden } = props;
  const version = useVersion(chart);
  const card = useRef<HTMLElement>(null);
  const [seen, setSeen] = useState(false);
  useEffect(() => {
    const observer = new IntersectionObserver(
      ([entry]) => {
        const inSight = entry?.isIntersecting ?? false;
        if (inSight) setSeen(true);
        tree.want(chart, inSight);
      },
      { rootMargin: '300px' },
    );
    if (card.current) observer.observe(card.current);
    return () => observer.disconnect();
  }, [tree, chart]);

  const entries = [...chart.entries.values()].filter((entry) => !hidden.has(entry.run));
  const curves = entries.map((entry): DrawnCurve => {
    const run = tree.runs.get(entry.run);
    return {
      entry,
      label: run ? runLabel(run) : entry.run,
      color: colors.get(entry.run) ?? 'gray',
      origin: Date.parse(run?.startedAt ?? run?.createdAt ?? '') / 1000,
    };
  });
  const facts = entries[0]?.facts;
  const kind = facts === undefined ? 'line' : drawing(facts);
  return (
    <article className="chart" ref={card} aria-label={chart.name}>
      <header>
        <h3 title={chart.name}>{chart.name}</h3>
        <Summary entries={entries} />
      </header>
      {kind === 'none' && <NoChart entries={entries} />}
      {kind !== 'none' && !seen && <div style={{ height: HEIGHT }} />}
      {kind !== 'none' && seen && (
        <Plot
          {...props}
          pair={kind === 'pair' ? facts?.chartColumns[0] : undefined}
          curves={curves}
          version={version}
        />
      )}
    </article>
  );
}

/** What is told of a metric that no chart of this page suits. */
function NoChart({ entries }: { entries: readonly Entry[] }) {
  const rows = entries.reduce((sum, entry) => sum + entry.summary.count, 0);
  const facts = entries[0]?.facts;
  return (
    <p className="muted no-chart">
      {statusLabel(facts?.kind ?? '')} · {rows} {rows === 1 ? 'row' : 'rows'}
      {facts && facts.chartColumns.length > 0 && ` · ${facts.chartColumns.join(', ')}`}
      <br />
      Ask for its <code>rows</code> in <a href="/graphql">GraphiQL</a>.
    </p>
  );
}

function Summary({ entries }: { entries: readonly Entry[] }) {
  const broken = entries.filter((entry) => entry.summary.nonFinite > 0);
  const only = entries.length === 1 ? entries[0] : undefined;
  const count = broken.reduce((sum, entry) => sum + entry.summary.nonFinite, 0);
  const first = Math.min(...broken.map((entry) => entry.summary.firstNonFiniteStep ?? Infinity));
  return (
    <span className="summary">
      {count > 0 && (
        <span
          className="non-finite"
          title={`${count} values are NaN or infinite${Number.isFinite(first) ? `, the first at step ${first}` : ''}`}
        >
          ⚠ {count} not finite
        </span>
      )}
      {only && (
        <>
          <span className="muted" title="least and greatest of the finite values">
            {formatNumber(cell(only.summary.min))} … {formatNumber(cell(only.summary.max))}
          </span>
          <b data-points={only.summary.count}>{formatNumber(cell(only.summary.last))}</b>
        </>
      )}
    </span>
  );
}

const cell = (value: Entry['summary']['last']) => (value === null ? null : parseCell(value));

function Plot({
  tree,
  chart,
  axis: chosen,
  pair,
  log,
  scheme,
  curves,
  version,
  highlighted,
  zoom: shared,
  onZoom,
}: ChartProps & {
  curves: readonly DrawnCurve[];
  version: number;
  /** The column that x is, where it is one. */
  pair: string | undefined;
}) {
  const axis = pair === undefined ? chosen : 'step';
  // A column of one metric is no axis that the others share.
  const zoom = pair === undefined ? shared : null;
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot>(null);
  const drawn = useRef<Drawable[]>([]);
  const [width, setWidth] = useState(0);
  const [close, setClose] = useState<Window | null>(null);

  useEffect(() => {
    const observer = new ResizeObserver(([entry]) => setWidth(Math.floor(entry?.contentRect.width ?? 0)));
    if (box.current) observer.observe(box.current);
    return () => observer.disconnect();
  }, []);

  const data = useMemo(() => {
    drawn.current = curves.map(({ entry, origin }) => {
      const near = zoom && close?.from === zoom[0] && close.to === zoom[1] ? close.points : undefined;
      const points = near?.get(entry.facts.id) ?? entry.curve.points();
      return place(points, axis, origin);
    });
    return align(drawn.current, log);
  }, [version, curves.map((curve) => curve.entry.facts.id).join(), axis, log, zoom, close]);

  // The window of steps that is looked at closely is read anew where the whole curve is a selection of its points.
  const coarse = curves.filter(({ entry }) => !entry.curve.exact).map(({ entry }) => entry.facts.id);
  useEffect(() => {
    if (zoom === null || axis !== 'step' || coarse.length === 0) return undefined;
    const timer = setTimeout(() => {
      void tree.readWindow(coarse, zoom[0], zoom[1]).then((points) => {
        setClose({ from: zoom[0], to: zoom[1], points });
      });
    }, ZOOM_MS);
    return () => clearTimeout(timer);
  }, [zoom, axis, coarse.join(), tree]);

  const shape = curves.map((curve) => `${curve.entry.facts.id} ${curve.color} ${curve.label}`).join('\n');
  useEffect(() => {
    if (box.current === null || width === 0) return undefined;
    const tooltip = new Tooltip(box.current);
    const style = getComputedStyle(box.current);
    const made = new uPlot(
      plotOptions({ width, axis, pair, log, curves, style, tooltip, drawn, onZoom }),
      data,
      box.current,
    );
    plot.current = made;
    return () => {
      made.destroy();
      tooltip.remove();
      plot.current = null;
    };
  }, [shape, axis, log, scheme, width === 0]);

  useEffect(() => plot.current?.setSize({ width, height: HEIGHT }), [width]);
  useEffect(() => {
    const u = plot.current;
    if (u === null) return;
    u.setData(data, zoom === null);
    if (zoom !== null) u.setScale('x', { min: zoom[0], max: zoom[1] });
  }, [data, zoom, shape, scheme, width === 0]);
  useEffect(() => {
    const index = curves.findIndex((curve) => curve.entry.run === highlighted);
    if (index >= 0) plot.current?.setSeries(index + 1, { focus: true });
    else plot.current?.setSeries(null as unknown as number, { focus: false });
  }, [highlighted, shape]);

  const points = drawn.current.reduce((sum, curve) => sum + curve.x.length, 0);
  return (
    <div
      className="plot"
      ref={box}
      style={{ height: HEIGHT }}
      role="img"
      aria-label={`Line chart of ${chart.name}: ${curves.length} curves, ${points} points`}
    >
      {zoom !== null && (
        <button className="unzoom" onClick={() => onZoom(null)}>
          Whole range
        </button>
      )}
    </div>
  );
}
