// A folder for all that a run of the tests makes for a while, which goes with the run, also what a program left that was
// killed. In it is what has been compiled: hundreds of programs are started by the tests, each of which would strip the
// same types and compile the same modules anew, half of the time until a node is ready. So what one has compiled, the next
// takes from there. Node looks at a module's text for whether it is the same.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** For vitest: before all tests, what it returns after them. A folder for what is compiled that is named already is left
 * alone. */
export default async function setUp(): Promise<() => Promise<void>> {
  const folder = await mkdtemp(join(tmpdir(), "usher-tests-"));
  process.env.TMPDIR = folder;
  process.env.NODE_COMPILE_CACHE ??= join(folder, "compiled");
  // The last workers may be writing what they have compiled: then it is tried again, ten times within six seconds.
  return () => rm(folder, { recursive: true, force: true, maxRetries: 10 });
}
