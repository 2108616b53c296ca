import type { Cell } from '../graphql';

/** A wire value as a number: "NaN" and the infinities become themselves, a missing value stays null. */
export function parseCell(cell: Cell): number | null {
  if (cell === null || typeof cell === 'number') return cell;
  if (cell === 'NaN') return NaN;
  if (cell === 'Infinity') return Infinity;
  if (cell === '-Infinity') return -Infinity;
  throw new TypeError(`not a number on the wire: ${JSON.stringify(cell)}`);
}
