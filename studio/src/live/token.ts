import { Emitter } from './emitter';

const KEY = 'graphql-runs token';

/** The token that the server asks for, if it does. It is kept for this tab only. */
class Token extends Emitter {
  /** The server refused the last request: the page asks for a token. */
  wanted = false;

  headers(): Record<string, string> {
    const token = sessionStorage.getItem(KEY);
    return token === null ? {} : { authorization: `Bearer ${token}` };
  }

  refused(): void {
    if (this.wanted) return;
    this.wanted = true;
    this.emit();
  }

  /** Everything asks anew with it. */
  set(token: string): void {
    sessionStorage.setItem(KEY, token.trim());
    window.location.reload();
  }
}

export const token = new Token();
