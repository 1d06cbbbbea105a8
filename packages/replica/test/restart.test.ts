// The same log, another process.

import { MemoryStore } from "@usher/ticket-log";
import { describe, expect, it } from "vitest";
import { stopClocks } from "./support/time.ts";
import { closeWorlds, entriesOf, issue, makeQueue, openWorld, recordsOf } from "./support/world.ts";

stopClocks();
closeWorlds();

/** The openings of a node's sessions, in order. */
function openings(store: MemoryStore, node: string) {
  return recordsOf(store).flatMap(({ session, event }) =>
    event.kind === "session_opened" && event.node === node ? [{ session, former: event.former }] : [],
  );
}

describe("the sessions of a node that was started again", () => {
  it("name those that the process before wrote in last, one by one", async () => {
    const store = new MemoryStore();
    for (const life of [1, 2, 3]) {
      const world = await openWorld({ store });
      if (life === 1) await makeQueue(world, "q");
      await issue(world, "q");
      await world.close();
    }
    for (const node of ["node", "node/time"]) {
      const [first, second, third] = openings(store, node);
      expect(first!.former).toBe(0n);
      expect(second!.former).toBe(first!.session);
      expect(third!.former).toBe(second!.session);
    }
  });

  it("are named rightly though an old opening came a second time", async () => {
    const store = new MemoryStore();
    for (const life of [1, 2]) {
      const world = await openWorld({ store });
      if (life === 1) await makeQueue(world, "q");
      await issue(world, "q");
      await world.close();
    }
    const [first, second] = openings(store, "node");
    const opening =
      entriesOf(store)[recordsOf(store).findIndex(({ session }) => session === first!.session) + 1]!;
    store.write(opening, undefined, 0);
    expect(openings(store, "node").at(-1)).toEqual(first);

    const world = await openWorld({ store });
    await issue(world, "q");
    expect(openings(store, "node").at(-1)!.former).toBe(second!.session);
    await world.close();
  });
});
