// What every client is put through: ask, write, subscribe, drop, resume. A client is `{ ask, follow }`: `ask(query, variables)`
// gives the data of an answer, `follow(query, variables, sink)` calls `sink.next(data)`, `sink.error(error)` and
// `sink.complete()`, and gives a function that stops it.
//
// `node CLIENT.js URL TOKEN` goes through it from the beginning and prints `{ run, cursor }`;
// `node CLIENT.js URL TOKEN RUN CURSOR` goes on from there.
import assert from 'node:assert/strict';

const CREATE = `mutation ($input: CreateRunInput!) { createRun(input: $input) { run { id } } }`;
const RECORD = `mutation ($input: RecordInput!) { record(input: $input) { repeated } }`;
const TREE = `subscription ($run: ID!, $after: String, $until: StatusClass) {
  runTree(run: $run, after: $after, until: $until, throttle: 0) {
    cursor caughtUp reset metrics { name start values }
  }
}`;
const RUNS = `subscription ($workspace: String!) {
  runs(workspace: $workspace, filter: { status: { class: TERMINAL } }, throttle: 0) {
    cursor changed { id status } left
  }
}`;
const PATIENCE_MS = 30_000;

/** The values of one metric as they come; a gap or a repetition fails. */
class Held {
  constructor(values, cursor) {
    this.values = values;
    this.cursor = cursor;
  }

  take({ runTree }) {
    this.cursor = runTree.cursor;
    assert.equal(runTree.reset, false);
    for (const { start, values } of runTree.metrics) {
      assert.equal(start, this.values.length);
      this.values.push(...values);
    }
  }
}

/** Follow until `enough` says so, then drop. `during` is done once the first message is there. */
function until(client, query, variables, take, enough, during = async () => {}) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('nothing came for too long')), PATIENCE_MS);
    let stop;
    let done = false;
    let first = true;
    const finish = (settle, value) => {
      if (done) return;
      done = true;
      clearTimeout(timer);
      setTimeout(() => {
        stop?.();
        settle(value);
      });
    };
    stop = client.follow(query, variables, {
      next: (data) => {
        if (done) return;
        try {
          take(data);
          if (enough()) finish(resolve, 'dropped');
        } catch (error) {
          finish(reject, error);
        }
        if (first) during().catch((error) => finish(reject, error));
        first = false;
      },
      error: (error) => finish(reject, error),
      complete: () => finish(resolve, 'complete'),
    });
  });
}

export async function scenario(makeClient) {
  const [url, token, run, cursor] = process.argv.slice(2);
  const client = makeClient({ url, ws: url.replace('http', 'ws'), headers: { authorization: `Bearer ${token}` } });
  const record = (id, values, more = {}) =>
    client.ask(RECORD, { input: { run: id, points: [{ metric: 'loss', values }], ...more } });
  if (run === undefined) console.log(JSON.stringify(await begin(client, record)));
  else await resume(client, record, run, cursor);
  await client.close?.();
}

async function begin(client, record) {
  assert.deepEqual((await client.ask('{ viewer { authenticated } }', {})).viewer.authenticated, true);
  const input = { experiment: 'e', name: 'a', runId: `a-${process.pid}`, status: { status: 'RUNNING' } };
  const run = (await client.ask(CREATE, { input })).createRun.run.id;
  await record(run, [0, 1, 'NaN']);

  const held = new Held([], null);
  await until(client, TREE, { run }, (data) => held.take(data), () => held.values.length === 5, () => record(run, [3, 4]));
  assert.deepEqual(held.values, [0, 1, 'NaN', 3, 4]);
  // What is written while nobody follows is told later.
  await record(run, [5, 6]);

  await assert.rejects(until(client, TREE, { run: 'nobody' }, () => {}, () => false));
  return { run, cursor: held.cursor };
}

async function resume(client, record, run, cursor) {
  const held = new Held([0, 1, 'NaN', 3, 4], cursor);
  const wait = until(client, TREE, { run, after: held.cursor, until: 'TERMINAL' }, (data) => held.take(data), () => false, () =>
    record(run, [7], { status: { status: 'COMPLETED' } }),
  );
  assert.equal(await wait, 'complete');
  assert.deepEqual(held.values, [0, 1, 'NaN', 3, 4, 5, 6, 7]);

  const list = new Map();
  await until(
    client,
    RUNS,
    { workspace: 'default' },
    ({ runs }) => runs.changed.forEach(({ id, status }) => list.set(id, status)),
    () => list.get(run) === 'COMPLETED',
  );
}
