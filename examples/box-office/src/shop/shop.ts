// The demo's shop. It sells the seats of one show, and can take so much and no more:
//
//   main.ts          the program: options, signals
//   shop.ts          this: the HTTP server
//   settings.ts      the capacity and how it is set
//   order.ts  desk.ts  venue.ts    a purchase: what is asked, how it is made, the seats
//   workers.ts       the bounded pool and the bounded line in front of it, where a crowd makes everything slower
//   request-log.ts   the file that tells of every request
//   body.ts  page.ts
//
// A purchase: arrived -> [waits for a worker] -> worked on -> counted down, written, answered. It answers 201, 400,
// 409 (sold out), 413, 422 (a key used twice), 503 (too many wait) and 504 (waited too long).

import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { EpochClock } from "../clock.ts";
import { LineFile } from "../line-file.ts";
import { Random } from "../random.ts";
import { BODY_BYTES_MAX, readBody } from "./body.ts";
import { Desk } from "./desk.ts";
import { parseOrder } from "./order.ts";
import { backstagePage, page } from "./page.ts";
import { type Ending, type OpenRequest, RequestLog } from "./request-log.ts";
import type { ShopSettings } from "./settings.ts";
import { Venue } from "./venue.ts";
import { Workers } from "./workers.ts";

const SHOW = "The Last Night";

/** Connections that each of the shop's doors takes at a time; what comes beyond is closed. */
const CONNECTIONS_MAX = 15_000;

/** How long `close` waits for those in flight before it hangs up on them, in milliseconds. */
const CLOSE_MS = 2_000;

/** An ending with an answer. */
interface Answered extends Ending {
  readonly status: number;
}

/** A request for something to look at. */
interface Look {
  readonly method: string;
  readonly path: string;
  /** The number of the ticket with which Usher let it through. */
  readonly ticket: number | null;
  /** Whether it is to be looked at by somebody with a browser. */
  readonly html: boolean;
}

export interface ShopPlace {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  /** Doors: addresses by which it can be reached, the first at `port`, the others at any free ones. Through which one a
   * request came is written down, so that one can see who sent what. 1. */
  readonly doors?: number;
  /** The file that every request is written to; replaced. */
  readonly log: string;
  /** Asked first, by whichever door: says whether it has answered the request, of which the shop then knows nothing. For
   * pages about the shop. */
  readonly aside?: (request: IncomingMessage, response: ServerResponse) => boolean;
}

/** How a shop stands. */
export interface ShopFigures {
  /** Purchases that have arrived and are not answered yet. */
  readonly inFlight: number;
  /** The most that these ever were. */
  readonly inFlightMax: number;
  readonly seats: number;
  readonly sold: number;
}

export class Shop {
  /** Of each door. */
  readonly urls: readonly string[];
  readonly #doors: readonly Server[];
  readonly #log: RequestLog;
  readonly #venue: Venue;
  readonly #desk: Desk;

  /** Opens the shop. Rejects with the system's error (EADDRINUSE), and then has not touched the log. */
  static async open(settings: ShopSettings, place: ShopPlace): Promise<Shop> {
    const { host, port, doors = 1 } = place;
    const first = await openDoor(host, port);
    const others = Array.from({ length: doors - 1 }, () => openDoor(host, 0));
    return new Shop([first, ...(await Promise.all(others))], settings, place);
  }

  private constructor(doors: readonly Server[], settings: ShopSettings, { host, log, aside }: ShopPlace) {
    const name = host.includes(":") ? `[${host}]` : host;
    this.urls = doors.map((door) => `http://${name}:${(door.address() as AddressInfo).port}`);
    this.#doors = doors;
    this.#log = new RequestLog(new LineFile(log), new EpochClock(), { ...settings });
    this.#venue = new Venue(settings.seats);
    const workers = new Workers(settings, new Random(settings.seed), () => this.#log.inFlight);
    this.#desk = new Desk(this.#venue, workers, settings.idempotent);
    for (const [index, door] of doors.entries())
      door.on("request", (request, response) => {
        if (!aside?.(request, response)) void this.#serve(request, response, index + 1);
      });
  }

  /** Of the first door. */
  get url(): string {
    return this.urls[0] ?? "";
  }

  /** Purchases that have arrived and are not answered yet. */
  get inFlight(): number {
    return this.#log.inFlight;
  }

  get figures(): ShopFigures {
    const { inFlight, inFlightMax } = this.#log;
    const { total, left } = this.#venue;
    return { inFlight, inFlightMax, seats: total, sold: total - left };
  }

  /** Puts all seats up for sale again. */
  restock(): void {
    this.#desk.restock();
  }

  /** Lets those in flight end, for two seconds, then hangs up; closes the log. */
  async close(): Promise<void> {
    const closed = this.#doors.map((door) => new Promise((resolve) => door.close(resolve)));
    const hangUp = setTimeout(() => {
      for (const door of this.#doors) door.closeAllConnections();
    }, CLOSE_MS);
    for (const door of this.#doors) door.closeIdleConnections();
    await Promise.all(closed);
    clearTimeout(hangUp);
    this.#log.close();
  }

  async #serve(request: IncomingMessage, response: ServerResponse, door: number): Promise<void> {
    const ticket = ticketOf(request);
    const path = (request.url ?? "").split("?", 1)[0] ?? "";
    const purchase = request.method === "POST" && path === "/api/purchases";
    const open = this.#log.arrive(
      {
        door,
        method: request.method ?? "",
        path: path.slice(0, 256),
        key: oneHeader(request, "idempotency-key")?.slice(0, 255) ?? null,
        ticket,
      },
      purchase,
    );
    if (purchase) await this.#purchase(request, response, open);
    else {
      const html = (request.headers.accept ?? "").includes("text/html");
      this.#browse({ method: request.method ?? "", path, ticket, html }, response, open);
    }
  }

  #browse({ method, path, ticket, html }: Look, response: ServerResponse, open: OpenRequest): void {
    const seen = path === "/" || path === "/api/show" || path === "/backstage";
    if (!seen && path !== "/api/purchases")
      answer(response, open, { status: 404 }, { error: "there is no such thing here" });
    else if (!seen || (method !== "GET" && method !== "HEAD")) {
      response.setHeader("allow", seen ? "GET, HEAD" : "POST");
      answer(response, open, { status: 405 }, { error: `${method} does not work here` });
    } else if (path === "/" || (path === "/backstage" && html)) {
      open.end({ status: 200 });
      response.setHeader("content-type", "text/html; charset=utf-8");
      response.end(path === "/" ? page : backstagePage(SHOW, ticket));
    } else if (path === "/backstage") {
      answer(response, open, { status: 200 }, { show: SHOW, backstage: true, ticket });
    } else {
      const { total, left } = this.#venue;
      const sold = total - left;
      answer(response, open, { status: 200 }, { show: SHOW, seats: { total, sold, left } });
    }
  }

  async #purchase(request: IncomingMessage, response: ServerResponse, open: OpenRequest): Promise<void> {
    const body = await readBody(request);
    if ("failure" in body && body.failure === "left") {
      open.end({ status: 499 });
      return;
    }
    if ("failure" in body) {
      response.setHeader("connection", "close");
      answer(
        response,
        open,
        { status: 413 },
        { error: `the body must have at most ${BODY_BYTES_MAX} bytes` },
      );
      return;
    }
    const order = parseOrder(body.text);
    if (typeof order === "string") {
      answer(response, open, { status: 400 }, { error: order });
      return;
    }
    const caller = new AbortController();
    response.once("close", () => caller.abort());
    const key = oneHeader(request, "idempotency-key") ?? undefined;
    const result = await this.#desk.order(order, key, caller.signal);
    const { buyer } = order;
    if (result.status === 201) {
      const { status, purchase, seats, replay } = result;
      answer(response, open, { status, buyer, purchase, seats, replay }, { purchase, buyer, seats });
    } else {
      answer(response, open, { status: result.status, buyer }, { error: result.error });
    }
  }
}

async function openDoor(host: string, port: number): Promise<Server> {
  const server = createServer({
    maxHeaderSize: 8 * 1024,
    headersTimeout: 10_000,
    requestTimeout: 30_000,
    // Longer than a proxy keeps an idle connection, so that it is never the shop that hangs up first, just as a
    // request is on its way.
    keepAliveTimeout: 75_000,
  });
  server.maxConnections = CONNECTIONS_MAX;
  // The whole burst may knock before the first connection is taken up.
  server.listen({ host, port, backlog: 4096 });
  await once(server, "listening");
  return server;
}

/** Counts the request down, then answers: in this order, see `OpenRequest.end`. */
function answer(response: ServerResponse, open: OpenRequest, ending: Answered, body: object): void {
  open.end(ending);
  if (response.destroyed) return;
  response.statusCode = ending.status;
  response.setHeader("content-type", "application/json");
  response.end(`${JSON.stringify(body)}\n`);
}

function oneHeader(request: IncomingMessage, name: string): string | null {
  const value = request.headers[name];
  return typeof value === "string" ? value : null;
}

function ticketOf(request: IncomingMessage): number | null {
  const text = oneHeader(request, "usher-ticket") ?? "";
  return /^[1-9]\d{0,9}$/.test(text) ? Number(text) : null;
}
