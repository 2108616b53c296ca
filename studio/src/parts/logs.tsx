import { useVirtualizer } from '@tanstack/react-virtual';
import { useEffect, useRef, useState } from 'react';
import type { KeyboardEvent, PointerEvent } from 'react';
import { useVersion } from '../live/emitter';
import { formatBytes } from '../live/format';
import { runLabel } from '../live/status';
import type { LogView, RunTree } from '../live/tree';
import { runPath } from '../router';
import { Link } from './basics';

const LINE_HEIGHT = 18;
const AT_END = 24;
const HEIGHT_KEY = 'studio.logs.height';
const SMALLEST = 80;
const STEP = 40;
const ERROR = /\b(ERROR|CRITICAL|FATAL|Traceback|\w+Error:)/;
const WARNING = /\b(WARN|WARNING)\b/i;

function storedHeight(): number {
  const height = Number(window.localStorage.getItem(HEIGHT_KEY));
  return height >= SMALLEST ? height : 180;
}

/** The log files of a run and those below it, kept at the bottom of the window while the charts scroll. */
export function LogDock({ tree }: { tree: RunTree }) {
  useVersion(tree);
  const logs = [...tree.logs.values()];
  const [chosen, setChosen] = useState<string | null>(null);
  const [open, setOpen] = useState(true);
  const [height, setHeight] = useState(storedHeight);
  const log =
    logs.find((candidate) => candidate.facts.id === (chosen ?? tree.details?.mainLog?.id)) ?? logs[0];
  useEffect(() => window.localStorage.setItem(HEIGHT_KEY, String(height)), [height]);
  if (log === undefined) return null;

  const resize = (to: number) => setHeight(Math.min(Math.max(to, SMALLEST), window.innerHeight - 200));
  const drag = (event: PointerEvent<HTMLDivElement>) => {
    if (event.buttons === 1) resize(height - event.movementY);
  };
  const nudge = (event: KeyboardEvent) => {
    if (event.key === 'ArrowUp') resize(height + STEP);
    else if (event.key === 'ArrowDown') resize(height - STEP);
    else return;
    event.preventDefault();
  };
  const groups = [...tree.runs.values()].map((run) => ({
    run,
    logs: logs.filter((candidate) => candidate.run === run.id),
  }));
  return (
    <>
      <div style={{ height: open ? height + 60 : 60 }} aria-hidden="true" />
      <section className="dock" aria-label="Logs">
        <div
          className="grip"
          role="separator"
          aria-orientation="horizontal"
          aria-label="Height of the log"
          aria-valuenow={height}
          tabIndex={0}
          onKeyDown={nudge}
          onPointerDown={(event) => event.currentTarget.setPointerCapture(event.pointerId)}
          onPointerMove={drag}
        />
        <header>
          <button className="twist" aria-expanded={open} onClick={() => setOpen(!open)}>
            {open ? '▾' : '▸'} <h2>Logs</h2>
          </button>
          <select
            aria-label="Log file"
            value={log.facts.id}
            onChange={(event) => setChosen(event.target.value)}
          >
            {groups
              .filter((group) => group.logs.length > 0)
              .map((group) => (
                <optgroup key={group.run.id} label={runLabel(group.run)}>
                  {group.logs.map(({ facts }) => (
                    <option key={facts.id} value={facts.id}>
                      {facts.path}
                      {facts.rank === null ? '' : ` · rank ${facts.rank}`}
                    </option>
                  ))}
                </optgroup>
              ))}
          </select>
          {log.run !== tree.self?.id && <Owner tree={tree} log={log} />}
          <LogFacts log={log} />
        </header>
        {open && <LogPane key={log.facts.id} tree={tree} log={log} height={height} />}
      </section>
    </>
  );
}

/** Whose log it is, where it is not the one of the page's own run. */
function Owner({ tree, log }: { tree: RunTree; log: LogView }) {
  const run = tree.runs.get(log.run);
  if (run === undefined) return null;
  return (
    <span className="muted">
      of <Link href={runPath(run.id)}>{runLabel(run)}</Link>
    </span>
  );
}

function LogFacts({ log }: { log: LogView }) {
  useVersion(log);
  return (
    <span className="muted log-facts">
      {formatBytes(log.facts.size)}
      {log.facts.complete ? ' · complete' : ''} ·{' '}
      <a href={log.facts.url} target="_blank" rel="noreferrer">
        Raw file
      </a>
    </span>
  );
}

function LogPane({ tree, log, height }: { tree: RunTree; log: LogView; height: number }) {
  const version = useVersion(log);
  const pane = useRef<HTMLDivElement>(null);
  const [following, setFollowing] = useState(true);
  const [pausedAt, setPausedAt] = useState(0);
  useEffect(() => void tree.openLog(log), [tree, log]);
  const rows = log.tail.rows();
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => pane.current,
    estimateSize: () => LINE_HEIGHT,
    overscan: 20,
    paddingStart: 4,
    paddingEnd: 8,
  });
  useEffect(() => {
    if (following && pane.current) pane.current.scrollTop = pane.current.scrollHeight;
  }, [following, version, height]);

  const scrolled = () => {
    const { scrollHeight = 0, scrollTop = 0, clientHeight = 0 } = pane.current ?? {};
    const atEnd = scrollHeight - scrollTop - clientHeight < AT_END;
    if (following && !atEnd) setPausedAt(rows.length);
    setFollowing(atEnd);
  };
  const earlier = async () => {
    const before = log.tail.rows().length;
    await tree.earlierLines(log);
    // What was in sight stays in sight.
    requestAnimationFrame(() => pane.current?.scrollBy(0, (log.tail.rows().length - before) * LINE_HEIGHT));
  };
  return (
    <div className="log-frame" style={{ height }}>
      <div
        className="log"
        ref={pane}
        onScroll={scrolled}
        tabIndex={0}
        role="log"
        aria-live="off"
        aria-label={log.facts.path}
      >
        {log.hasEarlier && (
          <button className="earlier" onClick={() => void earlier()}>
            Load earlier lines
          </button>
        )}
        {log.error && <p className="error-line">{log.error}</p>}
        {rows.length === 0 && !log.error && (
          <p className="muted">{log.tail.state === 'loading' ? 'Loading…' : 'Nothing written yet.'}</p>
        )}
        <div style={{ height: virtual.getTotalSize(), position: 'relative' }}>
          {virtual.getVirtualItems().map((item) => (
            <div key={item.key} className={lineClass(rows[item.index]!)} style={{ top: item.start }}>
              {rows[item.index]}
            </div>
          ))}
        </div>
      </div>
      {!following && (
        <button className="jump" onClick={() => setFollowing(true)}>
          ↓ Paused{rows.length > pausedAt ? `, ${rows.length - pausedAt} new lines` : ''} · jump to the end
        </button>
      )}
    </div>
  );
}

function lineClass(text: string): string {
  return ERROR.test(text) ? 'line bad' : WARNING.test(text) ? 'line warn' : 'line';
}
