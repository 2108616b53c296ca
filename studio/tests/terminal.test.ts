import { describe, expect, it } from 'vitest';
import { Terminal } from '../src/live/terminal';

const show = (...parts: string[]) => {
  const terminal = new Terminal();
  for (const part of parts) terminal.write(part);
  return terminal.rows;
};

describe('Terminal', () => {
  it('shows the last frame of a progress bar', () => {
    expect(show('\r  0%|    |', '\r 50%|██  |', '\r100%|████|', '\ndone')).toEqual(['100%|████|', 'done']);
  });

  it('keeps what a shorter frame does not cover', () => {
    expect(show('abcdef\rXY')).toEqual(['XYcdef']);
  });

  it('reads a carriage return and newline as one line end', () => {
    expect(show('one\r\ntwo\r\n')).toEqual(['one', 'two', '']);
  });

  it('drops colours, titles and bells', () => {
    expect(show('\x1b[1;32mINFO\x1b[0m ready\x07 \x1b]0;title\x07ok')).toEqual(['INFO ready ok']);
  });

  it('takes up an escape cut in two', () => {
    expect(show('a\x1b[3', '1mred\x1b', '[0m')).toEqual(['ared']);
  });

  it('draws nested progress bars in place', () => {
    const outer = (i: number) => `\router ${i}`;
    const inner = (i: number) => `\n\rinner ${i}\x1b[A`;
    expect(show(outer(1), inner(1), inner(2), outer(2), inner(3))).toEqual(['outer 2', 'inner 3']);
  });

  it('erases to the end of the line, to its beginning, and all of it', () => {
    expect(show('abcdef\x1b[3D\x1b[K')).toEqual(['abc']);
    expect(show('abcdef\x1b[3D\x1b[1K')).toEqual(['   def']);
    expect(show('abcdef\x1b[2K')).toEqual(['']);
  });

  it('moves by backspace and column', () => {
    expect(show('abc\b\bX')).toEqual(['aXc']);
    expect(show('abc\x1b[1GX')).toEqual(['Xbc']);
  });

  it('does not climb above the first row', () => {
    expect(show('one\n\x1b[9Atwo')).toEqual(['two', '']);
  });

  it('shows an escape that never ends as text instead of waiting for ever', () => {
    const rest = '1;'.repeat(64);
    expect(show(`a\x1b[${rest}`, 'b\n').length).toBe(2);
  });
});
