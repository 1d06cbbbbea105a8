// Some of the callers, in a process of their own, and what they have come to: a line of JSON (`Report`) now and then.
//
//   node test/bench/reconnect/callers.ts <way> <first> <count> <Where, as JSON>

import { subscribe } from "node:diagnostics_channel";
import type { Socket } from "node:net";
import { BIN_MS } from "./counts.ts";
import { isWay, type Told, WAYS, type Where } from "./ways.ts";

/** How often it is told what is new, in milliseconds. */
const REPORT_MS = 250;
/** So many take their tickets at once. */
const AT_ONCE = 50;

export interface Report {
  /** Connections tried since the last report, each with the number of its bin: `[bin, tried, refused]`. */
  readonly bins: readonly (readonly [bin: number, tried: number, refused: number])[];
  /** How many callers have a ticket. */
  readonly tickets: number;
  /** How often a caller was told a position above one it had been told before, or another ticket's number. */
  readonly faults: number;
  /** How many admissions those who still wait know of: the least and the most. */
  readonly known: readonly [least: number, most: number];
}

class Callers {
  readonly #bins = new Map<number, { tried: number; refused: number }>();
  readonly #last = new Map<number, Told>();
  #faults = 0;

  constructor() {
    // Every socket of this process, whoever opens it.
    subscribe("net.client.socket", (message) => this.#tried((message as { socket: Socket }).socket));
  }

  /** Resolves when its caller has been told a first time; the watch goes on. */
  begin(watch: (tell: (told: Told) => void) => Promise<void>, index: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const tell = (told: Told): void => {
        this.#told(index, told);
        resolve();
      };
      watch(tell).catch((error: unknown) => {
        console.error(error);
        reject(error);
      });
    });
  }

  report(): Report {
    const bins = [...this.#bins].map(([bin, { tried, refused }]) => [bin, tried, refused] as const);
    this.#bins.clear();
    const known = [...this.#last.values()]
      .filter(({ state }) => state === "waiting")
      .map(({ number, position = 0 }) => number - position);
    const least = known.reduce((a, b) => Math.min(a, b), Number.MAX_SAFE_INTEGER);
    const most = known.reduce((a, b) => Math.max(a, b), 0);
    return { bins, tickets: this.#last.size, faults: this.#faults, known: [least, most] };
  }

  #tried(socket: Socket): void {
    const bin = Math.floor(Date.now() / BIN_MS);
    const counts = this.#bins.get(bin) ?? { tried: 0, refused: 0 };
    this.#bins.set(bin, counts);
    counts.tried++;
    socket.once("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "ECONNREFUSED") this.#refused(bin);
    });
  }

  /** Counted with its attempt. */
  #refused(bin: number): void {
    const counts = this.#bins.get(bin) ?? { tried: 0, refused: 0 };
    this.#bins.set(bin, counts);
    counts.refused++;
  }

  #told(index: number, now: Told): void {
    const before = this.#last.get(index);
    this.#last.set(index, now);
    if (before === undefined) return;
    const rose = (now.position ?? 0) > (before.position ?? 0);
    if (rose || now.number !== before.number) this.#faults++;
  }
}

async function call(args: readonly string[]): Promise<void> {
  const [way, first, count, json] = args;
  if (!isWay(way) || json === undefined) throw new Error("callers.ts <way> <first> <count> <where>");
  const where = JSON.parse(json) as Where;
  const callers = new Callers();
  setInterval(() => process.stdout.write(`${JSON.stringify(callers.report())}\n`), REPORT_MS);
  const end = Number(first) + Number(count);
  for (let next = Number(first); next < end; next += AT_ONCE) {
    const some = Array.from({ length: Math.min(AT_ONCE, end - next) }, (_, n) => next + n);
    await Promise.all(some.map((index) => callers.begin((tell) => WAYS[way](where, index, tell), index)));
  }
}

if (import.meta.main) await call(process.argv.slice(2));
