// Faults, at least one for every check of the contract.

import { type Follower, LogError } from "../../src/log.ts";
import type { Append, Deliver, Fault } from "./planting.ts";

/** Long enough for whoever was answered too early to look. */
const LATER_MS = 300;

/** What is done late, and by then for nobody. */
function later(change: () => Promise<void>): void {
  setTimeout(() => change().catch(() => {}), LATER_MS);
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

const inWriting: readonly Fault[] = [
  {
    name: "drops an entry and says that it is written",
    twist() {
      let count = 0;
      return {
        appends: (append) => async (entry, options) => void (++count % 7 && (await append(entry, options))),
      };
    },
    caughtBy: ["entries are read back in the order of the appends"],
  },
  {
    name: "swaps entries",
    twist() {
      let count = 0;
      const appends =
        (append: Append): Append =>
        async (entry, options) => {
          if (++count % 5 === 0) await turn();
          await append(entry, options);
        };
      return { appends };
    },
    caughtBy: [
      "entries are read back in the order of the appends",
      "of many writers at once, each keeps its order, and all followers see the same order of all",
    ],
  },
  {
    name: "writes an urgent entry in its turn",
    twist: () => ({ appends: (append) => (entry, options) => append(entry, { ...options, urgent: false }) }),
    caughtBy: ["an urgent entry goes before what waits, and leaves the order of the rest as it is"],
  },
  {
    name: "answers an append before it is durable",
    twist: () => ({ appends: (append) => async (entry, options) => later(() => append(entry, options)) }),
    caughtBy: ["an entry is durable when its append resolves, and so is its payload"],
  },
  {
    name: "answers a payload before it is durable",
    twist: (log) => ({ putPayload: async (payload) => later(() => log.putPayload(payload)) }),
    caughtBy: ["a payload alone is durable when its put resolves"],
  },
  {
    name: "loses headers",
    twist: () => ({
      appends:
        (append) =>
        ({ key, value }, options) =>
          append({ key, value }, options),
    }),
    caughtBy: ["keys, values and headers come back as they were: live, read later, and after opening again"],
  },
  {
    name: "cuts values at 64 KiB",
    twist: () => ({
      appends: (append) => (entry, options) =>
        append({ ...entry, value: entry.value.subarray(0, 64 * 1024) }, options),
    }),
    caughtBy: ["the largest entry and the largest payload come back as they were"],
  },
  {
    name: "writes later what it refused",
    twist() {
      const refused: (() => Promise<void>)[] = [];
      const appends =
        (append: Append): Append =>
        async (entry, options) => {
          for (const again of refused.splice(0)) await again().catch(() => {});
          try {
            await append(entry, options);
          } catch (error) {
            refused.push(() => append(entry, options));
            throw error;
          }
        };
      return { appends };
    },
    caughtBy: [
      "more appends than may wait are refused as overloaded, and only those; later ones are taken again",
    ],
  },
];

const inFollowing: readonly Fault[] = [
  {
    name: "delivers an entry twice",
    twist: () => ({ delivers: (deliver) => (batch) => deliver([...batch, batch.at(-1)!]) }),
    caughtBy: [
      "entries are read back in the order of the appends",
      "a follower that begins while others write misses nothing and gets nothing twice",
    ],
  },
  {
    name: "loses what comes between reading and living",
    twist: () => ({
      delivers(deliver) {
        let calls = 0;
        return (batch) => (++calls === 2 ? undefined : deliver(batch));
      },
    }),
    caughtBy: ["a follower that begins while others write misses nothing and gets nothing twice"],
  },
  {
    name: "delivers nothing after it has caught up",
    twist: () => ({
      delivers(deliver) {
        let calls = 0;
        return (batch) => (++calls === 1 ? deliver(batch) : undefined);
      },
    }),
    caughtBy: ["a follower that has read all gets what comes"],
  },
  {
    name: "moves entries to other offsets when it is opened again",
    twist: (_, opening) => ({
      delivers: (deliver) => (batch) =>
        deliver(batch.map((entry) => ({ ...entry, offset: entry.offset + opening }))),
    }),
    caughtBy: ["offsets rise, and an entry keeps its own when the log is opened again"],
  },
  {
    name: "forgets the last entry when it is opened again",
    twist: (_, opening) =>
      opening === 1 ? {} : { delivers: (deliver) => (batch) => deliver(batch.slice(0, -1)) },
    caughtBy: ["what was written is there after the log is closed and opened again"],
  },
  {
    name: "shows one follower another order",
    twist() {
      let followers = 0;
      const delivers = (deliver: Deliver): Deliver => {
        if (++followers !== 2) return deliver;
        return (batch) => {
          const values = batch.map(({ value }) => value).reverse();
          deliver(batch.map((entry, n) => ({ ...entry, value: values[n]! })));
        };
      };
      return { delivers };
    },
    caughtBy: ["of many writers at once, each keeps its order, and all followers see the same order of all"],
  },
  {
    name: "begins one entry late",
    twist: (log) => ({ follow: (from, follower) => log.follow(from + 1, follower) }),
    caughtBy: ["a follower gets all from its offset on, whatever offset that is"],
  },
  {
    name: "tells a follower where an entry is, in place of what follows it",
    twist: (log) => ({
      follow: (from, follower) =>
        log.follow(from, {
          entries: (batch, next) => follower.entries(batch, next - 1),
          failed: (error) => follower.failed(error),
        }),
    }),
    caughtBy: ["a follower is told how far it has got, with each entry, and in the end to the end"],
  },
  {
    name: "goes on after a follower is closed",
    twist: (log) => ({
      follow(from, follower) {
        const { lag_ms } = log.follow(from, follower);
        return { lag_ms, close() {} };
      },
    }),
    caughtBy: ["a closed follower gets nothing more, and the others go on"],
  },
  {
    name: "waits for an offset past the end",
    twist: (log) => ({
      follow: (from, follower) =>
        log.follow(from, { entries: (batch, next) => follower.entries(batch, next), failed() {} }),
    }),
    caughtBy: ["an offset past the end fails the follower instead of leaving it to wait"],
  },
  {
    name: "hides what a follower throws",
    twist: () => ({
      delivers: (deliver) => (batch) => {
        try {
          deliver(batch);
        } catch {}
      },
    }),
    caughtBy: ["a follower that throws is told so, and takes no other along"],
  },
  {
    name: "says that nobody lags",
    twist: (log) => ({
      follow(from, follower) {
        const following = log.follow(from, follower);
        return { lag_ms: 0, close: () => following.close() };
      },
    }),
    caughtBy: ["a follower is known to lag until it has had everything, and as long as it lives"],
  },
  {
    name: "says that the end is one before the last entry",
    twist: (log) => ({ end: async () => Math.max(0, (await log.end()) - 1) }),
    caughtBy: ["the end is the offset after the last entry"],
  },
  {
    name: "makes empty headers of none",
    twist: () => ({
      delivers: (deliver) => (batch) => deliver(batch.map((entry) => ({ headers: {}, ...entry }))),
    }),
    caughtBy: ["absent and empty headers are both absent"],
  },
];

const inPayloads: readonly Fault[] = [
  {
    name: "loses the payload of an entry",
    twist: () => ({ appends: (append) => (entry) => append(entry) }),
    caughtBy: [
      "a payload that went with an entry is there when the append resolves",
      "an entry is durable when its append resolves, and so is its payload",
    ],
  },
  {
    name: "keeps the first payload of a key",
    twist: (log) => ({
      async putPayload(payload) {
        if ((await log.getPayload(payload.key)) === undefined) await log.putPayload(payload);
      },
    }),
    caughtBy: ["a payload alone is there when its put resolves, and put again is replaced"],
  },
  {
    name: "takes sessions of 63 bits",
    twist: (log) => ({
      putPayload: ({ key, bytes }) =>
        log.putPayload({ key: { ...key, session: BigInt.asUintN(63, key.session) }, bytes }),
      getPayload: (key) => log.getPayload({ ...key, session: BigInt.asUintN(63, key.session) }),
    }),
    caughtBy: [
      "sessions of 64 bits, sequences and attempts are told apart",
      "what cannot be stored is refused, and takes no neighbour along",
    ],
  },
  {
    name: "mixes attempts",
    twist: (log) => ({
      putPayload: ({ key, bytes }) => log.putPayload({ key: { ...key, attempt: 0 }, bytes }),
      getPayload: (key) => log.getPayload({ ...key, attempt: 0 }),
    }),
    caughtBy: [
      "sessions of 64 bits, sequences and attempts are told apart",
      "payloads dropped by ticket are gone, of all attempts, and no others",
    ],
  },
  {
    name: "drops no payload",
    twist: () => ({ dropPayloads: async () => {}, dropPayloadsOlderThan: async () => {} }),
    caughtBy: [
      "payloads dropped by ticket are gone, of all attempts, and no others",
      "payloads dropped by age are those stored longer ago",
      "payloads are kept, and dropped ones stay dropped, when the log is opened again",
    ],
  },
  {
    name: "drops before it puts what was put before",
    twist: (log) => ({
      async putPayload(payload) {
        await turn();
        await log.putPayload(payload);
      },
    }),
    caughtBy: ["a drop that is called after a put goes after it"],
  },
  {
    name: "drops payloads of any age",
    twist: (log) => ({ dropPayloadsOlderThan: () => log.dropPayloadsOlderThan(0) }),
    caughtBy: ["payloads dropped by age are those stored longer ago"],
  },
  {
    name: "loses payloads when it is opened again",
    twist: (_, opening) => (opening === 1 ? {} : { getPayload: async () => undefined }),
    caughtBy: ["payloads are kept, and dropped ones stay dropped, when the log is opened again"],
  },
];

const inEnds: readonly Fault[] = [
  {
    name: "knows no bounds",
    options: ({ now }) => (now ? { now } : {}),
    caughtBy: [
      "more appends than may wait are refused as overloaded, and only those; later ones are taken again",
      "more bytes than may wait are refused as overloaded, of entries and of payloads",
      "an entry or payload that is too large is refused as that, and nothing of it is kept",
      "too many fetches, drops and followers are refused",
    ],
  },
  {
    name: "closes before what was accepted is written",
    twist: () => ({
      appends: (append) => async (entry, options) => {
        await turn();
        await append(entry, options);
      },
    }),
    caughtBy: ["closing while busy writes and resolves what was accepted"],
  },
  {
    name: "takes entries after it was closed",
    twist: () => ({
      appends: (append) => (entry, options) =>
        append(entry, options).catch((error) => {
          if (error.code !== "closed") throw error;
        }),
    }),
    caughtBy: [
      "a closed log refuses every call as closed, but closing it again",
      "a closing writer waits for its own appends, takes no more, and stops no other",
    ],
  },
  {
    name: "fails when it is closed again",
    twist(log) {
      let closes = 0;
      return { close: () => (++closes > 1 ? Promise.reject(new LogError("closed", "again")) : log.close()) };
    },
    caughtBy: ["a closed log refuses every call as closed, but closing it again"],
  },
  {
    name: "closes a writer without waiting",
    twist: (log) => ({
      openWriter() {
        const writer = log.openWriter();
        return {
          append: (entry, options) => writer.append(entry, options),
          close: async () => void writer.close(),
        };
      },
    }),
    caughtBy: ["a closing writer waits for its own appends, takes no more, and stops no other"],
  },
  {
    name: "fails its followers when it is closed",
    twist(log) {
      const followers: Follower[] = [];
      return {
        follow(from, follower) {
          followers.push(follower);
          return log.follow(from, follower);
        },
        async close() {
          await log.close();
          for (const follower of followers) follower.failed(new LogError("closed", "closed"));
        },
      };
    },
    caughtBy: ["closing the log ends its followers without a word"],
  },
];

const inSharing: readonly Fault[] = [
  {
    name: "says the opposite of whether it is shared",
    twist: (log) => ({ shared: !log.shared }),
    caughtBy: [
      "a log says that it is shared if another node may have it open, which then sees the same, and refuses it otherwise",
    ],
  },
];

export const faults: readonly Fault[] = [
  ...inWriting,
  ...inFollowing,
  ...inPayloads,
  ...inEnds,
  ...inSharing,
];
