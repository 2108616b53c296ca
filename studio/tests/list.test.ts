import { describe, expect, it } from 'vitest';
import { joinPages, subtree } from '../src/live/list';
import type { RunRow } from '../src/operations';

const run = (id: string, parent: string | null, createdAt: string): RunRow =>
  ({ id, createdAt, parent: parent && { id: parent, displayName: parent } }) as RunRow;

describe('joinPages', () => {
  it('keeps a run that new ones pushed out of the first page', () => {
    expect(joinPages(['new', 'a'], ['a', 'b', 'c'])).toEqual(['new', 'a', 'b', 'c']);
  });
});

describe('subtree', () => {
  it('lists each run after its parent, siblings oldest first, other trees left out', () => {
    const rows = [
      run('late', 'root', '2026-01-03'),
      run('early', 'root', '2026-01-01'),
      run('below', 'early', '2026-01-02'),
      run('other', 'elsewhere', '2026-01-01'),
      run('root', null, '2026-01-01'),
    ];
    const listed = subtree(rows, 'root').map(({ run: { id }, level }) => [id, level]);
    expect(listed).toEqual([
      ['early', 1],
      ['below', 2],
      ['late', 1],
    ]);
  });
});
