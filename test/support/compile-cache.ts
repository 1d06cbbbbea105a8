// Hundreds of programs are started by the tests, each of which would strip the same types and compile the same modules
// anew: half of the time until a node is ready. So what one has compiled, the next takes from a folder of this run. Node
// looks at a module's text for whether it is the same.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** For vitest: before all tests, what it returns after them. A folder that is named already is left alone. */
export default async function setUp(): Promise<(() => Promise<void>) | undefined> {
  if (process.env.NODE_COMPILE_CACHE !== undefined) return undefined;
  const folder = await mkdtemp(join(tmpdir(), "usher-compiled-"));
  process.env.NODE_COMPILE_CACHE = folder;
  return async () => {
    delete process.env.NODE_COMPILE_CACHE;
    // The last workers may be writing what they have compiled: then it is tried again, ten times within six seconds.
    await rm(folder, { recursive: true, force: true, maxRetries: 10 });
  };
}
