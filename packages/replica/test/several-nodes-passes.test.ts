// I9 and I16 through two nodes: whatever happens on both at once, never more are let in than the limit says, and each
// who goes frees one slot, once.

import { differences } from "@usher/queue";
import { describe, expect, it } from "vitest";
import { planted } from "../../../test/support/planted.ts";
import { type Checkout, checkout, judge, QUEUE } from "./support/checkout.ts";
import { pass, passing, stopClocks, turns } from "./support/time.ts";
import { closeWorlds } from "./support/world.ts";

stopClocks();
closeWorlds();

const SEEDS = Array.from({ length: 8 }, (_, at) => 100 + at);

describe("two nodes with one queue of people", () => {
  const histories = new Map<number, Pick<Checkout, "records" | "done">>();

  it.each(SEEDS)("never let in more than the limit, and free each slot once (history %i)", async (seed) => {
    const { records, nodes, shownTooMany, done } = await checkout(seed);
    histories.set(seed, { records, done });
    expect(judge(records)).toBeUndefined();
    expect(shownTooMany).toBeUndefined();
    const [a, b] = nodes;
    expect(differences(a!.replica.fold, b!.replica.fold)).toEqual([]);
    expect(nodes.map(({ replica }) => replica.ready)).toEqual([true, true]);
  });

  it("have done everything there is to do in these histories", () => {
    const all = ["issued", "completed", "left", "extended", "limited", "replaced"];
    for (const what of all) {
      const times = [...histories.values()].reduce((sum, { done }) => sum + (done.get(what) ?? 0), 0);
      expect(times, what).toBeGreaterThan(5);
    }
  });

  it("let in whoever waits once all who were there have gone", async () => {
    const { nodes } = await checkout(1);
    const queues = () => nodes.map(({ replica }) => replica.fold.queue(QUEUE)!);
    for (let n = 0; n < 100 && queues()[0]!.waiting > 0; n++) {
      for (const { number } of [...queues()[0]!.activeTickets()]) {
        const { replica } = nodes[n % 2]!;
        await passing(replica.append({ kind: "ticket_completed", queue: QUEUE, number }));
      }
      await turns();
    }
    await pass(1_000);
    expect(queues().map(({ waiting }) => waiting)).toEqual([0, 0]);
  });

  it.each([
    {
      does: "admits one more than there is room for",
      file: "state.ts",
      find: "this.active.size < this.settings.max_active;",
      replace: "this.active.size <= this.settings.max_active;",
    },
    {
      does: "keeps the slot of one who leaves",
      file: "state.ts",
      find: "this.active.delete(number);",
      replace: 'if (stage !== "left") this.active.delete(number);',
    },
    {
      does: "frees a slot without ending the ticket when its session is extended",
      file: "ticket-sessions.ts",
      find: 'this.#state.tell("extended", number);',
      replace: 'this.#state.tell("extended", number); all.delete(number);',
    },
  ])("would be seen to, by a fold that $does", async (fault) => {
    const { Fold } = await planted<typeof import("@usher/queue")>("packages/queue", fault);
    const verdicts = [...histories.values()].map(({ records }) => judge(records, Fold));
    expect(verdicts.some((verdict) => verdict !== undefined)).toBe(true);
  });
});
