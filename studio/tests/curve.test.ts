import { describe, expect, it } from 'vitest';
import { Curve, MAX_LIVE_POINTS } from '../src/live/curve';
import type { Delta, SeriesColumns } from '../src/live/curve';

const series = (rows: number): SeriesColumns => ({
  x: Array.from({ length: rows }, (_, i) => i * 10),
  y: Array.from({ length: rows }, (_, i) => i),
  at: Array.from({ length: rows }, (_, i) => 1000 + i),
  exact: true,
  total: rows,
});

/** Rows [start, end), made by the same rule as `series`. */
const rows = (start: number, end: number): Delta => {
  const whole = series(end);
  return { start, steps: whole.x.slice(start), values: whole.y.slice(start), at: whole.at.slice(start) };
};

const loaded = (count: number) => {
  const curve = new Curve();
  curve.expect();
  curve.load(series(count));
  return curve;
};

describe('Curve', () => {
  it('continues a series with the rows that follow it', () => {
    const curve = loaded(3);
    expect(curve.append(rows(3, 5))).toBe('ok');
    expect(curve.points()).toEqual({
      x: [0, 10, 20, 30, 40],
      y: [0, 1, 2, 3, 4],
      at: [1000, 1001, 1002, 1003, 1004],
    });
    expect(curve.total).toBe(5);
  });

  it('drops the rows it holds already', () => {
    const curve = loaded(3);
    curve.append(rows(1, 5));
    curve.append(rows(0, 4));
    curve.append(rows(4, 6));
    expect(curve.points().y).toEqual([0, 1, 2, 3, 4, 5]);
  });

  it('joins rows that arrive before the series they follow', () => {
    const curve = new Curve();
    curve.expect();
    expect(curve.append(rows(2, 4))).toBe('ok');
    expect(curve.append(rows(4, 6))).toBe('ok');
    curve.load(series(5));
    expect(curve.points().y).toEqual([0, 1, 2, 3, 4, 5]);
    expect(curve.append(rows(6, 7))).toBe('ok');
    expect(curve.total).toBe(7);
  });

  it('holds nothing until its series is asked for', () => {
    const curve = new Curve();
    curve.append(rows(0, 4));
    expect(curve.points().y).toEqual([]);
  });

  it('asks for the series after a hole and then has every row once', () => {
    const curve = loaded(2);
    expect(curve.append(rows(4, 6))).toBe('reload');
    expect(curve.append(rows(6, 7))).toBe('ok');
    curve.load(series(5));
    expect(curve.points().y).toEqual([0, 1, 2, 3, 4, 5, 6]);
  });

  it('asks for a series of fewer points when many live ones piled up', () => {
    const curve = loaded(0);
    expect(curve.append(rows(0, MAX_LIVE_POINTS))).toBe('ok');
    expect(curve.append(rows(MAX_LIVE_POINTS, MAX_LIVE_POINTS + 1))).toBe('reload');
    curve.load({ ...rowsAsSeries(0, 7), exact: false, total: MAX_LIVE_POINTS + 1 });
    expect(curve.points().x).toHaveLength(7);
    expect(curve.total).toBe(MAX_LIVE_POINTS + 1);
    expect(curve.append(rows(MAX_LIVE_POINTS + 1, MAX_LIVE_POINTS + 2))).toBe('ok');
  });

  it('keeps NaN and the infinities apart from a missing value', () => {
    const curve = new Curve();
    curve.expect();
    curve.load({
      x: [0, 1, 2, 3],
      y: ['NaN', 'Infinity', '-Infinity', null],
      at: [1, 2, 3, null],
      exact: true,
      total: 4,
    });
    curve.append({ start: 4, steps: [4], values: ['NaN'], at: [5] });
    expect(curve.points().y).toEqual([NaN, Infinity, -Infinity, null, NaN]);
  });

  it('takes the row for x where no step was given', () => {
    const curve = loaded(1);
    curve.append({ start: 1, steps: [null, null], values: [7, 8], at: [null, null] });
    expect(curve.points().x).toEqual([0, 1, 2]);
  });

  it('gives the same points object until something changes', () => {
    const curve = loaded(2);
    const before = curve.points();
    expect(curve.points()).toBe(before);
    curve.append(rows(2, 3));
    expect(curve.points()).not.toBe(before);
  });
});

function rowsAsSeries(start: number, end: number): SeriesColumns {
  const { steps, values, at } = rows(start, end);
  return { x: steps ?? [], y: values, at, exact: true, total: end };
}
