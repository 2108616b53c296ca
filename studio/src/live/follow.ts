import type { TadaDocumentNode } from 'gql.tada';
import type { Client } from 'urql';
import { onEnd, pipe, subscribe } from 'wonka';
import { connection, errorText } from './client';

const FIRST_DELAY_MS = 500;
const LONGEST_DELAY_MS = 10_000;

interface TreeVariables {
  run: string;
  after?: string | null;
}

export interface Follower<Update> {
  update: (update: Update) => void;
  /** The server refused the operation itself (an unknown run, say); trying again would not help. */
  refused: (message: string) => void;
}

/**
 * Follows a run tree until the returned function is called. A lost connection is taken up again from the cursor of
 * the last update, waiting longer each time it fails, at once when the browser says the network is back.
 */
export function follow<Update extends { cursor: string }, Variables extends TreeVariables>(
  client: Client,
  document: TadaDocumentNode<{ runTree: Update }, Variables>,
  variables: Variables,
  follower: Follower<Update>,
): () => void {
  let after = variables.after ?? null;
  let failures = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let stop: () => void = () => undefined;
  let done = false;
  let waiting = false;
  const user = {};

  const retry = () => {
    stop();
    waiting = true;
    connection.report(user, false);
    const longest = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** failures++);
    // Half fixed, half random: many pages must not come back to a restarted server in step.
    timer = setTimeout(start, longest / 2 + (Math.random() * longest) / 2);
  };

  const start = () => {
    clearTimeout(timer);
    waiting = false;
    let over = false;
    const once = (then: () => void) => {
      if (!over && !done) {
        over = true;
        // Not within urql's own call: it would still count the ended operation as active.
        queueMicrotask(() => {
          if (!done) then();
        });
      }
    };
    const source = client.subscription(document, { ...variables, after });
    const { unsubscribe } = pipe(
      source,
      onEnd(() => once(retry)),
      subscribe((result) => {
        if (over || done) return;
        if (result.error?.networkError) {
          once(retry);
        } else if (result.error) {
          const message = errorText(result.error);
          once(() => {
            stop();
            connection.report(user, true);
            follower.refused(message);
          });
        } else if (result.data) {
          failures = 0;
          connection.report(user, true);
          after = result.data.runTree.cursor;
          follower.update(result.data.runTree);
        }
      }),
    );
    stop = unsubscribe;
  };

  const wake = () => {
    if (waiting) start();
  };
  window.addEventListener('online', wake);
  start();
  return () => {
    done = true;
    clearTimeout(timer);
    window.removeEventListener('online', wake);
    connection.report(user, true);
    stop();
  };
}
