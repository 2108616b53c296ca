import type { Cell } from '../graphql';
import { parseCell } from './cell';

/** Points in the order they were written; `y` keeps NaN and the infinities, null means no value. */
export interface Points {
  x: number[];
  y: (number | null)[];
  at: (number | null)[];
}

/** A series as the server sends it: `total` counts the rows it stands for, whether or not all are in it. */
export interface SeriesColumns {
  x: readonly Cell[];
  y: readonly Cell[];
  at: readonly (number | null)[];
  exact: boolean;
  total: number;
}

/** Rows `start` and on of a metric, as a subscription sends them. */
export interface Delta {
  start: number;
  /** Null where no row was given a step. */
  steps: readonly Cell[] | null;
  values: readonly Cell[];
  at: readonly (number | null)[];
}

export function parseSeries(series: SeriesColumns): Points {
  const points: Points = { x: [], y: [], at: [] };
  for (const [i, cell] of series.x.entries()) {
    const x = parseCell(cell);
    if (x === null || !Number.isFinite(x)) continue;
    points.x.push(x);
    points.y.push(parseCell(series.y[i] ?? null));
    points.at.push(series.at[i] ?? null);
  }
  return points;
}

/** More live points than this on top of the loaded series, and the series is worth asking for again. */
export const MAX_LIVE_POINTS = 2000;

/**
 * One curve of a chart: a series read once, and the rows that arrive after it.
 *
 * Rows are numbered from 0 in the order written, so the two join without a hole or a double whichever arrives
 * first. A curve takes live rows from the moment its series is asked for, since the answer may be older than they
 * are; before that it holds nothing.
 */
export class Curve {
  exact = true;
  /** Rows the curve stands for. */
  total = 0;
  state: 'empty' | 'loading' | 'loaded' = 'empty';
  #base: Points = { x: [], y: [], at: [] };
  #baseRows = 0;
  #live: Points = { x: [], y: [], at: [] };
  #liveStart = 0;
  #merged: Points | null = null;

  /** Call when the series is asked for. */
  expect(): void {
    if (this.state === 'empty') this.state = 'loading';
  }

  /** Lets everything go, as after a reset of the stream. */
  clear(): void {
    this.#live = { x: [], y: [], at: [] };
    this.state = 'empty';
    this.#merged = null;
  }

  load(series: SeriesColumns): void {
    this.#base = parseSeries(series);
    this.#baseRows = series.total;
    this.exact = series.exact;
    this.state = 'loaded';
    this.#dropLiveBefore(series.total);
    this.total = Math.max(series.total, this.#liveStart + this.#live.x.length);
    this.#merged = null;
  }

  /** Takes rows in and says whether the series has to be read (again): after a hole, or when too many piled up. */
  append(delta: Delta): 'ok' | 'reload' {
    if (this.state === 'empty' || delta.values.length === 0) return 'ok';
    const held = this.#live.x.length;
    let end = held === 0 ? this.#baseRows : this.#liveStart + held;
    const first = held === 0 && this.state === 'loading';
    const hole = !first && delta.start > end;
    if (first || hole) {
      // The live part begins anew here; the series that is, or will be, on its way covers what comes before.
      this.#live = { x: [], y: [], at: [] };
      this.#liveStart = end = delta.start;
    } else if (held === 0) {
      this.#liveStart = end;
    }
    if (hole) this.state = 'loading';
    for (let i = Math.max(0, end - delta.start); i < delta.values.length; i++) {
      this.#live.x.push(parseCell(delta.steps?.[i] ?? null) ?? delta.start + i);
      this.#live.y.push(parseCell(delta.values[i] ?? null));
      this.#live.at.push(delta.at[i] ?? null);
    }
    this.total = Math.max(this.#baseRows, this.#liveStart + this.#live.x.length);
    this.#merged = null;
    return hole || this.#live.x.length > MAX_LIVE_POINTS ? 'reload' : 'ok';
  }

  /** The whole curve; the same object until something changes. */
  points(): Points {
    this.#merged ??= {
      x: [...this.#base.x, ...this.#live.x],
      y: [...this.#base.y, ...this.#live.y],
      at: [...this.#base.at, ...this.#live.at],
    };
    return this.#merged;
  }

  #dropLiveBefore(row: number): void {
    const count = Math.min(Math.max(row - this.#liveStart, 0), this.#live.x.length);
    for (const column of [this.#live.x, this.#live.y, this.#live.at]) column.splice(0, count);
    this.#liveStart += count;
    if (this.#live.x.length === 0) this.#liveStart = row;
  }
}
