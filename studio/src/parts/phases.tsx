import { formatDuration, formatTime, seconds } from '../live/format';
import { classOf, statusLabel, statusTone } from '../live/status';
import type { RunDetails } from '../operations';

type Phase = RunDetails['phases'][number];

/** How long the run stayed in each status, as one bar; the phase it is in grows. */
export function Phases({ phases, now }: { phases: readonly Phase[]; now: number }) {
  const shown = phases
    .map((phase) => ({
      ...phase,
      length: phase.endedAt === null ? Math.max(0, Math.floor(now - seconds(phase.startedAt))) : phase.seconds,
      tone: statusTone({ status: phase.status, statusClass: classOf(phase.status), stale: false }),
    }))
    .filter((phase) => classOf(phase.status) !== 'TERMINAL');
  const total = shown.reduce((sum, phase) => sum + phase.length, 0);
  if (shown.length === 0 || total === 0) return null;
  return (
    <ol className="phases" aria-label="Time in each status">
      {shown.map((phase, i) => (
        <li
          key={i}
          className={phase.tone}
          style={{ flexGrow: Math.max(phase.length / total, 0.004) }}
          title={`${statusLabel(phase.status)} from ${formatTime(phase.startedAt)}`}
        >
          <i aria-hidden="true" />
          <span>
            {statusLabel(phase.status)} <b>{formatDuration(phase.length)}</b>
          </span>
        </li>
      ))}
    </ol>
  );
}
