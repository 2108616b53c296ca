import type uPlot from 'uplot';
import { formatNumber } from '../live/format';

const MAX_ROWS = 10;

/** The values under the pointer, greatest first; drawn by hand, since it moves with every pixel. */
export class Tooltip {
  #box = document.createElement('div');
  #host: HTMLElement;

  constructor(host: HTMLElement) {
    this.#host = host;
    this.#box.className = 'tooltip';
    this.#box.hidden = true;
    this.#box.setAttribute('role', 'presentation');
    host.append(this.#box);
  }

  remove(): void {
    this.#box.remove();
  }

  show(u: uPlot, label: (x: number) => string): void {
    const { left, idx, idxs } = u.cursor;
    // Charts share one cursor: only the one under the pointer says its values.
    const mine = this.#host.matches(':hover');
    if (!mine || left === undefined || left < 0 || idx == null) {
      this.#box.hidden = true;
      return;
    }
    const rows = u.series.flatMap((series, i) => {
      const index = idxs?.[i];
      const value = i === 0 || index == null || !series.show ? null : u.data[i]?.[index];
      return value == null ? [] : [{ name: String(series.label), value, color: u.series[i]!.stroke }];
    });
    rows.sort((a, b) => b.value - a.value);
    const x = u.data[0][idx];
    const title = document.createElement('b');
    title.textContent = x === undefined ? '' : label(x);
    this.#box.replaceChildren(title, ...rows.slice(0, MAX_ROWS).map((row) => line(u, row, rows.length > 1)));
    if (rows.length > MAX_ROWS) this.#box.append(`and ${rows.length - MAX_ROWS} more`);
    this.#box.hidden = false;
    const over = u.over.getBoundingClientRect();
    const host = this.#host.getBoundingClientRect();
    const at = over.left - host.left + left;
    const right = at > host.width / 2;
    this.#box.style.left = right ? '' : `${at + 12}px`;
    this.#box.style.right = right ? `${host.width - at + 12}px` : '';
  }
}

function line(
  u: uPlot,
  { name, value, color }: { name: string; value: number; color: uPlot.Series['stroke'] },
  named: boolean,
): HTMLElement {
  const row = document.createElement('div');
  if (named) {
    const dot = document.createElement('i');
    dot.style.background = String(typeof color === 'function' ? color(u, 0) : color);
    const text = document.createElement('span');
    text.textContent = name;
    row.append(dot, text);
  }
  const number = document.createElement('span');
  number.className = 'value';
  number.textContent = formatNumber(value);
  row.append(number);
  return row;
}
