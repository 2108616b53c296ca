import { describe, expect, it } from 'vitest';
import { parseCell } from '../src/live/cell';
import { formatAgo, formatBytes, formatDuration, formatNumber } from '../src/live/format';

describe('parseCell', () => {
  it.each([
    [1.5, 1.5],
    ['NaN', NaN],
    ['Infinity', Infinity],
    ['-Infinity', -Infinity],
    [null, null],
  ] as const)('reads %s', (wire, value) => expect(parseCell(wire)).toBe(value));

  it('refuses what is no number', () => {
    expect(() => parseCell('nan' as 'NaN')).toThrow(/"nan"/);
  });
});

describe('formatDuration', () => {
  it.each([
    [0, '0 s'],
    [0.44, '0.4 s'],
    [9, '9 s'],
    [59.4, '59 s'],
    [59.7, '1 m 00 s'],
    [185, '3 m 05 s'],
    [7620, '2 h 07 m'],
    [273_600, '3 d 04 h'],
    [NaN, '–'],
  ])('says %d seconds as %s', (seconds, text) => expect(formatDuration(seconds)).toBe(text));
});

describe('formatAgo', () => {
  it.each([
    [3, 'just now'],
    [47, '40 s ago'],
    [3599, '59 min ago'],
    [86_399, '23 h ago'],
    [200_000, '2 d ago'],
  ])('says %d seconds ago as %s', (seconds, text) => expect(formatAgo(seconds)).toBe(text));
});

describe('formatNumber', () => {
  it.each([
    [0, '0'],
    [-3, '−3'],
    [0.1 + 0.2, '0.3'],
    [123.456789, '123.46'],
    [0.00001234, '1.234e−5'],
    [12_345_678, '1.235e+7'],
    [NaN, 'NaN'],
    [Infinity, '+Inf'],
    [-Infinity, '−Inf'],
    [null, '–'],
  ])('says %d as %s', (value, text) => expect(formatNumber(value)).toBe(text));
});

describe('formatBytes', () => {
  it.each([
    [0, '0 B'],
    [1023, '1023 B'],
    [1536, '1.5 KiB'],
    [300 * 1024 * 1024, '300 MiB'],
  ])('says %d bytes as %s', (bytes, text) => expect(formatBytes(bytes)).toBe(text));
});
