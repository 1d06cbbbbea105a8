// A crowd that asks for tickets while everything goes wrong: the log loses, delays, repeats and refuses, strangers
// write into it, it hangs, the node is stopped or killed and started again. What each caller was told is kept; so is
// the log.
//
// Each wish has its own key, or none. A caller that is refused, or left in doubt, may ask again under the same key.

import type { Settings } from "@usher/queue";
import { type Fate, type MemoryLog, MemoryStore, openMemoryLog } from "@usher/ticket-log";
import { pick, random } from "../../../../test/support/random.ts";
import type { Caller, IssuedPlace, Replica } from "../../src/index.ts";
import { KEYS } from "./keys.ts";
import { pass, passing, turns } from "./time.ts";
import { entriesOf } from "./world.ts";

/** The code under test: the shipped one, or one with a fault. */
export interface Code {
  readonly Replica: typeof Replica;
}

export interface Wish {
  /** Whose; nobody is there twice with the same key. */
  readonly caller: Caller;
  /** Absent: every call is another wish. */
  readonly key: string | undefined;
  readonly digest: Buffer;
}

/** What became of a call. `lost`: the node was killed before it answered. */
export type Told =
  | { readonly end: "ok"; readonly number: number; readonly existing: boolean; readonly token: string }
  | { readonly end: "refused"; readonly reason: string }
  | { readonly end: "unknown" };

export interface Call {
  readonly wish: Wish;
  readonly told: Told;
}

/** What is left when all has been said. */
export interface Aftermath {
  readonly calls: readonly Call[];
  /** As they were when everything had calmed down, before anybody asked again. */
  readonly store: MemoryStore;
  /** What the same wishes got when they were asked once more, by a node that works. */
  readonly asked: readonly Call[];
  /** The number that each token proves, on that node; absent: none. */
  readonly proven: ReadonlyMap<string, number>;
}

/** The queue that all ask for. */
export const QUEUE = "q";
const WISHES = 60;
/** Callers that share their keys' spelling, and nothing else. */
const CALLERS: readonly Caller[] = ["key:a", "key:b", "credentials:c"].map((id) => ({ id, trusted: false }));
const ASK_AGAIN_MAX = 3;

const SETTINGS: Settings = {
  kind: "defer",
  mode: "auto",
  rate_thousandths: 0,
  max_active: 3,
  max_wait_ms: 24 * 60 * 60_000,
  max_waiting: 1_000,
  session_ms: 5_000,
  key_retention_ms: 24 * 60 * 60_000,
  attempts: 5,
  notice: "",
};

/** One history; the same for the same seed, but for the sessions' random ids. Clocks are stopped: `stopClocks`. */
export async function crowd(code: Code, seed: number): Promise<Aftermath> {
  const world = new FailingWorld(code, random(seed));
  await world.begin();
  const calls = await world.run();
  const store = await world.calm();
  return aftermath(code, calls, store);
}

class FailingWorld {
  readonly #code: Code;
  readonly #next: () => number;
  #store = new MemoryStore();
  #log!: MemoryLog;
  /** Absent while it starts. */
  #replica: Replica | undefined;
  #faulty = false;
  /** Grows with every kill: answers of a killed node reach nobody. */
  #life = 0;
  readonly #dead: Promise<unknown>[] = [];

  constructor(code: Code, next: () => number) {
    this.#code = code;
    this.#next = next;
  }

  async begin(): Promise<void> {
    await this.#start();
    const change = { revision: 1, reason: "" };
    await this.#replica?.configure(QUEUE, SETTINGS, change);
    this.#faulty = true;
  }

  /** Everybody asks, a few at a time, while the world goes on failing. */
  async run(): Promise<Call[]> {
    const calls: Call[] = [];
    let asking = 0;
    const wishes = this.#wishes();
    const ask = async (wish: Wish): Promise<void> => {
      asking++;
      for (let again = 0; again <= ASK_AGAIN_MAX; again++) {
        const told = await this.#ask(wish);
        calls.push({ wish, told });
        if (told.end === "ok" || wish.key === undefined || pick(this.#next, 4) === 0) break;
        await turns(1 + pick(this.#next, 10));
      }
      asking--;
    };
    while (wishes.length > 0 || asking > 0) {
      for (let some = pick(this.#next, 6); some > 0 && wishes.length > 0; some--) void ask(wishes.shift()!);
      await this.#happen();
    }
    return calls;
  }

  /** No more faults; what is on its way arrives, and the node is stopped. */
  async calm(): Promise<MemoryStore> {
    this.#faulty = false;
    this.#log.release();
    await pass(12_000);
    await this.#replica?.close();
    await this.#log.close();
    for (let n = 0; n < 50; n++) this.#store.write(garbage(), undefined, 0);
    await passing(Promise.all(this.#dead));
    return this.#store;
  }

  #wishes(): Wish[] {
    return Array.from({ length: WISHES }, (_, n) => {
      const caller = CALLERS[n % CALLERS.length]!;
      const key = n % 4 === 3 ? undefined : `key ${Math.floor(n / CALLERS.length / 2)}`;
      // Two wishes of one caller under one key: the later one may be the same request, or another.
      return { caller, key, digest: Buffer.alloc(8, key === undefined ? 0 : pick(this.#next, 2)) };
    });
  }

  async #ask({ caller, key, digest }: Wish): Promise<Told> {
    const life = this.#life;
    if (this.#replica === undefined) return { end: "refused", reason: "nobody listens" };
    const issued = this.#replica.desk.issue({ queue: QUEUE, caller, key, digest }).then(
      ({ view, existing, token }: IssuedPlace): Told => ({ end: "ok", number: view.number, existing, token }),
      (error: { reason?: string; outcome?: string }): Told => {
        if (error.outcome === "unknown") return { end: "unknown" };
        return { end: "refused", reason: error.reason ?? `${error}` };
      },
    );
    const told = await issued;
    return life === this.#life ? told : { end: "unknown" };
  }

  async #happen(): Promise<void> {
    switch (pick(this.#next, 40)) {
      case 0:
        return this.#restart();
      case 1:
        return this.#kill();
      case 2:
        this.#log.hold();
        await pass(pick(this.#next, 15_000));
        return this.#log.release();
      case 3:
      case 4:
        return this.#log.inject(garbage());
      case 5:
      case 6:
        return this.#log.inject(this.#written());
      case 7:
      case 8:
        return this.#log.inject(damaged(this.#written(), this.#next));
      case 9:
        return pass(pick(this.#next, 2_000));
      default:
        return turns(1 + pick(this.#next, 4));
    }
  }

  /** An entry that was written before. */
  #written() {
    const entries = entriesOf(this.#store);
    return entries[pick(this.#next, entries.length)]!;
  }

  async #restart(): Promise<void> {
    if (this.#replica !== undefined) await passing(this.#replica.close());
    await this.#log.close();
    await this.#start();
  }

  /** What the killed node has on its way goes nowhere, and what it would have answered neither. */
  async #kill(): Promise<void> {
    const [replica, log] = [this.#replica, this.#log];
    this.#store = this.#store.copy();
    this.#life++;
    this.#replica = undefined;
    await this.#start();
    if (replica !== undefined) this.#dead.push(replica.close().then(() => log.close()));
  }

  async #start(): Promise<void> {
    for (;;) {
      this.#log = openMemoryLog({ store: this.#store, fate: () => this.#fate() });
      const options = { log: this.#log, keys: KEYS, node: "node", onFault: () => {} };
      try {
        this.#replica = await passing(this.#code.Replica.open(options));
        return;
      } catch {
        await this.#log.close();
      }
    }
  }

  #fate(): Fate {
    if (!this.#faulty) return "written";
    switch (pick(this.#next, 40)) {
      case 0:
        return "refused";
      case 1:
        return "lost";
      case 2:
        return "unacknowledged";
      case 3:
        return "stuck";
      case 4:
        return "twice";
      case 5:
        return { late: pick(this.#next, 8) };
      default:
        return "written";
    }
  }
}

async function aftermath(code: Code, calls: readonly Call[], store: MemoryStore): Promise<Aftermath> {
  const log = openMemoryLog({ store: store.copy() });
  const replica = await code.Replica.open({ log, keys: KEYS, node: "node", onFault: () => {} });
  const asked: Call[] = [];
  for (const wish of distinct(calls)) {
    const told = await replica.desk.issue({ queue: QUEUE, ...wish }).then(
      ({ view, existing, token }): Told => ({ end: "ok", number: view.number, existing, token }),
      (error: { reason?: string }): Told => ({ end: "refused", reason: error.reason ?? `${error}` }),
    );
    asked.push({ wish, told });
  }
  const proven = new Map<string, number>();
  for (const { told } of [...calls, ...asked]) {
    if (told.end !== "ok") continue;
    const held = await replica.desk.held(told.token).catch(() => undefined);
    if (held !== undefined) proven.set(told.token, held.view.number);
  }
  await passing(replica.close());
  await log.close();
  return { calls, store, asked, proven };
}

/** Each wish with a key, once. */
function distinct(calls: readonly Call[]): Wish[] {
  return [...new Set(calls.map(({ wish }) => wish))].filter(({ key }) => key !== undefined);
}

function garbage() {
  return { key: "", value: Buffer.from("nobody's") };
}

function damaged({ key, value }: { key: string; value: Uint8Array }, next: () => number) {
  const changed = Uint8Array.from(value);
  changed[pick(next, changed.length)]! ^= 1 << pick(next, 8);
  return { key, value: changed };
}
