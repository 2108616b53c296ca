import { Emitter, useVersion } from './live/emitter';

export type Route =
  | { view: 'workspace'; workspace: string | null; search: URLSearchParams }
  | { view: 'run'; id: string }
  | { view: 'place'; id: string }
  | { view: 'unknown'; path: string };

const navigation = new Emitter();
window.addEventListener('popstate', () => navigation.emit());

export function parseRoute(path: string, search: string): Route {
  let parts: string[];
  try {
    parts = path.split('/').filter(Boolean).map(decodeURIComponent);
  } catch {
    return { view: 'unknown', path };
  }
  const [kind, id, ...rest] = parts;
  const parameters = new URLSearchParams(search);
  if (kind === undefined) return { view: 'workspace', workspace: null, search: parameters };
  if (kind === 'workspaces' && id !== undefined && rest.length === 0)
    return { view: 'workspace', workspace: id, search: parameters };
  if (kind === 'runs' && id !== undefined && rest.length === 0) return { view: 'run', id };
  // Addresses that the API gives for these; the list of runs shows them, narrowed.
  if ((kind === 'clusters' || kind === 'experiments') && id !== undefined && rest.length === 0)
    return { view: 'place', id };
  return { view: 'unknown', path };
}

export function useRoute(): Route {
  useVersion(navigation);
  return parseRoute(window.location.pathname, window.location.search);
}

export function navigate(href: string, how: 'push' | 'replace' = 'push'): void {
  if (how === 'push') window.history.pushState(null, '', href);
  else window.history.replaceState(null, '', href);
  navigation.emit();
}

export const runPath = (id: string) => `/runs/${encodeURIComponent(id)}`;

export function workspacePath(name: string, search: Record<string, string> = {}): string {
  const query = new URLSearchParams(search).toString();
  return `/workspaces/${encodeURIComponent(name)}${query && `?${query}`}`;
}
