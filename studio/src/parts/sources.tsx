import { statusLabel } from '../live/status';
import type { Tone } from '../live/status';
import type { SourceFacts } from '../operations';
import { Section } from './basics';

const TONES: Record<SourceFacts['state'], Tone> = {
  STARTING: 'pending',
  SCANNING: 'active',
  FOLLOWING: 'good',
  RETRYING: 'warn',
  FAILED: 'bad',
  STOPPED: 'quiet',
};

/** The folders that the server follows, and what in them could not be read, with file and line. */
export function Sources({ sources }: { sources: readonly SourceFacts[] }) {
  const shown = sources.filter(hasNews);
  if (shown.length === 0) return null;
  return (
    <Section title="Sources" count={shown.length}>
      <div className="sources">
        {shown.map((source) => (
          <article key={source.id} className="source" aria-label={`${source.name}, read by ${source.plugin}`}>
            <p>
              <span className={`badge ${TONES[source.state]}`}>
                <i aria-hidden="true" />
                {statusLabel(source.state)}
              </span>
              <b>{source.plugin}</b>
              <code className="muted">{source.uri}</code>
              <span className="muted numbers">
                {[
                  counted(source.runs, 'run'),
                  counted(source.points, 'point'),
                  counted(source.lines, 'log line'),
                ]
                  .filter(Boolean)
                  .join(' · ')}
              </span>
            </p>
            {source.lastError && <p className="error-line">{source.lastError}</p>}
            {source.skippedCount > 0 && <Skipped source={source} />}
          </article>
        ))}
      </div>
    </Section>
  );
}

/** A plugin that found nothing of its kind in a folder is not worth a line. */
function hasNews(source: SourceFacts): boolean {
  const read = source.runs + source.points + source.lines;
  return read > 0 || source.skippedCount > 0 || source.lastError !== null || source.state !== 'FOLLOWING';
}

function counted(count: number, what: string): string {
  return count === 0 ? '' : `${count.toLocaleString()} ${what}${count === 1 ? '' : 's'}`;
}

function Skipped({ source: { skipped, skippedCount } }: { source: SourceFacts }) {
  return (
    <details>
      <summary>
        {skippedCount} {skippedCount === 1 ? 'input' : 'inputs'} left out
      </summary>
      <ul>
        {skipped.map(({ path, line, reason }, i) => (
          <li key={i}>
            <code>
              {path}
              {line !== null && `:${line}`}
            </code>{' '}
            {reason}
          </li>
        ))}
      </ul>
      {skippedCount > skipped.length && <p className="muted">The newest {skipped.length} are listed.</p>}
    </details>
  );
}
