import type { Outcome, Settings } from "@usher/queue";
import { SETTINGS_DEFAULTS } from "@usher/queue";
import { expect, test } from "vitest";
import type { QueueConfig } from "../src/config/config.ts";
import { Failure } from "../src/failure.ts";
import { type Queues, reconcile } from "../src/reconcile.ts";

const BASE: Settings = { ...SETTINGS_DEFAULTS, kind: "defer", max_active: 20, max_wait_ms: 60_000 };

/** A log that keeps what it is told, as the fold does: revision by revision. */
class Log implements Queues {
  readonly changes: { name: string; settings: Settings; revision: number; reason: string }[] = [];
  readonly #queues = new Map<string, { name: string; settings: Settings; revision: number }>();
  readonly fold = {
    queue: (name: string) => this.#queues.get(name),
    queues: () => this.#queues.values(),
  };

  constructor(live: Record<string, Settings> = {}) {
    for (const [name, settings] of Object.entries(live))
      this.#queues.set(name, { name, settings, revision: 4 });
  }

  async configure(
    name: string,
    settings: Settings,
    change: { revision: number; reason: string },
  ): Promise<Outcome> {
    if (change.revision !== (this.#queues.get(name)?.revision ?? 0) + 1)
      return { kind: "ignored", reason: "old_revision" };
    this.changes.push({ name, settings, ...change });
    const live = this.#queues.get(name);
    if (live === undefined) this.#queues.set(name, { name, settings, revision: change.revision });
    else Object.assign(live, { settings, revision: change.revision });
    return { kind: "applied" };
  }
}

function wanted(
  settings: Partial<Settings>,
  unsaid: QueueConfig["unsaid"] = ["mode", "notice"],
): QueueConfig[] {
  return [{ name: "orders", settings: { ...BASE, ...settings }, unsaid }];
}

test("a queue that the log does not have is made, as the configuration has it", async () => {
  const log = new Log();
  const lines = await reconcile(log, { queues: wanted({}), command: [], source: "usher.yaml" });
  expect(lines).toEqual([]);
  expect(log.changes).toEqual([
    { name: "orders", settings: BASE, revision: 1, reason: "made by usher.yaml" },
  ]);
});

test("a queue that is the same is left alone", async () => {
  const log = new Log({ orders: BASE });
  expect(await reconcile(log, { queues: wanted({}), command: "all", source: "usher.yaml" })).toEqual([]);
  expect(log.changes).toEqual([]);
});

test("what differs from a file is told in a line for each setting, and not changed", async () => {
  const log = new Log({ orders: BASE });
  const lines = await reconcile(log, {
    queues: wanted({ max_active: 80, rate_thousandths: 500, max_wait_ms: 5_400_000 }),
    command: [],
    source: "usher.yaml",
  });
  expect(lines).toEqual([
    "queue orders: limit.rate_per_second is none in the log and 0.5 in usher.yaml; the log counts (--apply changes it)",
    "queue orders: limit.max_active is 20 in the log and 80 in usher.yaml; the log counts (--apply changes it)",
    "queue orders: max_wait is 1m in the log and 1h30m in usher.yaml; the log counts (--apply changes it)",
  ]);
  expect(log.changes).toEqual([]);
});

test("with --apply all that differs becomes the next revision, at once", async () => {
  const log = new Log({ orders: BASE });
  const lines = await reconcile(log, {
    queues: wanted({ max_active: 80, attempts: 2 }),
    command: "all",
    source: "usher.yaml",
  });
  expect(lines).toHaveLength(2);
  expect(lines).toContain("queue orders: limit.max_active changed from 20 to 80");
  expect(log.changes).toEqual([
    {
      name: "orders",
      settings: { ...BASE, max_active: 80, attempts: 2 },
      revision: 5,
      reason: "applied from usher.yaml",
    },
  ]);
});

test("flags change what they name, and no more", async () => {
  const log = new Log({ orders: { ...BASE, attempts: 2 } });
  const lines = await reconcile(log, {
    queues: wanted({ max_active: 80 }),
    command: ["rate_thousandths", "max_active"],
    source: "the flags",
  });
  expect(lines).toContain("queue orders: limit.max_active changed from 20 to 80");
  expect(lines.filter((line) => line.includes("attempts is 2 in the log and 5 in the flags"))).toHaveLength(
    1,
  );
  expect(log.changes.map(({ settings }) => settings)).toEqual([{ ...BASE, attempts: 2, max_active: 80 }]);
});

test("a queue that an operator paused stays paused where the file says no mode, --apply or not", async () => {
  const log = new Log({ orders: { ...BASE, mode: "paused", notice: "Back at ten" } });
  expect(await reconcile(log, { queues: wanted({}), command: "all", source: "usher.yaml" })).toEqual([]);
  expect(log.changes).toEqual([]);
});

test("a mode that the file says is applied on command", async () => {
  const log = new Log({ orders: { ...BASE, mode: "paused" } });
  await reconcile(log, {
    queues: wanted({ mode: "auto" }, ["notice"]),
    command: "all",
    source: "usher.yaml",
  });
  expect(log.changes.map(({ settings }) => settings.mode)).toEqual(["auto"]);
});

test("a queue keeps its kind: another is refused, with what to do", async () => {
  const log = new Log({ orders: BASE });
  const reconciling = reconcile(log, {
    queues: wanted({ kind: "pass" }),
    command: "all",
    source: "usher.yaml",
  });
  await expect(reconciling).rejects.toThrow(Failure);
  await expect(reconciling).rejects.toThrow(/kind is defer in the log and pass in usher\.yaml.*another name/);
  expect(log.changes).toEqual([]);
});

test("queues that only the log has are told of, in one line, however many", async () => {
  const reconciling = { queues: wanted({}), command: [], source: "usher.yaml" };
  expect(await reconcile(new Log({ orders: BASE, old: BASE }), reconciling)).toEqual([
    "queue old is in the log, not in usher.yaml: kept, without routes",
  ]);
  const many = Object.fromEntries(Array.from({ length: 300 }, (_, at) => [`q${at}`, BASE]));
  expect(await reconcile(new Log({ orders: BASE, ...many }), reconciling)).toEqual([
    "queues q0, q1, q2, q3, q4 and 295 more are in the log, not in usher.yaml: kept, without routes",
  ]);
});

test("a queue that another node makes in the same moment is taken as that node made it", async () => {
  const log = new Log();
  const configure = log.configure.bind(log);
  let first = true;
  log.configure = async (name, settings, change) => {
    if (first) await configure(name, { ...settings, max_active: 5 }, { ...change, reason: "made elsewhere" });
    first = false;
    return configure(name, settings, change);
  };
  const lines = await reconcile(log, { queues: wanted({}), command: [], source: "usher.yaml" });
  expect(lines).toEqual([
    "queue orders: limit.max_active is 5 in the log and 20 in usher.yaml; the log counts (--apply changes it)",
  ]);
  expect(log.changes.map(({ reason }) => reason)).toEqual(["made elsewhere"]);
});

test("a change that others are quicker with again and again ends the start, rather than being taken for done", async () => {
  const log = new Log({ orders: BASE });
  log.configure = async () => ({ kind: "ignored", reason: "old_revision" });
  const reconciling = reconcile(log, {
    queues: wanted({ max_active: 1 }),
    command: "all",
    source: "usher.yaml",
  });
  await expect(reconciling).rejects.toThrow(/changed by somebody else in the same moment/);
});
