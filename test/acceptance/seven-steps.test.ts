// The main job, over real sockets and a real process: straight through while the service copes, and otherwise a
// ticket, a place, a turn, and the service's own answer.

import { type Client, createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { QueueService } from "@usher/protocol/queue";
import { openSqliteLog } from "@usher/ticket-log";
import { afterEach, expect, test } from "vitest";
import { eventually } from "../support/eventually.ts";
import { Gate, type Service, startService } from "../support/service.ts";
import { startUsher, type Usher } from "../support/usher.ts";

let service: Service;
let usher: Usher;
let client: Client<typeof QueueService>;

afterEach(async () => {
  await usher?.stop();
  await service?.stop();
});

interface Route {
  public_url?: string;
  hold?: string;
  timeout?: string;
  idempotent?: boolean;
}

async function start(limit: string, answer?: Service["answer"], route: Route = {}): Promise<void> {
  service = await startService(answer);
  usher = await startUsher({
    config: `
${route.public_url === undefined ? "" : `public_url: ${route.public_url}`}
services: { shop: { url: ${service.url} } }
queues:
  orders: { kind: defer, limit: ${limit}, max_wait: 10m }
routes:
  - { match: POST /orders, service: shop, queue: orders, hold: ${route.hold ?? "0s"}, timeout: ${route.timeout ?? "10s"}, idempotent: ${route.idempotent ?? false} }
  - { match: /*, service: shop }
`,
    demo: true,
  });
  client = createClient(
    QueueService,
    createConnectTransport({ baseUrl: usher.gatewayUrl, httpVersion: "1.1" }),
  );
}

function order(body = "{}", headers: Record<string, string> = {}): Promise<Response> {
  return fetch(`${usher.gatewayUrl}/orders`, { method: "POST", body, headers, redirect: "manual" });
}

function follow(location: string | null, init: RequestInit = {}): Promise<Response> {
  return fetch(new URL(location ?? "", usher.gatewayUrl), { redirect: "manual", ...init });
}

/** Usher before a service with room for one, which is there already, and stays until the gate lets it go. */
async function startBusy(route?: Route): Promise<{ gate: Gate; first: Promise<Response> }> {
  const gate = new Gate();
  await start("{ max_active: 1 }", gate.answer, route);
  const first = order("first");
  await eventually(() => expect(service.inFlight).toBe(1));
  return { gate, first };
}

/** What the records of a stopped node's log are about. */
async function keysInLog(directory: string): Promise<string[]> {
  const log = await openSqliteLog({ directory });
  const keys: string[] = [];
  const end = await log.end();
  await new Promise<void>((resolve, reject) => {
    log.follow(0, {
      entries: (batch) => {
        for (const { key } of batch) keys.push(key);
        if (keys.length >= end) resolve();
      },
      failed: reject,
    });
  });
  await log.close();
  return keys;
}

interface StatusJson {
  ticket: { id: string; number: number; state: string; requestState?: string; position?: number };
}

/** Polls a ticket as a client does, to the service's own answer. */
async function answerOf(location: string | null): Promise<Response> {
  const seen = await eventually(async () => {
    const res = await follow(location);
    if (res.status === 200) throw new Error(`still waiting: ${await res.text()}`);
    return res;
  });
  return seen.status === 303 ? follow(seen.headers.get("location")) : seen;
}

test("under the limit, requests go straight through and the log has no record of them", async () => {
  await start("{ max_active: 10 }");
  const answers = await Promise.all(Array.from({ length: 5 }, (_, n) => order(`order ${n}`)));
  expect(answers.map((res) => res.status)).toEqual([200, 200, 200, 200, 200]);
  expect(answers.map((res) => res.headers.get("usher-ticket"))).toEqual([null, null, null, null, null]);
  await usher.kill("SIGTERM");
  // Of the queue there is one record: that it was made.
  expect((await keysInLog(usher.data)).filter((key) => key === "orders")).toEqual(["orders"]);
});

test("over the limit, a request gets a ticket, waits its turn, and its client gets the service's answer", async () => {
  const { gate, first } = await startBusy();

  const second = await order("second");
  expect(second.status).toBe(202);
  expect(second.headers.get("usher-ticket")).toBe("1");
  expect(second.headers.get("cache-control")).toBe("no-store");
  expect(Number(second.headers.get("retry-after"))).toBeGreaterThanOrEqual(1);
  const status = (await second.json()) as StatusJson;
  expect(status.ticket.number).toBe(1);
  expect(status.ticket.requestState).toBe("REQUEST_STATE_STORED");
  const location = second.headers.get("location");
  expect(location).toMatch(/^\/_usher\/tickets\/[A-Za-z0-9_-]+$/);

  const third = await order("third");
  expect(((await third.json()) as StatusJson).ticket).toMatchObject({ number: 2, position: 1 });
  expect(service.seen.map((request) => request.body)).toEqual(["first"]);

  gate.release();
  expect((await first).status).toBe(200);
  await eventually(() => expect(service.seen.map((request) => request.body)).toEqual(["first", "second"]));
  gate.open();
  const answer = await answerOf(location);
  expect(answer.status).toBe(200);
  expect(answer.headers.get("usher-ticket")).toBe("1");
  expect(await answer.json()).toEqual({ method: "POST", target: "/orders", body: "second" });
  await answerOf(third.headers.get("location"));
  expect(service.seen.map((request) => request.body)).toEqual(["first", "second", "third"]);
  expect(service.mostInFlight).toBe(1);
});

test("a place is seen moving by WatchPosition, to the end", async () => {
  const { gate, first } = await startBusy();
  const tickets = [await order("a"), await order("b"), await order("c")];
  const token = tickets[2]!.headers.get("location")!.split("/").at(-1)!;
  const positions: (number | undefined)[] = [];
  const watching = (async () => {
    for await (const { status } of client.watchPosition({ token })) {
      positions.push(status?.ticket?.position);
      gate.open();
    }
  })();
  await Promise.all([first, watching]);
  expect(positions[0]).toBe(2);
  expect(positions.at(-1)).toBeUndefined();
  const told = positions.filter((position) => position !== undefined);
  expect(told).toEqual([...told].sort((a, b) => b - a));
  expect(told).toContain(0);
});

test("back to straight-through when nobody waits any more", async () => {
  const { gate, first } = await startBusy();
  const second = await order();
  expect(second.status).toBe(202);
  gate.open();
  await first;
  await answerOf(second.headers.get("location"));
  const third = await eventually(async () => {
    const res = await order();
    expect(res.status).toBe(200);
    return res;
  });
  expect(third.headers.get("usher-ticket")).toBeNull();
});

test("a connection held long enough gets the answer itself, as if nothing had been in between", async () => {
  const { gate, first } = await startBusy({ hold: "30s" });
  const second = order("second");
  await eventually(async () => {
    const { queue } = await client.getQueue({ queue: "orders" });
    expect(queue?.lastNumber).toBe(1);
  });
  gate.open();
  expect((await first).status).toBe(200);
  const res = await second;
  expect(res.status).toBe(200);
  expect(res.headers.get("usher-ticket")).toBe("1");
  expect(await res.json()).toMatchObject({ body: "second" });
});

test("Prefer: wait=0 shortens the hold to nothing", async () => {
  const { gate, first } = await startBusy({ hold: "50s" });
  expect((await order("second", { prefer: "wait=0" })).status).toBe(202);
  gate.open();
  await first;
});

test("the same key is the same ticket, with its token again; another body under it is refused with 422", async () => {
  const { gate, first } = await startBusy();
  const key = { "idempotency-key": "0123456789abcdef0123456789" };
  const one = await order("mine", key);
  const again = await order("mine", key);
  expect([one.headers.get("usher-ticket"), again.headers.get("usher-ticket")]).toEqual(["1", "1"]);
  const other = await order("not mine", key);
  expect(other.status).toBe(422);
  expect(await other.json()).toMatchObject({ type: "urn:usher:problem:key_reused" });
  gate.open();
  await first;
  const viaRetry = await eventually(async () => {
    const res = await order("mine", key);
    expect(res.status).toBe(200);
    return res;
  });
  expect(await viaRetry.json()).toMatchObject({ body: "mine" });
  expect(service.seen.filter((request) => request.body === "mine")).toHaveLength(1);
  expect(service.seen.at(-1)?.headers["idempotency-key"]).toBe(key["idempotency-key"]);
});

test("whoever gives a ticket up is not sent, and those behind move up", async () => {
  const { gate, first } = await startBusy();
  // The one whose turn is next may be admitted and unclaimed already; those behind it surely wait.
  const tickets = [await order("a"), await order("b"), await order("c")];
  const left = await follow(tickets[1]!.headers.get("location"), { method: "DELETE" });
  expect(left.status).toBe(200);
  expect((await follow(tickets[1]!.headers.get("location"))).status).toBe(410);
  const behind = (await (await follow(tickets[2]!.headers.get("location"))).json()) as StatusJson;
  expect(behind.ticket.position).toBe(1);
  gate.open();
  await first;
  await answerOf(tickets[2]!.headers.get("location"));
  expect(service.seen.map((request) => request.body)).toEqual(["first", "a", "c"]);
});

test("a caller without a key that hangs up while it is held leaves the line", async () => {
  const { gate, first } = await startBusy({ hold: "50s" });
  const ahead = order("ahead");
  await eventually(async () => {
    const { queue } = await client.getQueue({ queue: "orders" });
    expect(queue?.lastNumber).toBe(1);
  });
  const abort = new AbortController();
  const gone = fetch(`${usher.gatewayUrl}/orders`, { method: "POST", body: "gone", signal: abort.signal });
  await eventually(async () => {
    const { queue } = await client.getQueue({ queue: "orders" });
    expect(queue?.lastNumber).toBe(2);
  });
  abort.abort();
  await expect(gone).rejects.toThrow();
  await eventually(async () => {
    const { queue } = await client.getQueue({ queue: "orders" });
    expect(queue?.waiting).toBe(0);
  });
  gate.open();
  await Promise.all([first, ahead]);
  expect(service.seen.map((request) => request.body)).toEqual(["first", "ahead"]);
});

test("a service that refuses with 503 is tried again within the slot, and then answers", async () => {
  const { gate, first } = await startBusy();
  const second = await order("second");
  let tries = 0;
  service.answer = (res) => {
    tries++;
    res.statusCode = tries === 1 ? 503 : 201;
    res.end("done");
  };
  gate.open();
  await first;
  const answer = await answerOf(second.headers.get("location"));
  expect(answer.status).toBe(201);
  expect(tries).toBe(2);
});

test("a connection that breaks after sending is called unknown, and the request is not sent again", async () => {
  const { gate, first } = await startBusy();
  const second = await order("second");
  service.answer = (res) => void res.socket?.destroy();
  gate.open();
  await first;
  const answer = await answerOf(second.headers.get("location"));
  expect(answer.status).toBe(504);
  expect(answer.headers.get("content-type")).toBe("application/problem+json");
  expect(await answer.json()).toMatchObject({ type: "urn:usher:problem:request_unknown", ticket: 1 });
  expect(service.seen.filter((request) => request.body === "second")).toHaveLength(1);
});

test("a route declared idempotent is sent again after a broken connection", async () => {
  const { gate, first } = await startBusy({ idempotent: true });
  const second = await order("second");
  let tries = 0;
  service.answer = (res) => {
    tries++;
    if (tries === 1) res.socket?.destroy();
    else res.end("done");
  };
  gate.open();
  await first;
  const answer = await answerOf(second.headers.get("location"));
  expect(answer.status).toBe(200);
  const sent = service.seen.filter((request) => request.body === "second");
  expect(sent).toHaveLength(2);
  expect(sent[0]?.headers["idempotency-key"]).toBe(sent[1]?.headers["idempotency-key"]);
});

test("the service's answer is handed out verbatim, but for what is Usher's to say", async () => {
  const { gate, first } = await startBusy();
  const second = await order("second", { "usher-ticket": "99", "usher-pass": "mine" });
  service.answer = (res) => {
    res.writeHead(303, [
      ...["Location", "../done?x=1", "Set-Cookie", "a=1", "Set-Cookie", "b=2"],
      ...["Usher-Ticket", "7", "Cache-Control", "public", "X-Shop", "grün"],
    ]);
    res.end("see there");
  };
  gate.open();
  await first;
  const answer = await answerOf(second.headers.get("location"));
  expect(answer.status).toBe(303);
  expect(answer.headers.get("location")).toBe(`${usher.gatewayUrl}/done?x=1`);
  expect(answer.headers.getSetCookie()).toEqual(["a=1", "b=2"]);
  expect(answer.headers.get("usher-ticket")).toBe("1");
  expect(answer.headers.get("cache-control")).toBe("no-store");
  expect(answer.headers.get("x-shop")).toBe("grün");
  expect(await answer.text()).toBe("see there");
  const sent = service.seen.at(-1);
  expect(sent?.headers["usher-ticket"]).toBe("1");
  expect(sent?.headers).not.toHaveProperty("usher-pass");
});

test("under a public URL, tickets and redirects are where clients can reach them", async () => {
  const { gate, first } = await startBusy({ public_url: "https://tickets.example.com" });
  const second = await order("second");
  const location = new URL(second.headers.get("location") ?? "");
  expect(location.origin).toBe("https://tickets.example.com");
  service.answer = (res) => {
    res.writeHead(201, { location: "/orders/1" });
    res.end();
  };
  gate.open();
  await first;
  const end = await eventually(async () => {
    const res = await follow(location.pathname);
    expect(res.status).toBe(303);
    return res;
  });
  const response = new URL(end.headers.get("location") ?? "");
  expect(response.origin).toBe("https://tickets.example.com");
  const answer = await follow(response.pathname);
  expect(answer.headers.get("location")).toBe("https://tickets.example.com/orders/1");
});
