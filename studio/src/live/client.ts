import { createClient as createSocket } from 'graphql-ws';
import { Client, fetchExchange, subscriptionExchange } from 'urql';
import type { CombinedError } from 'urql';
import { Emitter } from './emitter';
import { token } from './token';

const PING_MS = 10_000;
const PONG_MS = 5_000;
const HTTP = 'http';
/** The codes that a socket is closed with when its token is wrong, or is no longer right. */
const UNAUTHORIZED = 4401;
const FORBIDDEN = 4403;

/** Whether the server answers; the page shows a banner while it does not. */
export class Connection extends Emitter {
  #failing = new Set<unknown>();

  get online(): boolean {
    return this.#failing.size === 0;
  }

  /** Each user of the connection reports for itself, and takes its failure back when it stops. */
  report(user: unknown, works: boolean): void {
    const before = this.online;
    if (works) this.#failing.delete(user);
    else this.#failing.add(user);
    if (this.online !== before) this.emit();
  }
}

export const connection = new Connection();

/**
 * The socket never retries by itself: a retry would repeat the operation with the cursor it began at. `follow` asks
 * again from the last cursor instead. A peer that stops answering pings is cut off, so that a half-open connection
 * (a laptop that slept, a proxy that forgot) is noticed.
 */
function socketClient(url: string) {
  let pong: ReturnType<typeof setTimeout> | undefined;
  const socket = createSocket({
    url,
    connectionParams: () => token.headers(),
    retryAttempts: 0,
    keepAlive: PING_MS,
    lazyCloseTimeout: 3_000,
    on: {
      connected: () => connection.report(HTTP, true),
      ping: (received) => {
        if (!received) pong = setTimeout(() => socket.terminate(), PONG_MS);
      },
      pong: (received) => {
        if (received) clearTimeout(pong);
      },
      closed: (event) => {
        clearTimeout(pong);
        if (event instanceof CloseEvent && [UNAUTHORIZED, FORBIDDEN].includes(event.code)) token.refused();
      },
    },
  });
  return socket;
}

/** What went wrong, in the server's words where it had any. */
export function errorText(error: CombinedError): string {
  if (error.networkError) return `the server cannot be reached (${error.networkError.message})`;
  return error.graphQLErrors.map(({ message }) => message).join('; ');
}

/** The client of one server; `base` is the page's own origin. */
export function createClient(base: string): Client {
  const http = new URL('/graphql', base);
  const ws = new URL('/graphql', base);
  ws.protocol = http.protocol === 'https:' ? 'wss:' : 'ws:';
  const socket = socketClient(ws.href);
  return new Client({
    url: http.href,
    preferGetMethod: false,
    requestPolicy: 'network-only',
    exchanges: [
      fetchExchange,
      subscriptionExchange({
        forwardSubscription: ({ query, variables }) => ({
          subscribe: (sink) => ({
            unsubscribe: socket.subscribe(
              { query: query ?? '', variables: variables ?? {} },
              {
                next: ({ data, errors }) => sink.next({ data: data ?? null, ...(errors && { errors }) }),
                error: (error) => sink.error(error),
                complete: () => sink.complete(),
              },
            ),
          }),
        }),
      }),
    ],
    fetch: async (input, init) => {
      try {
        const headers = { ...Object.fromEntries(new Headers(init?.headers)), ...token.headers() };
        const response = await fetch(input, { ...init, headers });
        connection.report(HTTP, response.status < 500);
        if (response.status === 401) token.refused();
        return response;
      } catch (error) {
        if (!(error instanceof DOMException && error.name === 'AbortError')) connection.report(HTTP, false);
        throw error;
      }
    },
  });
}
