import { beforeAll, describe, expect, it, vi } from 'vitest';

let router: typeof import('../src/router');
beforeAll(async () => {
  vi.stubGlobal('window', { addEventListener: () => undefined });
  router = await import('../src/router');
});

describe('parseRoute', () => {
  it.each([
    ['/', { view: 'workspace', workspace: null }],
    ['/workspaces/my%20team', { view: 'workspace', workspace: 'my team' }],
    ['/runs/run%3A1', { view: 'run', id: 'run:1' }],
    ['/clusters/c1', { view: 'place', id: 'c1' }],
    ['/experiments/e1', { view: 'place', id: 'e1' }],
    ['/runs', { view: 'unknown', path: '/runs' }],
    ['/runs/a/b', { view: 'unknown', path: '/runs/a/b' }],
    ['/runs/%E0%A4', { view: 'unknown', path: '/runs/%E0%A4' }],
  ])('%s', (path, route) => expect(router.parseRoute(path, '')).toMatchObject(route));

  it('reads back the paths it makes', () => {
    const [path = '', search = ''] = router.workspacePath('a/b', { q: 'x y' }).split('?');
    const route = router.parseRoute(path, search);
    expect(route).toMatchObject({ view: 'workspace', workspace: 'a/b' });
    expect(route.view === 'workspace' && route.search.get('q')).toBe('x y');
    expect(router.parseRoute(router.runPath('run/1'), '')).toEqual({ view: 'run', id: 'run/1' });
  });
});
