// The steady load: clients that come at a pace of their own, whatever becomes of those before them. Who comes when,
// and what each one means to do, is drawn from the seed; what comes of it is not.
//
//   buyer.ts     sends a request that is stored         service.ts   the service behind Usher
//   visitor.ts   takes a ticket and waits for its turn  http.ts      what HTTP answers mean
//   backend.ts   admits beyond the rate                 rpc.ts       what RPCs' ends mean
//   overseer.ts  asks how queues stand                  settling.ts  whether anything is left to do
//   auditor.ts   asks for the nodes' whole state        patience.ts  waiting
//   client.ts    what all of them have                  doors.ts     the two nodes, as clients know them

import { pick, random } from "../../support/random.ts";
import { Auditor } from "./auditor.ts";
import { Backend } from "./backend.ts";
import { Buyer } from "./buyer.ts";
import type { World } from "./client.ts";
import { Overseer } from "./overseer.ts";
import { pause } from "./patience.ts";
import { Visitor } from "./visitor.ts";

interface Client {
  run(): Promise<void>;
}

interface Stream {
  readonly name: string;
  readonly queue: string;
  /** Clients a second, on average. */
  readonly rate: number;
  readonly Client: new (world: World, options: { name: string; queue: string; seed: number }) => Client;
}

/** Some 35 calls a second together, the calls that follow included. */
const STREAMS: readonly Stream[] = [
  { name: "buyer", queue: "orders", rate: 4, Client: Buyer },
  { name: "express", queue: "express", rate: 1, Client: Buyer },
  { name: "visitor", queue: "gate", rate: 3, Client: Visitor },
  { name: "admit", queue: "gate", rate: 0.3, Client: Backend },
  { name: "count", queue: "gate", rate: 0.5, Client: Overseer },
  { name: "tally", queue: "orders", rate: 0.5, Client: Overseer },
  { name: "state", queue: "", rate: 0.3, Client: Auditor },
];

/** They come in waves, so that a line forms and is worked off: by how much the pace is above and below the average, and
 * for how long each, in milliseconds. */
const WAVE = 0.7;
const WAVE_MS = 4_000;

/** How many clients may be under way at once; 2,000. More would be no steady load. */
const CLIENTS_MAX = 2_000;

export class Load {
  readonly #world: World;
  readonly #seed: number;
  readonly #clients = new Set<Promise<void>>();
  readonly #over = new AbortController();
  #running: Promise<unknown> = Promise.resolve();

  constructor(world: World, seed: number) {
    this.#world = world;
    this.#seed = seed;
  }

  start(): void {
    const next = random(this.#seed);
    this.#running = Promise.all(STREAMS.map((stream) => this.#stream(stream, pick(next, 2 ** 32))));
  }

  /** Nobody comes any more; those who are there go on. */
  async end(): Promise<void> {
    this.#over.abort();
    await this.#running;
  }

  /** How many are under way. */
  get clients(): number {
    return this.#clients.size;
  }

  /** Resolves when everybody has ended: by themselves, or once the world tells them to. */
  async ended(): Promise<void> {
    while (this.#clients.size > 0) await Promise.all(this.#clients);
  }

  async #stream({ name, queue, rate, Client }: Stream, seed: number): Promise<void> {
    const { signal } = this.#over;
    const next = random(seed);
    const begun_ms = performance.now();
    let due_ms = begun_ms;
    for (let count = 1; !signal.aborted; count++) {
      const high = Math.floor((due_ms - begun_ms) / WAVE_MS) % 2 === 0;
      const pace = rate * (high ? 1 + WAVE : 1 - WAVE);
      due_ms += (-Math.log(1 - next()) * 1_000) / pace;
      const clientSeed = pick(next, 2 ** 32);
      await pause(Math.max(0, due_ms - performance.now()), signal);
      if (signal.aborted) return;
      if (this.#clients.size >= CLIENTS_MAX)
        throw new Error(`more than ${CLIENTS_MAX} clients are under way`);
      this.#track(new Client(this.#world, { name: `${name}-${count}`, queue, seed: clientSeed }).run());
    }
  }

  #track(run: Promise<void>): void {
    const tracked = run.finally(() => this.#clients.delete(tracked));
    this.#clients.add(tracked);
  }
}
