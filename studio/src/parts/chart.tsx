import { useEffect, useMemo, useRef, useState } from 'react';
import uPlot from 'uplot';
import type { Points } from '../live/curve';
import { useVersion } from '../live/emitter';
import { formatDuration, formatNumber } from '../live/format';
import { parseCell } from '../live/cell';
import { place } from '../live/plot';
import type { Axis, Drawable } from '../live/plot';
import { runLabel, statusLabel } from '../live/status';
import { drawing } from '../live/tree';
import type { Chart, Entry, RunTree } from '../live/tree';
import { drawNonFinite } from './marks';
import { Tooltip } from './tooltip';

const HEIGHT = 190;
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

export type Zoom = readonly [number, number] | null;

interface Curve {
  entry: Entry;
  label: string;
  color: string;
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
  const curves = entries.map((entry): Curve => {
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
      {kind === 'none' ? null : seen ? <Plot {...props} pair={kind === 'pair' ? facts?.chartColumns[0] : undefined} curves={curves} version={version} /> : <div style={{ height: HEIGHT }} />}
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

function Plot({ tree, chart, axis: chosen, pair, log, scheme, curves, version, highlighted, zoom: shared, onZoom }: ChartProps & {
  curves: readonly Curve[];
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
      options({ width, axis, pair, log, curves, style, tooltip, drawn, onZoom }),
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

/** Curves on one x axis: a value missing at another curve's x is skipped over, a gap of its own is kept. */
function align(curves: readonly Drawable[], log: boolean): uPlot.AlignedData {
  const tables = curves.map(({ x, y }): uPlot.AlignedData => [
    x,
    log ? y.map((value) => (value !== null && value > 0 ? value : null)) : y,
  ]);
  if (tables.length === 0) return [[]];
  if (tables.length === 1) return tables[0]!;
  return uPlot.join(tables, tables.map((table) => table.map(() => 2)));
}

interface PlotParts {
  width: number;
  axis: Axis;
  pair: string | undefined;
  log: boolean;
  curves: readonly Curve[];
  style: CSSStyleDeclaration;
  tooltip: Tooltip;
  drawn: { readonly current: Drawable[] };
  onZoom: (zoom: Zoom) => void;
}

function options({ width, axis, pair, log, curves, style, tooltip, drawn, onZoom }: PlotParts): uPlot.Options {
  const color = (name: string) => style.getPropertyValue(name).trim();
  const line = {
    stroke: color('--text-2'),
    font: `11px ${style.fontFamily}`,
    grid: { stroke: color('--grid'), width: 1 },
    ticks: { show: false },
    gap: 4,
  };
  const label = (x: number) =>
    axis === 'wall'
      ? new Date(x * 1000).toLocaleTimeString()
      : axis === 'relative'
        ? formatDuration(x)
        : `${pair ?? 'step'} ${formatNumber(x)}`;
  return {
    width,
    height: HEIGHT,
    padding: [8, 10, 0, 0],
    legend: { show: false },
    focus: { alpha: 0.25 },
    scales: {
      x: { time: axis === 'wall' },
      y: { distr: log ? 3 : 1, range: (_, min, max) => padded(min, max, log) },
    },
    axes: [
      {
        ...line,
        size: 24,
        space: 60,
        ...(axis === 'wall'
          ? {}
          : { values: (_: uPlot, ticks: number[]) => ticks.map((x) => (axis === 'step' ? shortStep(x) : formatDuration(x))) }),
      },
      {
        ...line,
        size: (_, values) => 14 + 6.2 * Math.max(3, ...(values ?? []).map((value) => String(value ?? '').length)),
        space: 28,
        values: (_, ticks) => ticks.map((y) => (y === null ? '' : formatNumber(y))),
      },
    ],
    series: [
      {},
      ...curves.map((curve): uPlot.Series => ({
        label: curve.label,
        stroke: curve.color,
        width: 1.5,
        points: { size: 4, fill: curve.color },
      })),
    ],
    cursor: {
      y: false,
      points: { size: 6 },
      focus: { prox: curves.length > 1 ? 24 : -1 },
      drag: { x: true, y: false, setScale: false },
      // Charts share the cursor, not the buttons: a selection is made on one chart.
      sync: { key: `studio ${pair ?? axis}`, setSeries: false, filters: { pub: (type) => type.startsWith('mousem') || type === 'mouseleave' } },
      bind: {
        dblclick: () => () => {
          onZoom(null);
          return null;
        },
      },
      dataIdx: (u, series, index) =>
        series === 0 ? index : nearest(u.data[series] as (number | null | undefined)[], index),
    },
    hooks: {
      draw: [(u) => drawNonFinite(u, drawn.current, curves.map((curve) => curve.color))],
      setSelect: [
        (u) => {
          if (u.select.width < 4) return;
          if (pair === undefined) onZoom([u.posToVal(u.select.left, 'x'), u.posToVal(u.select.left + u.select.width, 'x')]);
          u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
        },
      ],
      setCursor: [(u) => tooltip.show(u, label)],
    },
  };
}

function shortStep(x: number): string {
  return Math.abs(x) >= 10_000 && x % 100 === 0 ? `${x / 1000}k` : formatNumber(x);
}

/** The range of y with air above and below; a flat curve is not drawn on the edge. */
function padded(min: number | null, max: number | null, log: boolean): [number, number] {
  if (min === null || max === null || !Number.isFinite(min) || !Number.isFinite(max)) return log ? [0.1, 10] : [0, 1];
  if (log) return [min / 1.1, max * 1.1];
  const air = (max - min) * 0.06 || Math.abs(max) * 0.1 || 1;
  return [min - air, max + air];
}

/** The index of the value nearest to `index`, where another curve's x may stand; null before and after the curve. */
function nearest(column: readonly (number | null | undefined)[], index: number): number | null {
  let before = index;
  let after = index;
  while (before >= 0 && column[before] == null) before--;
  while (after < column.length && column[after] == null) after++;
  if (before < 0 || after >= column.length) return null;
  return index - before <= after - index ? before : after;
}
