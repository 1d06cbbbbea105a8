// Pauses between tries: growing, and never the same on two nodes.

/** How long to wait before try number `count`, from 1, in milliseconds: up to `max_ms`, half of it by chance. */
export function pauseBefore(count: number, max_ms: number): number {
  const full = Math.min(max_ms, (max_ms / 10) * 2 ** (count - 1));
  return full / 2 + (Math.random() * full) / 2;
}

/** A sleep that can be ended. */
export class Pause {
  #wake: () => void = () => {};

  async sleep(ms: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#wake = () => {};
  }

  end(): void {
    this.#wake();
  }
}
