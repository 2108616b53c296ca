import { formatDuration, formatTime, seconds } from '../live/format';
import { statusLabel, statusTone } from '../live/status';
import type { RunDetails } from '../operations';

type Phase = RunDetails['phases'][number];

/** How long the run stayed in each status, as one bar; the phase it is in grows. */
export function Phases({ phases, now }: { phases: readonly Phase[]; now: number }) {
  const shown = phases
    .map((phase) => ({
      ...phase,
      length: phase.end === null ? Math.max(0, Math.floor(now - seconds(phase.start))) : phase.seconds,
      tone: statusTone({ ...phase, stale: false }),
    }))
    .filter((phase) => phase.statusClass !== 'TERMINAL');
  const total = shown.reduce((sum, phase) => sum + phase.length, 0);
  if (shown.length === 0 || total === 0) return null;
  return (
    <ol className="phases" aria-label="Time in each status">
      {shown.map((phase, i) => (
        <li
          key={i}
          className={phase.tone}
          style={{ flexGrow: Math.max(phase.length / total, 0.004) }}
          title={`${statusLabel(phase.status)} from ${formatTime(phase.start)}`}
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
