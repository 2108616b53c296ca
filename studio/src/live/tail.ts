import { Terminal } from './terminal';

/** A line as the file has it, without its newline; `offset` is the byte it begins at. */
export interface RawLine {
  offset: number;
  text: string;
  /** A line of this length comes in pieces, and this is not the last one. */
  continues?: boolean;
}

/** Lines kept for the page; what is older can be asked for again. */
export const MAX_LINES = 5000;

/** A line longer than this (hours of progress bar) keeps only its last frames. */
const MAX_LINE_LENGTH = 65_536;
const KEPT_FRAMES_LENGTH = 4096;

/** `end` is the byte after the text; `begin` the byte the text begins at, past `offset` when frames were let go. */
interface Held {
  offset: number;
  text: string;
  begin: number;
  end: number;
}

const encoder = new TextEncoder();

/** Bytes of decoded text in the file: a replacement character stands for one byte that was no UTF-8. */
function byteLength(text: string): number {
  const replaced = text.split('\ufffd').length - 1;
  return encoder.encode(text).length - 2 * replaced;
}

function cut(text: string, bytes: number): string {
  let end = 0;
  let used = 0;
  for (const c of text) {
    used += byteLength(c);
    if (used > bytes) break;
    end += c.length;
  }
  return text.slice(0, end);
}

function hold({ offset, text }: RawLine): Held {
  return { offset, text, begin: offset, end: offset + byteLength(text) };
}

/** Lines with the pieces of the long ones put together. */
function whole(lines: readonly RawLine[]): Held[] {
  const out: Held[] = [];
  let open: Held | null = null;
  for (const line of lines) {
    const held = hold(line);
    if (open === null) out.push((open = held));
    else {
      open.text += held.text;
      open.end = held.end;
      shorten(open);
    }
    if (!line.continues) open = null;
  }
  return out;
}

/**
 * The end of one log file: lines read once, and the text that is written after them.
 *
 * Both are placed by byte offset. Text that arrives is what stands from its offset on, so whatever is held from
 * there on gives way to it; this joins a tail read a moment too late and a repeated delivery alike. As with curves,
 * text is taken from the moment the lines are asked for.
 */
export class Tail {
  state: 'empty' | 'loading' | 'loaded' = 'empty';
  #lines: Held[] = [];
  /** True when the last line's newline has been seen, so that more text begins a new one. */
  #ended = true;
  #waiting: RawLine[] = [];
  #terminal: Terminal | null = null;

  /** Call when the lines are asked for. */
  expect(): void {
    if (this.state === 'empty') this.state = 'loading';
  }

  /** Lets everything go, as after a reset of the stream. */
  clear(): void {
    this.#lines = [];
    this.#waiting = [];
    this.#ended = true;
    this.#terminal = null;
    this.state = 'empty';
  }

  load(lines: readonly RawLine[]): void {
    this.#lines = whole(lines);
    // Not known yet: the offset of the first text to come tells.
    this.#ended = false;
    this.#terminal = null;
    this.state = 'loaded';
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { offset, text } of waiting) this.append(offset, text);
  }

  /** Puts older lines before the ones held. */
  prepend(lines: readonly RawLine[]): void {
    const first = this.#lines[0]?.offset ?? Infinity;
    this.#lines = [...whole(lines.filter((line) => line.offset < first)), ...this.#lines];
    this.#terminal = null;
  }

  append(offset: number, text: string): void {
    if (this.state === 'empty' || text === '') return;
    if (this.state === 'loading') {
      this.#waiting.push({ offset, text });
      return;
    }
    if (!this.#cutAt(offset)) this.#terminal = null;
    this.#push(offset, text);
    this.#terminal?.write(text);
    if (this.#lines.length > MAX_LINES * 1.2) {
      this.#lines.splice(0, this.#lines.length - MAX_LINES);
      this.#terminal = null;
    }
  }

  /** What a terminal shows of the lines held. */
  rows(): readonly string[] {
    if (this.#terminal === null) {
      this.#terminal = new Terminal();
      this.#terminal.write(this.#lines.map((line) => line.text).join('\n'));
      if (this.#ended && this.#lines.length > 0) this.#terminal.write('\n');
    }
    const { rows } = this.#terminal;
    return rows[rows.length - 1] === '' ? rows.slice(0, -1) : rows;
  }

  /** Drops what is held from `offset` on; true when nothing was and the text held is known to end right there. */
  #cutAt(offset: number): boolean {
    let exact = true;
    let last = this.#lines.at(-1);
    while (last !== undefined && last.offset >= offset) {
      this.#lines.pop();
      exact = false;
      last = this.#lines.at(-1);
    }
    if (last === undefined) {
      exact &&= this.#ended;
      this.#ended = true;
    } else if (offset > last.end) {
      exact &&= this.#ended;
      this.#ended = true;
    } else {
      exact &&= !this.#ended && offset === last.end;
      this.#ended = false;
      if (offset < last.end) {
        last.text = cut(last.text, offset - last.begin);
        last.end = offset;
      }
    }
    return exact;
  }

  #push(offset: number, text: string): void {
    const parts = text.split('\n');
    let at = offset;
    for (const [i, part] of parts.entries()) {
      const last = this.#lines.at(-1);
      if (i === 0 && !this.#ended && last !== undefined) {
        last.text += part;
        last.end = at + byteLength(part);
        shorten(last);
      } else if (i < parts.length - 1 || part !== '') {
        this.#lines.push(hold({ offset: at, text: part }));
      }
      at += byteLength(part) + 1;
    }
    this.#ended = parts.length > 1 && parts.at(-1) === '';
  }
}

function shorten(line: Held): void {
  if (line.text.length <= MAX_LINE_LENGTH) return;
  const frame = line.text.lastIndexOf('\r', line.text.length - KEPT_FRAMES_LENGTH);
  if (frame < 0) return;
  line.text = line.text.slice(frame);
  line.begin = line.end - byteLength(line.text);
}
