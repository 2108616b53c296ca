import { useEffect, useState } from 'react';
import type { AnchorHTMLAttributes, ReactNode } from 'react';
import { formatAgo, formatDuration, formatTime, seconds } from '../live/format';
import { statusLabel, statusTone } from '../live/status';
import type { RunRow } from '../operations';
import { navigate } from '../router';

/** A link within the page; anything but a plain click is the browser's. */
export function Link({ href, ...rest }: AnchorHTMLAttributes<HTMLAnchorElement> & { href: string }) {
  return (
    <a
      href={href}
      {...rest}
      onClick={(event) => {
        rest.onClick?.(event);
        if (event.defaultPrevented || event.button !== 0) return;
        if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
        event.preventDefault();
        navigate(href);
        window.scrollTo(0, 0);
      }}
    />
  );
}

/** Unix seconds, moving on once a second. */
export function useNow(): number {
  const [now, setNow] = useState(() => Date.now() / 1000);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now() / 1000), 1000);
    return () => clearInterval(timer);
  }, []);
  return now;
}

export function Badge({ run }: { run: Pick<RunRow, 'status' | 'statusClass' | 'stale'> }) {
  return (
    <span className={`badge ${statusTone(run)}`} data-status={run.status}>
      <i aria-hidden="true" />
      {statusLabel(run.status)}
      {run.stale && <span title="Nothing has been heard of this run for a while"> · stale</span>}
    </span>
  );
}

/** Seconds from creation to the end, or to now. */
export function runDuration(run: RunRow, now: number): number {
  return run.duration ?? Math.max(0, Math.floor(now - seconds(run.createdAt)));
}

export function Duration({ run, now }: { run: RunRow; now: number }) {
  return <>{formatDuration(runDuration(run, now))}</>;
}

export function Ago({ at, now }: { at: string; now: number }) {
  return (
    <time dateTime={at} title={formatTime(at)}>
      {formatAgo(now - seconds(at))}
    </time>
  );
}

export function Empty({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <div className="empty">
      <strong>{title}</strong>
      {children}
    </div>
  );
}

export function Section({
  title,
  count,
  extra,
  children,
}: {
  title: string;
  count?: number | string | undefined;
  extra?: ReactNode;
  children: ReactNode;
}) {
  return (
    <section aria-label={title}>
      <header className="section-head">
        <h2>{title}</h2>
        {count !== undefined && <span className="count">{count}</span>}
        {extra}
      </header>
      {children}
    </section>
  );
}
