import { describe, expect, it } from 'vitest';
import { place } from '../src/live/plot';

describe('place', () => {
  it('leaves a gap at a value that is not finite and marks it', () => {
    const points = { x: [0, 1, 2, 3], y: [1, NaN, Infinity, null], at: [10, 11, 12, 13] };
    expect(place(points, 'step', 0)).toEqual({
      x: [0, 1, 2, 3],
      y: [1, null, null, null],
      nonFinite: [
        { x: 1, value: NaN },
        { x: 2, value: Infinity },
      ],
    });
  });

  it('sorts the steps of a job that restarted, equal ones as written', () => {
    const points = { x: [0, 1, 2, 1, 2], y: [1, 2, 3, 4, 5], at: [1, 2, 3, 4, 5] };
    const { x, y } = place(points, 'step', 0);
    expect(x).toEqual([0, 1, 1, 2, 2]);
    expect(y).toEqual([1, 2, 4, 3, 5]);
  });

  it('counts seconds from the origin, or shows the clock, and skips points without a time', () => {
    const points = { x: [0, 1, 2], y: [1, 2, 3], at: [100, null, 130] };
    expect(place(points, 'relative', 100)).toMatchObject({ x: [0, 30], y: [1, 3] });
    expect(place(points, 'wall', 100)).toMatchObject({ x: [100, 130], y: [1, 3] });
  });
});
