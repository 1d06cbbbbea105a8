// The client, built and packed once for all tests of a file.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Built, buildSdk } from "../../../scripts/sdk/build.ts";

export interface Packed extends Built {
  remove(): Promise<void>;
}

export async function packSdk(): Promise<Packed> {
  const target = await mkdtemp(join(tmpdir(), "usher-packed-"));
  const remove = () => rm(target, { recursive: true, force: true });
  try {
    return { ...(await buildSdk(target)), remove };
  } catch (error) {
    await remove();
    throw error;
  }
}
