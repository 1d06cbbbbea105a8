// Works through the line, several at a time. Admissions come in order and may be done with in any; the cursor follows the
// first that is not done with, so that a run that begins there misses nobody.

import { amount } from "../calls/amount.ts";
import { type Admission, type AdmissionsOptions, admissions } from "./admissions.ts";
import type { BackendWire } from "./wire.ts";

export interface WorkOptions extends AdmissionsOptions {
  /** How many admissions are worked on at once; 1. */
  readonly concurrency?: number;
  /** Told whenever all admissions up to a cursor are done with: keep it, and begin the next run with it. */
  readonly onCursor?: (cursor: string) => void | Promise<void>;
}

/** Resolves once the signal is aborted and all that was begun is done with. Rejects with the first error of the work, or
 * of the stream, after the others under way have ended: its admission and all later ones come again in the next run.
 * Rejects with `misused` where an option makes no sense. */
export async function work(
  wire: BackendWire,
  queue: string,
  work: (admission: Admission) => Promise<void>,
  { concurrency = 1, onCursor, signal, ...options }: WorkOptions,
): Promise<void> {
  amount("concurrency", concurrency, "admissions at once");
  const stop = new AbortController();
  const end = (): void => stop.abort();
  signal?.addEventListener("abort", end, { once: true });
  if (signal?.aborted) end();
  const cursors = new Cursors();
  const underWay = new Set<Promise<void>>();
  const errors: unknown[] = [];
  const one = async (admission: Admission): Promise<void> => {
    const done = cursors.begin(admission.cursor);
    try {
      await work(admission);
      await admission.complete();
      const cursor = done();
      if (cursor !== undefined) await onCursor?.(cursor);
    } catch (error) {
      errors.push(error);
      end();
    }
  };
  try {
    for await (const admission of admissions(wire, queue, { ...options, signal: stop.signal })) {
      const task = one(admission).finally(() => underWay.delete(task));
      underWay.add(task);
      if (underWay.size >= concurrency) await Promise.race(underWay);
      if (stop.signal.aborted) break;
    }
  } catch (error) {
    errors.push(error);
  } finally {
    signal?.removeEventListener("abort", end);
  }
  await Promise.all(underWay);
  if (errors.length > 0) throw errors[0];
}

/** The cursors that are not done with, in their order. */
class Cursors {
  readonly #open: { readonly cursor: string; isDone: boolean }[] = [];

  /** Takes the next; the function that comes back says that it is done with, and returns the cursor up to which all are
   * now, where that is a new one. */
  begin(cursor: string): () => string | undefined {
    const one = { cursor, isDone: false };
    this.#open.push(one);
    return () => {
      one.isDone = true;
      let last: string | undefined;
      while (this.#open[0]?.isDone) last = this.#open.shift()?.cursor;
      return last;
    };
  }
}
