// What this browser remembers of its visitor: the SDK its tickets, and the page what it was about.

import type { Storage } from "@usher/sdk/web";

/** `localStorage`; or, where the browser denies it, something that is forgotten with the page. */
export const storage: Storage = localStorageOrNone() ?? forgetful();

function localStorageOrNone(): Storage | undefined {
  try {
    return localStorage;
  } catch {
    return undefined;
  }
}

function forgetful(): Storage {
  const items = new Map<string, string>();
  return {
    getItem: (key) => items.get(key) ?? null,
    setItem: (key, value) => void items.set(key, value),
    removeItem: (key) => void items.delete(key),
  };
}

/** A word that is kept, full storage or not; null: there is none. */
export class Remembered {
  readonly #key: string;

  constructor(key: string) {
    this.#key = key;
  }

  get(): string | null {
    return storage.getItem(this.#key);
  }

  set(value: string): void {
    try {
      storage.setItem(this.#key, value);
    } catch {
      // There is no more room: a reload will not know of it.
    }
  }

  clear(): void {
    storage.removeItem(this.#key);
  }

  /** Told what another tab has made of it. */
  whenChanged(tell: (value: string | null) => void): void {
    addEventListener("storage", ({ key, newValue }) => {
      if (key === this.#key) tell(newValue);
    });
  }
}
