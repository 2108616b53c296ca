import type { RunRow } from '../operations';

type Status = RunRow['status'];
type StatusClass = RunRow['statusClass'];
export type Tone = 'pending' | 'active' | 'post' | 'good' | 'bad' | 'quiet' | 'warn';

const CLASSES: Partial<Record<Status, StatusClass>> = {
  RUNNING: 'ACTIVE',
  PAUSING: 'ACTIVE',
  PAUSED: 'ACTIVE',
  NOT_RESPONDING: 'ACTIVE',
  CANCEL_REQUESTED: 'POST_PROCESSING',
  FINALIZING: 'POST_PROCESSING',
  COMPLETED: 'TERMINAL',
  FAILED: 'TERMINAL',
  CANCELED: 'TERMINAL',
};

/** The class of a status that stands for no run in particular, as in a count; a run says its own. */
export function classOf(status: Status): StatusClass {
  return CLASSES[status] ?? 'PENDING';
}

export function statusTone(run: Pick<RunRow, 'status' | 'statusClass' | 'stale'>): Tone {
  if (run.status === 'COMPLETED') return 'good';
  if (run.status === 'FAILED') return 'bad';
  if (run.statusClass === 'TERMINAL') return 'quiet';
  if (run.stale || run.status === 'NOT_RESPONDING') return 'warn';
  if (run.statusClass === 'PENDING') return 'pending';
  return run.statusClass === 'POST_PROCESSING' ? 'post' : 'active';
}

export function statusLabel(status: string): string {
  const words = status.toLowerCase().replaceAll('_', ' ');
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** The metric that counts for a run; what a sweep optimises counts for its trials. */
export function primaryMetric(run: Pick<RunRow, 'primaryMetric' | 'parent' | 'root'>): string | null {
  return run.primaryMetric ?? run.parent?.primaryMetric ?? run.root.primaryMetric;
}

/** What people call a run. */
export function runLabel(run: { name: string; displayName: string | null }): string {
  return run.displayName || run.name;
}
