// CSI sequences, OSC strings ended by BEL or ST, and two-character escapes (ECMA-48, xterm control sequences).
const ESCAPE = /\x1b(?:\[([0-?]*)[ -/]*([@-~])|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])/y;
const OTHER_CONTROLS = /[\x00-\x07\x0b-\x0c\x0e-\x1f\x7f]/g;
const MAX_ROWS_UP = 100;
const MAX_COLUMNS = 20_000;

/**
 * What a terminal shows after this text: carriage returns overwrite (a progress bar is its last frame), cursor-up
 * returns to earlier rows (nested progress bars), colours and other escapes are dropped.
 */
export class Terminal {
  readonly rows: string[] = [''];
  #row = 0;
  #column = 0;
  #rest = '';

  write(text: string): void {
    const input = this.#rest + text;
    this.#rest = '';
    let i = 0;
    while (i < input.length) {
      const c = input[i]!;
      if (c === '\n') {
        this.#down(1);
        this.#column = 0;
      } else if (c === '\r') {
        this.#column = 0;
      } else if (c === '\b') {
        this.#column = Math.max(0, this.#column - 1);
      } else if (c === '\x1b') {
        ESCAPE.lastIndex = i;
        const match = ESCAPE.exec(input);
        if (match !== null) {
          if (match[2] !== undefined) this.#control(match[1] ?? '', match[2]);
          i = ESCAPE.lastIndex;
          continue;
        }
        // The chunk may end within a sequence: keep it for the next one, unless it cannot be one any more.
        if (input.length - i < 64) {
          this.#rest = input.slice(i);
          return;
        }
      } else {
        let end = i + 1;
        while (end < input.length && !'\n\r\b\x1b'.includes(input[end]!)) end++;
        this.#print(input.slice(i, end).replace(OTHER_CONTROLS, ''));
        i = end;
        continue;
      }
      i++;
    }
  }

  #print(text: string): void {
    const row = this.rows[this.#row]!;
    const room = Math.max(0, MAX_COLUMNS - this.#column);
    const shown = text.length > room ? text.slice(0, room) : text;
    this.rows[this.#row] =
      row.length <= this.#column
        ? row.padEnd(this.#column) + shown
        : row.slice(0, this.#column) + shown + row.slice(this.#column + shown.length);
    this.#column += shown.length;
  }

  #down(count: number): void {
    this.#row += count;
    while (this.rows.length <= this.#row) this.rows.push('');
  }

  #control(parameters: string, final: string): void {
    const count = Math.max(1, Number.parseInt(parameters, 10) || 1);
    if (final === 'A') this.#row = Math.max(0, this.#row - Math.min(count, MAX_ROWS_UP));
    else if (final === 'B') this.#row = Math.min(this.rows.length - 1, this.#row + count);
    else if (final === 'C') this.#column = Math.min(MAX_COLUMNS, this.#column + count);
    else if (final === 'D') this.#column = Math.max(0, this.#column - count);
    else if (final === 'G') this.#column = Math.min(MAX_COLUMNS, count - 1);
    else if (final === 'K') this.#erase(parameters);
  }

  #erase(parameters: string): void {
    const row = this.rows[this.#row]!;
    if (parameters === '2') this.rows[this.#row] = '';
    else if (parameters === '1') this.rows[this.#row] = row.slice(this.#column).padStart(row.length);
    else this.rows[this.#row] = row.slice(0, this.#column);
  }
}
