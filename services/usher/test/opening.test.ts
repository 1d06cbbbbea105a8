// What a node says while its log cannot be opened, and when it gives up.

import { freshKeys } from "@usher/replica";
import { LogError, openMemoryLog, type TicketLog } from "@usher/ticket-log";
import { expect, onTestFinished, test } from "vitest";
import { Failure } from "../src/failure.ts";
import { Opening, type OpeningOptions } from "../src/opening.ts";

const KEYS = freshKeys();

interface Stage {
  readonly said: string[];
  /** What anybody may read, at each change. */
  readonly progress: string[];
  readonly stopping: AbortController;
  /** Logs that were opened. */
  readonly logs: TicketLog[];
  open(): ReturnType<Opening["open"]>;
}

/** `attempts`: what each attempt fails with; the one after them succeeds. */
function stage(
  attempts: readonly unknown[],
  options: Partial<OpeningOptions> & { elsewhere?: boolean } = {},
): Stage {
  const rest = [...attempts];
  const [said, progress, logs] = [[] as string[], [] as string[], [] as TicketLog[]];
  const stopping = new AbortController();
  const opening = new Opening({
    source: {
      elsewhere: options.elsewhere ?? true,
      nameFor: () => "node",
      async open() {
        if (rest.length > 0) throw rest.shift();
        const log = openMemoryLog();
        logs.push(log);
        return log;
      },
    },
    keys: async () => KEYS,
    node: "node",
    prepare: async () => {},
    signal: stopping.signal,
    onProgress: (why) => progress.push(why),
    say: (line) => said.push(line),
    onStale: () => {},
    onFault: () => {},
    onReplicaFault: () => {},
    wait: async () => {},
    ...options,
  });
  return {
    ...{ said, progress, stopping, logs },
    async open() {
      const opened = await opening.open();
      onTestFinished(async () => {
        await opened.replica.close();
        await opened.log.close();
      });
      return opened;
    },
  };
}

const away = (broker: string): LogError => new LogError("unavailable", `${broker} does not answer`);

test("each reason is said once, however often it comes, and so is the end of it", async () => {
  const { said, open } = stage([
    away("b1"),
    away("b1"),
    new LogError("misconfigured", "no right to read"),
    away("b1"),
  ]);
  const { replica } = await open();
  expect(said).toEqual([
    "the log cannot be opened: b1 does not answer (trying again until it opens)",
    "the log cannot be opened: no right to read",
    "the log is open",
  ]);
  expect(replica.ready).toBe(true);
});

test("a log that opens at once is not spoken of", async () => {
  const { said, progress, open } = stage([]);
  await open();
  expect(said).toEqual([]);
  expect(progress).toEqual(["it reads the log"]);
});

test("what anybody may read names the kind of the trouble, and nothing of the cluster", async () => {
  const codes = ["unavailable", "misconfigured", "corrupt", "in_use", "disk_full", "closed"] as const;
  const { progress, open } = stage(codes.map((code) => new LogError(code, `secret-broker: ${code}`)));
  await open();
  const troubles = progress.slice(0, -1);
  expect(new Set(troubles).size).toBe(codes.length);
  for (const words of troubles)
    expect(words).toMatch(/^(the log|another process|there is no room) .*\(its own output tells more\)$/);
  expect(progress.join()).not.toContain("secret-broker");
});

test("several things that are wrong with one topic are one line", async () => {
  const { said, open } = stage([
    new LogError("misconfigured", "the topic t is not as it must be:\n- one\n- two"),
  ]);
  await open();
  expect(said[0]).toBe(
    "the log cannot be opened: the topic t is not as it must be: one; two (trying again until it opens)",
  );
});

test("a fault of our own is said with where it came from, and tried again too", async () => {
  const { said, open } = stage([new TypeError("x is undefined")]);
  await open();
  expect(said[0]).toMatch(/x is undefined\n\s+at .*opening\.test\.ts/);
});

test("of ever new reasons only so many are remembered", async () => {
  const reasons = Array.from({ length: 40 }, (_, at) => away(`b${at}`));
  const { said, open } = stage([...reasons, away("b0"), away("b39")]);
  await open();
  // The first was forgotten, so it counts as new; the last was not.
  expect(said).toHaveLength(42);
});

test("what cannot be prepared is tried again with a log opened anew; the former one is closed", async () => {
  let first = true;
  const { said, logs, open } = stage([], {
    prepare: async () => {
      if (first) {
        first = false;
        throw away("b1");
      }
    },
  });
  await open();
  expect(said).toEqual([
    "the log cannot be opened: b1 does not answer (trying again until it opens)",
    "the log is open",
  ]);
  expect(logs).toHaveLength(2);
  expect(() => logs[0]!.openWriter()).toThrow(LogError);
});

test("a configuration that the log contradicts ends it: waiting mends nothing there", async () => {
  const { logs, open } = stage([], { prepare: () => Promise.reject(new Failure("another kind")) });
  await expect(open()).rejects.toThrow("another kind");
  expect(() => logs[0]!.openWriter()).toThrow(LogError);
});

test("a log of this machine's own is tried once", async () => {
  const { said, open } = stage([away("the disk")], { elsewhere: false });
  await expect(open()).rejects.toThrow("the disk does not answer");
  expect(said).toEqual([]);
});

test("told to stop while a log opens, it closes that log and is not open", async () => {
  const { logs, stopping, open } = stage([], {
    prepare: async () => stopping.abort(new Error("told to stop")),
  });
  await expect(open()).rejects.toThrow("told to stop");
  expect(() => logs[0]!.openWriter()).toThrow(LogError);
});
