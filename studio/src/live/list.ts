import type { ResultOf } from 'gql.tada';
import type { Client, OperationResult } from 'urql';
import {
  descendantsQuery,
  overviewQuery,
  primaryMetricsQuery,
  runsQuery,
  treeStatusSubscription,
} from '../operations';
import type { ClusterFacts, RunRow, RunsVariables, SourceFacts } from '../operations';
import { parseCell } from './cell';
import { errorText } from './client';
import { Emitter } from './emitter';
import { follow } from './follow';
import { primaryMetric } from './status';

const POLL_MS = 2_000;
const PAGE = 50;
const METRICS_DELAY_MS = 100;
const IDS_PER_QUERY = 50;
/** Trees followed at once; what is beyond moves with the poll. */
const MAX_FOLLOWED = 32;

export interface ListQuery {
  workspace: string;
  filter: RunsVariables['filter'];
  /** What the status counts are taken over: the filter without its status. */
  counted: RunsVariables['filter'];
  orderBy: RunsVariables['orderBy'];
}

export interface ListedRow {
  run: RunRow;
  level: number;
  children: number;
  expanded: boolean;
}

/** Joins a fresh first page with what was loaded after the old one; a run pushed out of it stays in between. */
export function joinPages(first: readonly string[], listed: readonly string[]): string[] {
  const fresh = new Set(first);
  return [...first, ...listed.filter((id) => !fresh.has(id))];
}

/** Runs below `root`, each after its parent, oldest first. */
export function subtree(rows: Iterable<RunRow>, root: string): { run: RunRow; level: number }[] {
  const children = new Map<string, RunRow[]>();
  for (const run of rows) {
    if (run.parent === null) continue;
    const siblings = children.get(run.parent.id);
    if (siblings === undefined) children.set(run.parent.id, [run]);
    else siblings.push(run);
  }
  const out: { run: RunRow; level: number }[] = [];
  const visit = (id: string, level: number) => {
    const below = children.get(id) ?? [];
    below.sort((a, b) => a.createdAt.localeCompare(b.createdAt) || a.id.localeCompare(b.id));
    for (const run of below) {
      out.push({ run, level });
      visit(run.id, level + 1);
    }
  };
  visit(root, 1);
  return out;
}

/**
 * The runs of a workspace as a list of pages. Trees that are in sight and not over are followed live; a gentle poll
 * of the first page finds new runs, and everything that is not followed.
 */
export class RunList extends Emitter {
  query: ListQuery | null = null;
  loaded = false;
  missing = false;
  error: string | null = null;
  total = 0;
  clusters: ClusterFacts[] = [];
  sources: SourceFacts[] = [];
  counts: { status: RunRow['status']; count: number }[] = [];
  readonly rows = new Map<string, RunRow>();
  /** Last value of the primary metric, by run. */
  readonly primary = new Map<string, number | null>();
  #order: string[] = [];
  #childCounts = new Map<string, number>();
  #toggled = new Map<string, boolean>();
  #after: string | null = null;
  #pages = 0;
  /** When a run was last told live, so that an older answer to a poll does not put it back. */
  #toldAt = new Map<string, number>();
  #followed = new Map<string, { metrics: ReadonlySet<string>; stop: () => void }>();
  #asked = new Map<string, string>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #metricsTimer: ReturnType<typeof setTimeout> | undefined;
  #generation = 0;

  constructor(readonly client: Client) {
    super();
  }

  get hasMore(): boolean {
    return this.#after !== null;
  }

  open(query: ListQuery): void {
    this.close();
    if (query.workspace !== this.query?.workspace) {
      this.rows.clear();
      this.clusters = [];
      this.sources = [];
      this.counts = [];
    }
    this.query = query;
    this.loaded = false;
    this.#order = [];
    this.#pages = 0;
    this.#after = null;
    void this.#poll(this.#generation);
  }

  close(): void {
    this.#generation++;
    clearTimeout(this.#timer);
    clearTimeout(this.#metricsTimer);
    this.#metricsTimer = undefined;
    for (const { stop } of this.#followed.values()) stop();
    this.#followed.clear();
  }

  async more(): Promise<void> {
    const generation = this.#generation;
    const page = await this.#read(this.#after);
    if (page === null || generation !== this.#generation) return;
    this.#order = joinPages(this.#order, page.ids);
    this.#after = page.after;
    this.#pages++;
    this.emit();
  }

  toggle(id: string): void {
    this.#toggled.set(id, !this.#expanded(id));
    if (this.#expanded(id)) void this.#readBelow(id);
    this.emit();
  }

  /** The list as drawn: where whole trees are listed, an expanded run is followed by those below it. */
  listed(): ListedRow[] {
    const out: ListedRow[] = [];
    const all = [...this.rows.values()];
    for (const id of this.#order) {
      const run = this.rows.get(id);
      if (run === undefined) continue;
      const children = run.parent === null ? (this.#childCounts.get(id) ?? 0) : 0;
      const expanded = children > 0 && this.#expanded(id);
      out.push({ run, level: 0, children, expanded });
      if (!expanded) continue;
      for (const below of subtree(all, id)) out.push({ ...below, children: 0, expanded: false });
    }
    return out;
  }

  /** Follows the trees of these runs, of the ones in sight, and no others. */
  inSight(runs: readonly RunRow[]): void {
    const wanted = new Set(runs.filter((run) => run.statusClass !== 'TERMINAL').map((run) => run.root.id));
    for (const [root, { metrics, stop }] of this.#followed) {
      if (wanted.has(root) && [...this.#primaryNames(root)].every((name) => metrics.has(name))) continue;
      stop();
      this.#followed.delete(root);
    }
    for (const root of wanted) {
      if (this.#followed.has(root) || this.#followed.size >= MAX_FOLLOWED) continue;
      const metrics = this.#primaryNames(root);
      this.#followed.set(root, { metrics, stop: this.#follow(root, [...metrics]) });
    }
  }

  #primaryNames(root: string): ReadonlySet<string> {
    const runs = [...this.rows.values()].filter((run) => run.root.id === root);
    return new Set(runs.flatMap((run) => primaryMetric(run) ?? []));
  }

  #follow(root: string, metrics: string[]): () => void {
    return follow(
      this.client,
      treeStatusSubscription,
      { run: root, metrics },
      {
        refused: (message) => {
          this.error = message;
          this.emit();
        },
        update: (update) => {
          const now = Date.now();
          for (const run of update.runs) {
            const known = this.rows.has(run.id);
            this.rows.set(run.id, run);
            this.#toldAt.set(run.id, now);
            if (!known && run.parent !== null)
              this.#childCounts.set(run.root.id, Math.max(1, this.#childCounts.get(run.root.id) ?? 0));
          }
          for (const { metric, summary } of update.metrics) {
            const run = this.rows.get(metric.run.id);
            if (run && primaryMetric(run) === metric.name) this.primary.set(run.id, parseCell(summary.last));
          }
          this.#askMetrics();
          this.emit();
        },
      },
    );
  }

  #expanded(id: string): boolean {
    return this.#toggled.get(id) ?? this.rows.get(id)?.statusClass !== 'TERMINAL';
  }

  async #poll(generation: number): Promise<void> {
    if (document.visibilityState === 'visible' || !this.loaded) {
      const [page] = await Promise.all([this.#read(null), this.#readOverview(generation)]);
      if (generation !== this.#generation) return;
      if (page !== null) {
        if (this.#pages <= 1) {
          this.#order = page.ids;
          this.#after = page.after;
          this.#pages = 1;
        } else {
          this.#order = joinPages(page.ids, this.#order);
        }
        this.total = page.total;
        this.loaded = true;
        this.error = null;
        this.#askMetrics();
      }
      this.emit();
    }
    this.#timer = setTimeout(() => void this.#poll(generation), POLL_MS);
  }

  async #read(after: string | null): Promise<{ ids: string[]; after: string | null; total: number } | null> {
    if (this.query === null) return null;
    const { workspace, filter, orderBy } = this.query;
    const askedAt = Date.now();
    const { data, error } = await this.client
      .query(runsQuery, { workspace, filter: filter ?? null, orderBy: orderBy ?? null, first: PAGE, after })
      .toPromise();
    this.missing = data != null && data.workspace === null;
    if (!data?.workspace) {
      this.error = error === undefined || error.networkError ? null : errorText(error);
      return null;
    }
    const { nodes, pageInfo, totalCount } = data.workspace.runs;
    for (const { children, ...run } of nodes) {
      this.#merge(run, askedAt);
      this.#childCounts.set(run.id, children.totalCount);
    }
    return {
      ids: nodes.map((run) => run.id),
      after: pageInfo.hasNextPage ? pageInfo.endCursor : null,
      total: totalCount,
    };
  }

  async #readOverview(generation: number): Promise<void> {
    if (this.query === null) return;
    const { workspace, counted } = this.query;
    const { data } = await this.client
      .query(overviewQuery, { workspace, counted: counted ?? null })
      .toPromise();
    if (!data?.workspace || generation !== this.#generation) return;
    this.counts = data.workspace.runs.statusCounts;
    this.clusters = data.workspace.clusters.nodes;
    this.sources = data.server.sources.filter((source) => source.workspace === workspace);
  }

  async #readBelow(id: string): Promise<void> {
    if (this.#followed.has(id)) return;
    const generation = this.#generation;
    const askedAt = Date.now();
    let after: string | null = null;
    do {
      const result: OperationResult<ResultOf<typeof descendantsQuery>> = await this.client
        .query(descendantsQuery, { id, after })
        .toPromise();
      const below = result.data?.run?.descendants;
      if (below === undefined || generation !== this.#generation) return;
      for (const run of below.nodes) this.#merge(run, askedAt);
      after = below.pageInfo.hasNextPage ? below.pageInfo.endCursor : null;
      this.#askMetrics();
      this.emit();
    } while (after !== null);
  }

  #merge(run: RunRow, askedAt: number): void {
    if ((this.#toldAt.get(run.id) ?? 0) <= askedAt) this.rows.set(run.id, run);
  }

  /** Reads last values for runs that are drawn and not followed, once for each status they are seen in. */
  #askMetrics(): void {
    this.#metricsTimer ??= setTimeout(() => {
      this.#metricsTimer = undefined;
      const due = this.listed()
        .map((row) => row.run)
        .filter((run) => primaryMetric(run) !== null && this.#asked.get(run.id) !== run.status);
      for (let i = 0; i < due.length; i += IDS_PER_QUERY)
        void this.#readMetrics(due.slice(i, i + IDS_PER_QUERY));
    }, METRICS_DELAY_MS);
  }

  async #readMetrics(runs: readonly RunRow[]): Promise<void> {
    for (const run of runs) this.#asked.set(run.id, run.status);
    const names = new Set(runs.flatMap((run) => primaryMetric(run) ?? []));
    const { data } = await this.client
      .query(primaryMetricsQuery, { ids: runs.map((run) => run.id), names: [...names] })
      .toPromise();
    for (const node of data?.nodes ?? []) {
      if (node?.__typename !== 'Run') continue;
      const run = this.rows.get(node.id);
      const metric = node.metrics.nodes.find(({ name }) => run && name === primaryMetric(run));
      if (metric !== undefined) this.primary.set(node.id, parseCell(metric.summary.last));
    }
    this.emit();
  }
}
