import type { Points } from './curve';

export type Axis = 'step' | 'relative' | 'wall';

/** A curve made ready for drawing: x ascending, gaps as null, non-finite points apart. */
export interface Drawable {
  x: number[];
  y: (number | null)[];
  nonFinite: { x: number; value: number }[];
}

/**
 * Places the points on an axis. `relative` counts seconds from `origin` (Unix seconds). A job that restarted goes
 * back in step: a chart needs x ascending, so points are sorted, those with the same x staying as written.
 */
export function place(points: Points, axis: Axis, origin: number): Drawable {
  const xs: number[] = [];
  const ys: (number | null)[] = [];
  let ascending = true;
  for (const [i, step] of points.x.entries()) {
    const at = points.at[i];
    const x = axis === 'step' ? step : at == null ? null : axis === 'wall' ? at : at - origin;
    if (x === null) continue;
    if (xs.length > 0 && x < xs[xs.length - 1]!) ascending = false;
    xs.push(x);
    ys.push(points.y[i] ?? null);
  }
  const order = ascending ? null : [...xs.keys()].sort((a, b) => xs[a]! - xs[b]! || a - b);
  const out: Drawable = { x: [], y: [], nonFinite: [] };
  for (let k = 0; k < xs.length; k++) {
    const i = order === null ? k : order[k]!;
    const y = ys[i]!;
    const finite = y !== null && Number.isFinite(y);
    if (y !== null && !finite) out.nonFinite.push({ x: xs[i]!, value: y });
    out.x.push(xs[i]!);
    out.y.push(finite ? y : null);
  }
  return out;
}
