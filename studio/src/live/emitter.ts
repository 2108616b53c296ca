import { useCallback, useSyncExternalStore } from 'react';

/** Something that changes and tells: the version goes up with each change, so React sees one value. */
export class Emitter {
  version = 0;
  #listeners = new Set<() => void>();

  emit(): void {
    this.version++;
    for (const listener of [...this.#listeners]) listener();
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}

/** Draws again at each change of the emitter. */
export function useVersion(emitter: Emitter): number {
  const subscribe = useCallback((listener: () => void) => emitter.subscribe(listener), [emitter]);
  return useSyncExternalStore(subscribe, () => emitter.version);
}
