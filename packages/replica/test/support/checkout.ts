// People who are let in, go on, and go, through two nodes at once, while limits and the timekeeper change: one history a
// seed, and what was seen of it on both nodes.

import { Fold, type LogRecord } from "@usher/queue";
import { type Fate, MemoryStore } from "@usher/ticket-log";
import { pick, random } from "../../../../test/support/random.ts";
import type { Place } from "../../src/index.ts";
import { SPREAD_MS, TERM_SILENCE_MS } from "../../src/timekeeper.ts";
import { pass, passing, turns } from "./time.ts";
import { makeQueue, openWorld, recordsOf, SETTINGS, type World } from "./world.ts";

export const QUEUE = "q";
const SECOND = 1_000;
const STEPS = 120;
const VISITORS = 30;

/** In this time a timekeeper that is not heard is surely replaced. */
const REPLACED_MS = TERM_SILENCE_MS + SPREAD_MS + 500;
/** And in this, whoever asked of a node that did not reach the log has been told, and it has read everything. */
const SETTLED_MS = 12 * SECOND;

const BEGIN = {
  ...SETTINGS,
  kind: "pass",
  max_active: 3,
  session_ms: 2 * SECOND,
  key_retention_ms: SECOND,
} as const;

export interface Checkout {
  readonly records: readonly LogRecord[];
  readonly nodes: readonly World[];
  /** At some moment, a node showed more people as admitted, or gave out more passes, than any limit so far let in. */
  readonly shownTooMany: string | undefined;
  /** What the wishes led to, by name. */
  readonly done: ReadonlyMap<string, number>;
}

/** Clocks are stopped: `stopClocks`. The worlds are closed by `closeWorlds`. */
export async function checkout(seed: number): Promise<Checkout> {
  return new Scene(random(seed)).play();
}

class Scene {
  readonly #next: () => number;
  readonly #nodes: World[] = [];
  /** Of each visitor, the place that was shown last. */
  readonly #places = new Map<string, Place>();
  readonly #done = new Map<string, number>();
  readonly #underWay = new Set<Promise<void>>();
  #faulty = false;
  #most = BEGIN.max_active as number;
  #shownTooMany: string | undefined;

  constructor(next: () => number) {
    this.#next = next;
  }

  async play(): Promise<Checkout> {
    const store = new MemoryStore({ shared: true });
    for (const node of ["a", "b"]) {
      this.#nodes.push(await openWorld({ store, node, fate: () => this.#fate() }));
      await pass(SECOND);
    }
    await makeQueue(this.#nodes[0]!, QUEUE, BEGIN);
    await turns();
    this.#faulty = true;
    for (let step = 0; step < STEPS; step++) await this.#step();
    this.#faulty = false;
    for (const { log } of this.#nodes) log.mend();
    await pass(SETTLED_MS);
    await passing(Promise.all(this.#underWay));
    await turns();
    return {
      records: recordsOf(store),
      nodes: this.#nodes,
      shownTooMany: this.#shownTooMany,
      done: this.#done,
    };
  }

  async #step(): Promise<void> {
    for (let some = pick(this.#next, 6); some > 0; some--) this.#wish();
    this.#look();
    if (pick(this.#next, 12) === 0) this.#changeLimit();
    if (pick(this.#next, 25) === 0) await this.#silence();
    else if (pick(this.#next, 20) === 0) await pass((20 + pick(this.#next, 20)) * SECOND);
    else if (pick(this.#next, 3) === 0) await pass(pick(this.#next, 2 * SECOND));
    else await turns(1 + pick(this.#next, 6));
    this.#look();
  }

  /** Somebody wants something of some node. */
  #wish(): void {
    const { desk } = this.#node().replica;
    const visitor = `visitor ${pick(this.#next, VISITORS)}`;
    const place = this.#places.get(visitor);
    const what = pick(this.#next, 8);
    if (place === undefined || what < 3) {
      this.#go("issued", desk.issue({ queue: QUEUE, caller: NOBODY, visitor }), visitor);
    } else if (what < 5) this.#go("completed", desk.complete(place), visitor);
    else if (what < 6) this.#go("left", desk.leave(place), visitor);
    else this.#go("extended", desk.extend(place), visitor);
  }

  #go(what: string, doing: Promise<Place>, visitor: string): void {
    const told = doing.then(
      (place) => {
        this.#places.set(visitor, place);
        this.#count(what);
      },
      () => this.#count(`not ${what}`),
    );
    const over = told.finally(() => this.#underWay.delete(over));
    this.#underWay.add(over);
  }

  #changeLimit(): void {
    const { replica } = this.#node();
    const queue = replica.fold.queue(QUEUE)!;
    const max_active = 1 + pick(this.#next, 6);
    this.#most = Math.max(this.#most, max_active);
    const change = { revision: queue.revision + 1, reason: "as many as we can take" };
    const over = replica.configure(QUEUE, { ...queue.settings, max_active }, change).then(
      ({ kind }) => this.#count(kind === "applied" ? "limited" : "not limited"),
      () => this.#count("not limited"),
    );
    this.#underWay.add(over.finally(() => this.#underWay.delete(over)));
  }

  /** Whoever keeps time reaches the log no more, until another does. */
  async #silence(): Promise<void> {
    const keeper = this.#nodes.find(({ replica }) => replica.timekeeper?.own) ?? this.#nodes[0]!;
    const { term } = keeper.replica.fold;
    keeper.log.cut();
    await pass(REPLACED_MS);
    keeper.log.mend();
    await pass(SECOND);
    if (keeper.replica.fold.term > term) this.#count("replaced");
  }

  #look(): void {
    for (const { replica } of this.#nodes) {
      const queue = replica.fold.queue(QUEUE)!;
      let admitted = 0;
      for (let number = 1; number <= queue.lastNumber; number++) {
        const view = queue.ticket(number);
        if (view !== undefined && replica.passes.mint({ queue, view }) !== undefined) admitted++;
      }
      if (admitted <= this.#most && queue.active === admitted) continue;
      this.#shownTooMany ??= `${replica.node}: ${admitted} passes, ${queue.active} active, at most ${this.#most}`;
    }
  }

  #node(): World {
    return this.#nodes[pick(this.#next, this.#nodes.length)]!;
  }

  #count(what: string): void {
    this.#done.set(what, (this.#done.get(what) ?? 0) + 1);
  }

  #fate(): Fate {
    if (!this.#faulty) return "written";
    const faults: readonly Fate[] = ["twice", { late: 1 + pick(this.#next, 6) }, "unacknowledged", "lost"];
    return pick(this.#next, 12) === 0 ? faults[pick(this.#next, faults.length)]! : "written";
  }
}

const NOBODY = { id: "", trusted: false };

/** What is wrong with who was let in, counted from nothing but the changes that the records made and the limits that
 * they set: somebody was admitted beyond the limit, or twice; a slot was freed twice, or never. */
export function judge(records: readonly LogRecord[], FoldToUse: new () => Fold = Fold): string | undefined {
  const fold = new FoldToUse();
  const inside = new Set<number>();
  const gone = new Set<number>();
  let limit = 0;
  for (const [at, record] of records.entries()) {
    const { event } = record;
    if (fold.apply(record).kind === "applied" && event.kind === "queue_configured")
      limit = event.settings.max_active;
    for (const { kind, number } of fold.takeChanges()) {
      const who = `record ${at} (${event.kind}): ${number}`;
      if (kind === "admitted") {
        if (inside.size >= limit) return `${who} was admitted to ${inside.size} of ${limit}`;
        if (inside.has(number) || gone.has(number)) return `${who} was admitted again`;
        inside.add(number);
      } else if (kind === "ended") {
        if (gone.has(number)) return `${who} ended twice`;
        inside.delete(number);
        gone.add(number);
      } else if (kind === "extended" && !inside.has(number)) return `${who} was extended outside`;
    }
    const active = fold.queue(QUEUE)?.active ?? 0;
    if (active !== inside.size) return `record ${at} (${event.kind}): ${active} slots for ${inside.size}`;
  }
  return undefined;
}
