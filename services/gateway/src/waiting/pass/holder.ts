// Whose pass it is: a good pass says that its ticket was admitted once, and the fold whether it still is. Whatever is
// wrong with one, it counts as none.

import type { Pass, Place, Replica } from "@usher/replica";

/** How long a node that has not read as far as another, which gave the pass out, is waited for, in ms; 1,000. */
const BEHIND_MS = 1_000;

/** The admitted ticket that a pass stands for; absent where it stands for none in this queue, or none any more. */
export async function heldBy(replica: Replica, queue: string, text: string): Promise<Place | undefined> {
  const pass = await replica.passes.verify(text, queue);
  if (pass === undefined) return undefined;
  const until_ms = replica.clock.monotonic_ms() + BEHIND_MS;
  while (isAhead(replica, pass) && replica.clock.monotonic_ms() < until_ms) {
    if (!(await replica.caughtUp(replica.asOf + 1))) break;
  }
  const held = replica.fold.queue(queue);
  const view = held?.ticket(pass.number);
  if (held === undefined || view?.state !== "admitted") return undefined;
  return { queue: held, view, asOf: replica.asOf };
}

/** Whether the pass was given out for an admission that has not been read here. */
function isAhead({ fold }: Replica, { queue: name, number }: Pass): boolean {
  const queue = fold.queue(name);
  if (queue === undefined) return false;
  return number > queue.lastNumber || (queue.position(number) ?? 0) > 0;
}
