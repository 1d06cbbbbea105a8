// A waiting room as simple as can be, with Usher's HTTP behaviour: first come, first served, within a limit. For the
// tests of the burst, which need something right to pass, and something wrong to find.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { Agent, request } from "undici";
import type { Limit } from "../src/burst/checker.ts";
import type { RunningTarget, Target } from "../src/burst/target.ts";

/** - `last_first`: serves those who came last.
 * - `twice`: sends every tenth request again.
 * - `no_limit`: lets everybody through who has waited for a moment.
 * - `forgets`: does not know anybody's ticket after a kill. */
export type Fault = "none" | "last_first" | "twice" | "no_limit" | "forgets";

interface Ticket {
  readonly number: number;
  readonly key: string;
  readonly body: string;
  state: "waiting" | "sending" | "answered" | "unknown";
  answer?: Answer;
}

interface Answer {
  readonly status: number;
  readonly body: string;
}

export interface FakeSettings {
  readonly shopUrl: string;
  readonly limit: Limit;
  readonly idempotent?: boolean;
  readonly fault?: Fault;
}

export class FakeUsher implements Target {
  readonly #settings: FakeSettings;
  // What a real one has in its log: outlives a kill.
  readonly #tickets: Ticket[] = [];
  #port = 0;

  // What a kill takes.
  #server: Server | undefined;
  #agent: Agent | undefined;
  #pump: NodeJS.Timeout | undefined;
  #active = 0;
  #budget = 0;
  #refilled_ms = 0;

  constructor(settings: FakeSettings) {
    this.#settings = settings;
  }

  async start(): Promise<RunningTarget> {
    const { idempotent, fault } = this.#settings;
    if (fault === "forgets") this.#tickets.length = 0;
    for (const ticket of this.#tickets) {
      if (ticket.state === "sending") ticket.state = idempotent ? "waiting" : "unknown";
    }
    this.#active = 0;
    this.#budget = this.#burst;
    this.#refilled_ms = performance.now();
    this.#agent = new Agent();
    const server = createServer((incoming, response) => void this.#serve(incoming, response));
    this.#server = server;
    await new Promise<void>((resolve) => server.listen(this.#port, "127.0.0.1", 4096, resolve));
    this.#port = (server.address() as AddressInfo).port;
    this.#pump = setInterval(() => this.#admit(), 2);
    const strike = async (): Promise<void> => {
      await this.#end();
      await this.start();
    };
    const urls = [`http://127.0.0.1:${this.#port}`];
    return { urls, strike, roll: strike, stop: () => this.#end() };
  }

  async #end(): Promise<void> {
    clearInterval(this.#pump);
    const server = this.#server!;
    await this.#agent!.destroy();
    const closed = new Promise((resolve) => server.close(resolve));
    server.closeAllConnections();
    await closed;
    // What had been sent is still being worked on: a real one holds its room until the claims have lapsed.
    await new Promise((resolve) => setTimeout(resolve, 300));
  }

  get #burst(): number {
    return Math.max(1, this.#settings.limit.rate_per_second * 0.2);
  }

  get #waiting(): Ticket[] {
    return this.#tickets.filter(({ state }) => state === "waiting");
  }

  /** Takes room and budget for one, if there is any. */
  #take(): boolean {
    const { limit, fault } = this.#settings;
    const now_ms = performance.now();
    const earned = ((now_ms - this.#refilled_ms) / 1000) * limit.rate_per_second;
    this.#budget = Math.min(this.#burst, this.#budget + earned);
    this.#refilled_ms = now_ms;
    if (fault !== "no_limit" && (this.#budget < 1 || this.#active >= limit.max_active)) return false;
    this.#budget--;
    this.#active++;
    return true;
  }

  #admit(): void {
    const waiting = this.#waiting;
    while (waiting.length > 0 && this.#take()) {
      const next = this.#settings.fault === "last_first" ? waiting.pop()! : waiting.shift()!;
      void this.#dispatch(next);
    }
  }

  async #dispatch(ticket: Ticket): Promise<void> {
    const agent = this.#agent;
    ticket.state = "sending";
    try {
      const answer = await this.#forward(ticket.key, ticket.body, ticket.number);
      if (this.#settings.fault === "twice" && ticket.number % 10 === 0) {
        await this.#forward(ticket.key, ticket.body, ticket.number);
      }
      if (agent !== this.#agent) return;
      ticket.answer = answer;
      ticket.state = "answered";
    } catch {
      // Killed: what becomes of it is settled at the next start.
      if (agent !== this.#agent || agent?.destroyed) return;
      ticket.state = "unknown";
    }
    this.#active--;
  }

  async #forward(key: string, body: string, number?: number): Promise<Answer> {
    const waited = number === undefined ? {} : { "usher-ticket": String(number) };
    const response = await request(`${this.#settings.shopUrl}/api/purchases`, {
      method: "POST",
      headers: { "content-type": "application/json", "idempotency-key": key, ...waited },
      body,
      dispatcher: this.#agent!,
    });
    return { status: response.statusCode, body: await response.body.text() };
  }

  async #serve(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const [, number, what] = /^\/_usher\/tickets\/t(\d+)(\/response)?$/.exec(incoming.url ?? "") ?? [];
    if (number !== undefined) {
      this.#tell(this.#tickets[Number(number) - 1], what !== undefined, response);
      return;
    }
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk as Buffer);
    const key = String(incoming.headers["idempotency-key"]);
    const body = Buffer.concat(chunks).toString();
    const known = this.#tickets.find((ticket) => ticket.key === key);
    if (known === undefined && this.#waiting.length === 0 && this.#take()) {
      const answer = await this.#forward(key, body).catch(() => undefined);
      if (answer === undefined) return;
      this.#active--;
      send(response, answer.status, answer.body);
      return;
    }
    const ticket = known ?? { number: this.#tickets.length + 1, key, body, state: "waiting" };
    if (known === undefined) this.#tickets.push(ticket);
    response.setHeader("location", `/_usher/tickets/t${ticket.number}`);
    this.#status(ticket, response, 202);
  }

  #tell(ticket: Ticket | undefined, response_wanted: boolean, response: ServerResponse): void {
    if (ticket === undefined) problem(response, 404, "ticket_not_found");
    else if (ticket.state === "unknown") problem(response, 504, "request_unknown");
    else if (ticket.state !== "answered") this.#status(ticket, response, 200);
    else {
      response.setHeader("usher-ticket", ticket.number);
      if (response_wanted) send(response, ticket.answer!.status, ticket.answer!.body);
      else response.writeHead(303, { location: `/_usher/tickets/t${ticket.number}/response` }).end();
    }
  }

  #status({ number, state }: Ticket, response: ServerResponse, status: number): void {
    const ahead = this.#waiting.filter((other) => other.number < number).length;
    const position = state === "waiting" ? ahead + 1 : 0;
    const ticket = { id: `purchases:fake:${number}`, queue: "purchases", number, position };
    response.setHeader("retry-after", "1");
    send(
      response,
      status,
      JSON.stringify({ ticket: { ...ticket, state: "TICKET_STATE_WAITING" }, asOf: "1" }),
    );
  }
}

function send(response: ServerResponse, status: number, body: string): void {
  response.writeHead(status, { "content-type": "application/json" }).end(body);
}

function problem(response: ServerResponse, status: number, name: string): void {
  response.writeHead(status, { "content-type": "application/problem+json" });
  response.end(JSON.stringify({ type: `urn:usher:problem:${name}`, title: name, status }));
}
