import { describe, expect, it } from 'vitest';
import { MAX_LINES, Tail } from '../src/live/tail';
import type { RawLine } from '../src/live/tail';

const encoder = new TextEncoder();

/** The last lines of a file, as the server gives them. */
function lines(file: string, last = 200): RawLine[] {
  const out: RawLine[] = [];
  let offset = 0;
  const parts = file.split('\n');
  if (parts.at(-1) === '') parts.pop();
  for (const text of parts) {
    out.push({ offset, text });
    offset += encoder.encode(text).length + 1;
  }
  return out.slice(-last);
}

/** Text of the file from a byte on, as an update carries it. */
function from(file: string, offset: number): [number, string] {
  return [offset, new TextDecoder().decode(encoder.encode(file).slice(offset))];
}

const opened = (file: string) => {
  const tail = new Tail();
  tail.expect();
  tail.load(lines(file));
  return tail;
};

describe('Tail', () => {
  it.each([
    ['a finished line', 'one\ntwo\n'],
    ['an unfinished line', 'one\ntw'],
    ['an empty line', 'one\n\n'],
    ['letters of several bytes', 'eins\nzwölf ✓'],
    ['nothing', ''],
  ])('continues after %s', (_, held) => {
    const tail = opened(held);
    const file = `${held}more\nand more\n`;
    tail.append(...from(file, encoder.encode(held).length));
    expect(tail.rows()).toEqual(file.split('\n').slice(0, -1));
  });

  it('has each byte once when the tail was read later than the cursor it is continued from', () => {
    const file = 'one\ntwo\nthree\nfour\n';
    for (let cursor = 0; cursor <= file.length; cursor++) {
      for (let read = cursor; read <= file.length; read++) {
        const tail = opened(file.slice(0, read));
        tail.append(...from(file, cursor));
        expect(tail.rows(), `cursor ${cursor}, read ${read}`).toEqual(['one', 'two', 'three', 'four']);
      }
    }
  });

  it('has each byte once in whatever pieces the text arrives', () => {
    const file = 'alpha\nbeta\r\ngamma\n\ndelta ✓\nend';
    const bytes = encoder.encode(file).length;
    for (let size = 1; size <= bytes; size++) {
      const tail = opened('');
      let offset = 0;
      for (const part of file.match(new RegExp(`[^]{1,${size}}`, 'gu')) ?? []) {
        tail.append(offset, part);
        tail.rows();
        offset += encoder.encode(part).length;
      }
      expect(tail.rows(), `pieces of ${size}`).toEqual(['alpha', 'beta', 'gamma', '', 'delta ✓', 'end']);
    }
  });

  it('takes text that arrives while the lines are on their way', () => {
    const tail = new Tail();
    tail.expect();
    tail.append(4, 'two\n');
    tail.append(8, 'three\n');
    tail.load(lines('one\ntwo\n'));
    expect(tail.rows()).toEqual(['one', 'two', 'three']);
  });

  it('holds nothing until its lines are asked for', () => {
    const tail = new Tail();
    tail.append(0, 'one\n');
    expect(tail.rows()).toEqual([]);
  });

  it('repeats nothing after a second delivery', () => {
    const tail = opened('one\n');
    tail.append(4, 'two\nthree\n');
    tail.append(4, 'two\nthree\n');
    tail.append(14, 'four\n');
    expect(tail.rows()).toEqual(['one', 'two', 'three', 'four']);
  });

  it('puts earlier lines first', () => {
    const file = 'one\ntwo\nthree\n';
    const tail = new Tail();
    tail.expect();
    tail.load(lines(file, 1));
    tail.prepend(lines(file, 3));
    expect(tail.rows()).toEqual(['one', 'two', 'three']);
  });

  it('continues a line with bytes that were no UTF-8', () => {
    const tail = new Tail();
    tail.expect();
    tail.load([{ offset: 0, text: 'x\ufffdy' }]);
    tail.append(3, 'z\n');
    tail.append(5, 'next\n');
    expect(tail.rows()).toEqual(['x\ufffdyz', 'next']);
  });

  it('puts the pieces of a long line together', () => {
    const tail = new Tail();
    tail.expect();
    tail.load([
      { offset: 0, text: 'abc', continues: true },
      { offset: 3, text: 'def', continues: false },
      { offset: 7, text: 'ghi', continues: false },
    ]);
    tail.append(10, 'j\n');
    expect(tail.rows()).toEqual(['abcdef', 'ghij']);
  });

  it('lets the oldest lines go', () => {
    const tail = opened('');
    let offset = 0;
    for (let i = 0; i < MAX_LINES * 2; i++) {
      tail.append(offset, `${i}\n`);
      offset += `${i}\n`.length;
    }
    expect(tail.rows().length).toBeLessThanOrEqual(MAX_LINES * 1.2);
    expect(tail.rows().at(-1)).toBe(`${MAX_LINES * 2 - 1}`);
  });

  it('shows the last frame of a progress bar that has been drawn for hours', () => {
    const tail = opened('start\n');
    let offset = 6;
    for (let i = 0; i <= 5000; i++) {
      const frame = `\rstep ${String(i).padStart(5)} of 5000`;
      tail.append(offset, frame);
      offset += frame.length;
    }
    tail.prepend([]);
    expect(tail.rows()).toEqual(['start', 'step  5000 of 5000']);
    tail.append(offset, '\ndone\n');
    expect(tail.rows()).toEqual(['start', 'step  5000 of 5000', 'done']);
  });
});
