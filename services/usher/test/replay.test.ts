// `usher queue replay` on a node whose state is not what its log says: that is seen, and where.

import { createClient, createRouterTransport } from "@connectrpc/connect";
import { AdminService, type GetStateResponse } from "@usher/protocol/admin";
import { expect, test } from "vitest";
import { compare, comparisonText } from "../src/cli/queue/replay.ts";
import { openNode, type TestNode } from "./support/node.ts";

/** The node, which tells its state otherwise than it is. */
function lying({ client }: TestNode, lie: (state: GetStateResponse) => void) {
  const transport = createRouterTransport(({ service }) => {
    service(AdminService, {
      readLog: (request, { signal }) => client.readLog(request, { signal }),
      async getState(request) {
        const state = await client.getState(request);
        lie(state);
        return state;
      },
    });
  });
  return createClient(AdminService, transport);
}

async function openBusy(): Promise<TestNode> {
  const node = await openNode();
  await node.makeQueue("line");
  await node.makeQueue("aside");
  await node.issue("line", 30);
  node.log.inject({ key: "", value: Buffer.from("garbage") });
  await node.issue("aside", 3);
  return node;
}

test("a node whose state is what its log says is told to be equal, with how much was folded", async () => {
  const node = await openBusy();
  for (const queue of [undefined, "line"]) {
    const comparison = await compare(node.client, queue);
    expect(comparison.differences).toEqual([]);
    expect(comparison.records).toMatchObject({ skipped: 1, ignored: 0 });
    const text = comparisonText(comparison);
    expect(text).toMatch(
      /^equal: \d+ records folded up to offset \d+ in \d+\.\d\d s \(0 without effect, 1 entries/,
    );
    expect(text).toMatch(/^line +30 +29 +1 +0 +1 +[0-9a-f]{64}$/m);
    expect(/^aside /m.test(text)).toBe(queue === undefined);
  }
});

test("one that makes its digest otherwise is not told to be equal", async () => {
  const liar = lying(await openBusy(), (state) => {
    state.digest = "0".repeat(64);
  });
  expect((await compare(liar, undefined)).differences).toEqual([expect.stringContaining("another build")]);
});

test("one whose state is not, is told to differ, and where", async () => {
  const node = await openBusy();
  const liar = lying(node, (state) => {
    state.digest = "0".repeat(64);
    for (const piece of state.pieces) {
      if (piece.queue === "line" && piece.kind === "ticket") piece.digest = "0".repeat(16);
      if (piece.queue === "line" && piece.kind === "state") {
        piece.digest = "1".repeat(16);
        piece.fields.waiting = "12";
      }
    }
    state.pieces = state.pieces.filter(({ queue }) => queue !== "aside");
  });
  const comparison = await compare(liar, undefined);
  expect(comparison.differences).toEqual(
    expect.arrayContaining([
      "queue line: state: waiting 12 / 29",
      "queue line: tickets 1 to 1024: not the same",
      "queue aside: settings: not there / there",
    ]),
  );
  expect(comparisonText(comparison)).toMatch(
    /^NOT EQUAL: .*\ndigest 0{64} in the node, [0-9a-f]{64} in the replay\n/,
  );
});
