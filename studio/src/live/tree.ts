import type { Client } from 'urql';
import {
  logLinesQuery,
  moreMetricsQuery,
  pairSeriesQuery,
  runFactsQuery,
  runQuery,
  runTreeSubscription,
  seriesQuery,
  treeStatusSubscription,
} from '../operations';
import type { LogFacts, MetricFacts, RunDetails, RunRow, SummaryFacts, TreeUpdate } from '../operations';
import { errorText } from './client';
import { Curve, parseSeries } from './curve';
import type { Points } from './curve';
import { Emitter } from './emitter';
import { follow } from './follow';
import { Tail } from './tail';

const FACTS_MS = 5_000;
const FACTS_DELAY_MS = 300;
const RELOAD_MS = 3_000;
const SERIES_PER_QUERY = 50;
const FIRST_LINES = 200;
const EARLIER_LINES = 1000;

/** One metric of one run: a curve on the chart of its name. */
export interface Entry {
  facts: MetricFacts;
  run: string;
  summary: SummaryFacts;
  curve: Curve;
  askedAt: number;
}

/** What the page draws of a metric: a line by step, one column over another, or nothing yet. */
export function drawing({ chart, chartColumns }: MetricFacts): 'line' | 'pair' | 'none' {
  if (chart === 'SINGLE_LINE') return 'line';
  return chart === 'TWO_VARIABLE_LINE' && chartColumns.length === 2 ? 'pair' : 'none';
}

/** Everything of one metric name, over the run and those below it. */
export class Chart extends Emitter {
  readonly entries = new Map<string, Entry>();
  /** Charts out of sight hold no points. */
  wanted = false;

  constructor(readonly name: string) {
    super();
  }
}

export class LogView extends Emitter {
  readonly tail = new Tail();
  hasEarlier = false;
  before: string | null = null;
  error: string | null = null;

  constructor(
    public facts: LogFacts,
    readonly run: string,
  ) {
    super();
  }
}

/**
 * A run with everything below it, kept live: read once, then followed from the cursor of that read. Emits when the
 * run's facts, the set of runs, metrics or logs, or a status changes; each chart and log emits for itself.
 */
export class RunTree extends Emitter {
  details: RunDetails | null = null;
  error: string | null = null;
  missing = false;
  parent: RunRow | null = null;
  readonly runs = new Map<string, RunRow>();
  readonly charts = new Map<string, Chart>();
  readonly logs = new Map<string, LogView>();
  metricsAfter: string | null = null;
  metricCount = 0;
  descendantCount = 0;
  #stop: (() => void)[] = [];
  #timers = new Map<string, ReturnType<typeof setTimeout>>();
  #pending = new Set<Entry>();
  #closed = false;
  #openings = 0;

  constructor(
    readonly client: Client,
    readonly id: string,
  ) {
    super();
  }

  get self(): RunRow | undefined {
    return this.details ? this.runs.get(this.details.id) : undefined;
  }

  /** Reads and follows until `close`. */
  async open(): Promise<void> {
    this.#closed = false;
    const opening = ++this.#openings;
    const { data, error } = await this.client.query(runQuery, { id: this.id }).toPromise();
    if (this.#closed || opening !== this.#openings) return;
    if (!data?.run) {
      this.missing =
        error === undefined || error.graphQLErrors.some((e) => e.extensions['code'] === 'NOT_FOUND');
      this.error = error ? errorText(error) : null;
      this.emit();
      if (!this.missing) this.#later('open', FACTS_MS, () => void this.open());
      return;
    }
    this.error = null;
    this.#take(data.run);
    this.#follow(data.run);
    this.#pollFacts();
    this.emit();
  }

  close(): void {
    this.#closed = true;
    this.#halt();
  }

  /** Asks for the points of a chart that came into sight. */
  want(chart: Chart, wanted: boolean): void {
    chart.wanted = wanted;
    if (!wanted) return;
    for (const entry of chart.entries.values()) if (entry.curve.state === 'empty') this.#ask(entry);
  }

  /** Points of these metrics between two steps, as many as a whole curve would have. */
  async readWindow(ids: string[], from: number, to: number): Promise<Map<string, Points>> {
    const { data } = await this.client.query(seriesQuery, { ids, from, to }).toPromise();
    const found = new Map<string, Points>();
    for (const node of data?.nodes ?? []) {
      if (node?.__typename === 'Metric') found.set(node.id, parseSeries(node.series));
    }
    return found;
  }

  async moreMetrics(): Promise<void> {
    const page = await this.#readMetrics({ after: this.metricsAfter });
    if (page !== null) this.metricsAfter = page.hasNextPage ? page.endCursor : null;
    this.emit();
  }

  /** Reads metrics with this text in their name that no page so far had. */
  async findMetrics(contains: string): Promise<void> {
    if (this.metricsAfter === null || contains === '') return;
    await this.#readMetrics({ contains });
    this.emit();
  }

  async #readMetrics(what: { after?: string | null; contains?: string }) {
    const { data } = await this.client.query(moreMetricsQuery, { id: this.id, ...what }).toPromise();
    if (!data?.run) return null;
    for (const node of data.run.metrics.nodes) this.#metric(node, data.run.id, node.summary);
    return data.run.metrics.pageInfo;
  }

  /** Reads the end of a log file once; live text joins from then on. */
  async openLog(log: LogView): Promise<void> {
    if (log.tail.state !== 'empty') return;
    log.tail.expect();
    await this.#readLines(log, FIRST_LINES, null);
  }

  async earlierLines(log: LogView): Promise<void> {
    if (log.before !== null) await this.#readLines(log, EARLIER_LINES, log.before);
  }

  async #readLines(log: LogView, last: number, before: string | null): Promise<void> {
    const { data, error } = await this.client
      .query(logLinesQuery, { id: log.facts.id, last, before })
      .toPromise();
    if (data?.node?.__typename === 'LogFile') {
      const { nodes, pageInfo } = data.node.lines;
      if (before === null) log.tail.load(nodes);
      else log.tail.prepend(nodes);
      log.hasEarlier = pageInfo.hasPreviousPage;
      log.before = pageInfo.hasPreviousPage ? pageInfo.startCursor : null;
      log.error = null;
    } else {
      log.error = error ? errorText(error) : 'this log file is gone';
      if (before === null) log.tail.clear();
    }
    log.emit();
  }

  #take(run: RunDetails): void {
    const first = this.details === null;
    this.details = run;
    this.parent = run.parent;
    this.runs.set(run.id, run);
    for (const node of run.metrics.nodes) this.#metric(node, run.id, node.summary);
    for (const log of run.logs) this.#log(log, run.id);
    if (first) this.metricsAfter = run.metrics.pageInfo.hasNextPage ? run.metrics.pageInfo.endCursor : null;
    this.metricCount = run.metrics.totalCount;
    this.descendantCount = run.descendants.totalCount;
    // The newest are given, and first; the page has them in the order they came.
    for (const child of run.descendants.nodes.toReversed()) {
      this.runs.set(child.id, child);
      for (const node of child.metrics.nodes) this.#metric(node, child.id, node.summary);
      for (const log of child.logs) this.#log(log, child.id);
    }
  }

  #follow(run: RunDetails): void {
    const refused = (message: string) => {
      this.error = message;
      this.emit();
    };
    this.#stop.push(
      follow(
        this.client,
        runTreeSubscription,
        { run: run.id, after: run.liveCursor },
        { update: (update) => this.#update(update), refused },
      ),
    );
    if (run.parent !== null) {
      const { id } = run.parent;
      const update = ({ runs }: { runs: RunRow[] }) => {
        const parent = runs.find((row) => row.id === id);
        if (parent === undefined) return;
        this.parent = parent;
        this.emit();
      };
      this.#stop.push(
        follow(this.client, treeStatusSubscription, { run: id, metrics: [] }, { update, refused }),
      );
    }
  }

  #update(update: TreeUpdate): void {
    if (update.reset || update.gap !== null) {
      this.#restart();
      return;
    }
    let changed = false;
    for (const run of update.runs) {
      if (!this.runs.has(run.id)) this.descendantCount++;
      this.runs.set(run.id, run);
      changed = true;
      if (run.id === this.details?.id) this.#later('facts', FACTS_DELAY_MS, () => void this.#readFacts());
    }
    const touched = new Set<Chart>();
    for (const { metric, start, steps, values, at, summary } of update.metrics) {
      const known = this.charts.get(metric.name)?.entries.has(metric.id) === true;
      changed ||= !known;
      const [chart, entry] = this.#metric(metric, metric.run.id, summary);
      touched.add(chart);
      if (drawing(metric) === 'pair') {
        // Its x is a column that updates do not carry.
        if (chart.wanted) this.#ask(entry);
      } else if (entry.curve.append({ start, steps, values, at }) === 'reload') this.#ask(entry);
      else if (chart.wanted && entry.curve.state === 'empty') this.#ask(entry);
    }
    for (const chart of touched) chart.emit();
    for (const { log, offset, text } of update.logs) {
      changed ||= !this.logs.has(log.id);
      const view = this.#log(log, log.run.id);
      view.tail.append(offset, text);
      view.emit();
    }
    if (changed) this.emit();
  }

  #metric(facts: MetricFacts, run: string, summary: SummaryFacts): [Chart, Entry] {
    let chart = this.charts.get(facts.name);
    if (chart === undefined) {
      chart = new Chart(facts.name);
      this.charts.set(facts.name, chart);
    }
    let entry = chart.entries.get(facts.id);
    if (entry === undefined) {
      entry = { facts, run, summary, curve: new Curve(), askedAt: 0 };
      chart.entries.set(facts.id, entry);
    }
    entry.summary = summary;
    return [chart, entry];
  }

  #log(facts: LogFacts, run: string): LogView {
    let view = this.logs.get(facts.id);
    if (view === undefined) {
      view = new LogView(facts, run);
      this.logs.set(facts.id, view);
    }
    view.facts = facts;
    return view;
  }

  /** Queues a series to be read; several are read in one query, the same one at most once in a few seconds. */
  #ask(entry: Entry): void {
    if (this.#pending.has(entry) || drawing(entry.facts) === 'none') return;
    entry.curve.expect();
    this.#pending.add(entry);
    const wait = Math.max(0, entry.askedAt + RELOAD_MS - Date.now());
    const key = wait === 0 ? 'series' : `series ${entry.facts.id}`;
    this.#later(key, wait, () => void this.#readSeries(wait === 0 ? [...this.#pending] : [entry]));
  }

  async #readSeries(entries: Entry[]): Promise<void> {
    const due = entries.filter((entry) => this.#pending.has(entry)).slice(0, SERIES_PER_QUERY);
    if (due.length === 0) return;
    for (const entry of due) {
      this.#pending.delete(entry);
      entry.askedAt = Date.now();
    }
    if (entries.length > SERIES_PER_QUERY) void this.#readSeries(entries.slice(SERIES_PER_QUERY));
    const lines = due.filter((entry) => drawing(entry.facts) === 'line').map((entry) => entry.facts.id);
    const pairs = due.filter((entry) => drawing(entry.facts) === 'pair');
    const answers = await Promise.all([
      ...(lines.length > 0 ? [this.client.query(seriesQuery, { ids: lines }).toPromise()] : []),
      ...pairs.map(async ({ facts: { id, chartColumns } }) => {
        const [x = '', y = ''] = chartColumns;
        const { data } = await this.client.query(pairSeriesQuery, { id, x, y }).toPromise();
        return { data: { nodes: [data?.node ?? null] } };
      }),
    ]);
    if (this.#closed) return;
    const nodes = answers.flatMap(({ data }) => data?.nodes ?? []);
    const found = new Map(
      nodes.flatMap((node) => (node?.__typename === 'Metric' ? [[node.id, node.series] as const] : [])),
    );
    for (const entry of due) {
      const series = found.get(entry.facts.id);
      if (series === undefined) entry.curve.clear();
      else entry.curve.load(series);
      this.charts.get(entry.facts.name)?.emit();
    }
  }

  #pollFacts(): void {
    this.#later('poll', FACTS_MS, () => {
      const row = this.self;
      if (row !== undefined && row.statusClass !== 'TERMINAL' && document.visibilityState === 'visible')
        void this.#readFacts();
      this.#pollFacts();
    });
  }

  async #readFacts(): Promise<void> {
    const { data } = await this.client.query(runFactsQuery, { id: this.id }).toPromise();
    if (this.#closed || !data?.run || this.details === null) return;
    const { status, statusClass, stale, endedAt, duration, ...facts } = data.run;
    this.details = { ...this.details, ...facts };
    const row = this.self;
    if (row !== undefined) this.runs.set(row.id, { ...row, status, statusClass, stale, endedAt, duration });
    this.emit();
  }

  /** The stream could not go on where it was: everything is read anew. */
  #restart(): void {
    this.#halt();
    for (const chart of this.charts.values()) {
      for (const { curve } of chart.entries.values()) curve.clear();
    }
    const open = [...this.logs.values()].filter((log) => log.tail.state !== 'empty');
    for (const log of open) log.tail.clear();
    void this.open().then(() => {
      for (const chart of this.charts.values()) if (chart.wanted) this.want(chart, true);
      for (const log of open) void this.openLog(log);
    });
  }

  #halt(): void {
    for (const stop of this.#stop.splice(0)) stop();
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
    this.#pending.clear();
  }

  #later(key: string, delay: number, then: () => void): void {
    if (this.#timers.has(key) || this.#closed) return;
    this.#timers.set(
      key,
      setTimeout(() => {
        this.#timers.delete(key);
        then();
      }, delay),
    );
  }
}
