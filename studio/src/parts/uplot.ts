import uPlot from 'uplot';
import { formatDuration, formatNumber } from '../live/format';
import type { Axis, Drawable } from '../live/plot';
import { drawNonFinite } from './marks';
import type { Tooltip } from './tooltip';

export const HEIGHT = 190;

/** The part of the axis that is shown; null for all of it. */
export type Zoom = readonly [number, number] | null;

export interface PlotCurve {
  label: string;
  color: string;
}

/** Curves on one x axis: a value missing at another curve's x is skipped over, a gap of its own is kept. */
export function align(curves: readonly Drawable[], log: boolean): uPlot.AlignedData {
  const tables = curves.map(({ x, y }): uPlot.AlignedData => [
    x,
    log ? y.map((value) => (value !== null && value > 0 ? value : null)) : y,
  ]);
  if (tables.length === 0) return [[]];
  if (tables.length === 1) return tables[0]!;
  return uPlot.join(
    tables,
    tables.map((table) => table.map(() => 2)),
  );
}

interface PlotParts {
  width: number;
  axis: Axis;
  pair: string | undefined;
  log: boolean;
  curves: readonly PlotCurve[];
  style: CSSStyleDeclaration;
  tooltip: Tooltip;
  drawn: { readonly current: Drawable[] };
  onZoom: (zoom: Zoom) => void;
}

/** Options of a uPlot chart of these curves. */
export function plotOptions({
  width,
  axis,
  pair,
  log,
  curves,
  style,
  tooltip,
  drawn,
  onZoom,
}: PlotParts): uPlot.Options {
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
          : {
              values: (_: uPlot, ticks: number[]) =>
                ticks.map((x) => (axis === 'step' ? shortStep(x) : formatDuration(x))),
            }),
      },
      {
        ...line,
        size: (_, values) =>
          14 + 6.2 * Math.max(3, ...(values ?? []).map((value) => String(value ?? '').length)),
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
      sync: {
        key: `studio ${pair ?? axis}`,
        setSeries: false,
        filters: { pub: (type) => type === 'mousemove' || type === 'mouseleave' },
      },
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
      draw: [
        (u) =>
          drawNonFinite(
            u,
            drawn.current,
            curves.map((curve) => curve.color),
          ),
      ],
      setSelect: [
        (u) => {
          if (u.select.width < 4) return;
          if (pair === undefined)
            onZoom([u.posToVal(u.select.left, 'x'), u.posToVal(u.select.left + u.select.width, 'x')]);
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
  if (min === null || max === null || !Number.isFinite(min) || !Number.isFinite(max))
    return log ? [0.1, 10] : [0, 1];
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
