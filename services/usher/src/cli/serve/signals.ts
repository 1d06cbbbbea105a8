// Being told to stop: the first signal asks, the second insists.

import { EXIT } from "../../failure.ts";

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** Within so many milliseconds a signal is the same one come by another way: Ctrl-C reaches us from the terminal, and
 * again from npm. */
const SAME_MS = 500;

export class StopSignals {
  /** The first that comes, whenever that is: before the node is up, it stops as soon as it is. */
  readonly first: Promise<NodeJS.Signals>;

  /** `say`: told when the second has come. */
  constructor(say: (line: string) => void) {
    const { promise, resolve } = Promise.withResolvers<NodeJS.Signals>();
    this.first = promise;
    let first_ms: number | undefined;
    for (const name of SIGNALS)
      process.on(name, () => {
        const now_ms = performance.now();
        if (first_ms === undefined) {
          first_ms = now_ms;
          resolve(name);
        } else if (now_ms - first_ms > SAME_MS) {
          say(`${name} again: stopping at once`);
          process.exit(EXIT.failed);
        }
      });
  }
}
