// A moment in which a process has nothing to do: what is closed then has not just been written to by a client whose
// bytes wait to be read.

/** A turn of the event loop that takes less, in ms, had nothing to read; half a millisecond, of which an empty one needs
 * a hundredth. */
const QUIET_MS = 0.5;

/** So many of them, one after the other, are a lull: the first may have begun after what there was to read. */
const QUIET_TURNS = 3;

/** Resolves in a lull, or after `most_ms` milliseconds: a busy process may have none. `done`: a count of what must not
 * rise in it; of connections, one is accepted a turn, however many wait. */
export async function lull(most_ms: number, done: () => number): Promise<void> {
  const until_ms = performance.now() + most_ms;
  let began_ms = performance.now();
  for (let quiet = 0; quiet < QUIET_TURNS && began_ms < until_ms; ) {
    const before = done();
    await new Promise((resolve) => setImmediate(resolve));
    const now_ms = performance.now();
    quiet = now_ms - began_ms < QUIET_MS && done() === before ? quiet + 1 : 0;
    began_ms = now_ms;
  }
}
