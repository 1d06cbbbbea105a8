// What a server says: JSON lines where that is asked for, with the trace; never a secret, and never too much.

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { eventually } from "../support/eventually.ts";
import { Collector } from "../support/otlp.ts";
import { type Service, startService } from "../support/service.ts";
import { runUsher, startUsher, type Usher, type UsherOptions } from "../support/usher.ts";

const TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736";

let service: Service | undefined;
let collector: Collector | undefined;
let usher: Usher | undefined;

afterEach(async () => {
  await usher?.stop();
  await service?.stop();
  await collector?.stop();
  [usher, service, collector] = [undefined, undefined, undefined];
});

async function start(options: Partial<UsherOptions> = {}): Promise<Usher> {
  service = await startService();
  usher = await startUsher({
    config: `
services: { shop: { url: ${service.url} }, away: { url: "http://127.0.0.1:1" } }
queues:
  orders: { kind: defer, mode: queue_all, limit: { max_active: 1 }, max_wait: 10m }
routes:
  - { match: /away, service: away }
  - { match: /orders, service: shop, queue: orders, hold: 0s, timeout: 10s }
`,
    args: ["--log-format", "json"],
    ...options,
  });
  return usher;
}

interface Line {
  readonly time: string;
  readonly level: string;
  readonly message: string;
  readonly reason?: string;
  readonly trace_id?: string;
  readonly span_id?: string;
}

/** Every line; throws at one that is no JSON. */
function lines({ output }: Usher): Line[] {
  return output()
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Line);
}

describe("--log-format json", () => {
  test("makes every line JSON with time, level and message, from the first to the last", async () => {
    const node = await start();
    await node.stop();
    const said = lines(node);
    expect(said.map(({ message }) => message)).toEqual(expect.arrayContaining(["ready", "stopped"]));
    for (const { time, level } of said) {
      expect(new Date(time).toISOString()).toBe(time);
      expect(level).toMatch(/^(info|warn|error)$/);
    }
  });

  test("tells what was refused and what failed, each at its level, and with its trace", async () => {
    collector = await Collector.start();
    const node = await start({ env: collector.environment() });
    const headers = { traceparent: `00-${TRACE_ID}-00f067aa0ba902b7-01` };
    await fetch(`${node.gatewayUrl}/nowhere`, { headers });
    await fetch(`${node.gatewayUrl}/away`, { headers });
    const { refused, failed } = await eventually(() => {
      const said = lines(node);
      const refused = said.find(({ reason }) => reason === "route_not_found");
      const failed = said.find(({ message }) => message.startsWith("service away"));
      if (refused === undefined || failed === undefined) throw new Error("not said yet");
      return { refused, failed };
    });
    expect(refused).toMatchObject({ level: "warn", trace_id: TRACE_ID });
    expect(failed).toMatchObject({ level: "error", trace_id: TRACE_ID });
    await eventually(() => {
      const spans = collector?.trace(TRACE_ID).map(({ spanId }) => spanId);
      expect(spans).toEqual(expect.arrayContaining([refused.span_id, failed.span_id]));
    });
  });

  test("may be said by the environment as well", async () => {
    const node = await start({ args: [], env: { USHER_LOG_FORMAT: "json" } });
    expect(lines(node).some(({ message }) => message === "ready")).toBe(true);
  });

  test("holds for what ends it, too", async () => {
    const { code, stderr } = await runUsher(["serve", "--config", "nowhere.yaml", "--log-format", "json"]);
    expect(code).not.toBe(0);
    expect(JSON.parse(stderr)).toMatchObject({
      level: "error",
      message: expect.stringContaining("nowhere.yaml"),
    });
  });
});

test("without it, what a node says is text, also where nobody sees it", async () => {
  const node = await start({ args: [] });
  await fetch(`${node.gatewayUrl}/nowhere`);
  await eventually(() => expect(node.output()).toMatch(/^usher: refused with 404 route_not_found: /m));
  expect(node.output()).toMatch(/^usher: ready$/m);
});

test("another format than the two is refused, and said to be", async () => {
  const { code, stderr } = await runUsher(["serve", "--log-format", "xml"]);
  expect({ code, stderr }).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("must be text or json"),
  });
  const variable = await runUsher(["serve"], { env: { USHER_LOG_FORMAT: "xml" } });
  expect(variable).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("USHER_LOG_FORMAT must be text or json"),
  });
});

test.each([["json"], ["text"]])(
  "as %s, a flood of refusals and failures is a handful of lines",
  async (format) => {
    const node = await start({ args: ["--log-format", format] });
    const before = node.output().length;
    for (let round = 0; round < 20; round++)
      await Promise.all(
        Array.from({ length: 50 }, (_, n) =>
          fetch(`${node.gatewayUrl}${n % 2 === 0 ? "/away" : `/nowhere/${round}/${n}`}`).then((answer) =>
            answer.text(),
          ),
        ),
      );
    await node.stop();
    const said = node.output().slice(before).split("\n");
    expect(said.filter((line) => line.includes("route_not_found")).length).toBeGreaterThan(0);
    // Two sorts, each said at once and then every ten seconds, and the words of the end.
    expect(said.length).toBeLessThan(30);
  },
);

test.each([["json"], ["text"]])("as %s, no line holds a token, a key, a cookie or a body", async (format) => {
  const node = await start({ args: ["--log-format", format] });
  const secret = {
    authorization: "Bearer swordfish-authorization",
    cookie: "session=swordfish-cookie",
    "idempotency-key": "swordfish-idempotency-key-0001",
    "usher-pass": "swordfish.pass.signature",
  };
  const body = "swordfish-body";
  const accepted = await fetch(`${node.gatewayUrl}/orders?swordfish`, {
    method: "POST",
    body,
    headers: secret,
  });
  const token = /tickets\/(.+)$/.exec(accepted.headers.get("location") ?? "")?.[1] ?? "";
  expect(token).not.toBe("");
  const wrong = [
    ["/orders?another", { method: "POST", body: "swordfish", headers: secret }],
    [`/_usher/tickets/${token}x`, { headers: secret }],
    [`/_usher/tickets/${token}`, { method: "PATCH", headers: secret }],
    ["/away?swordfish", { headers: secret }],
    ["/swordfish", { headers: { ...secret, "usher-api-key": node.apiKey } }],
    [
      "/usher.admin.v1.AdminService/GetNode",
      {
        method: "POST",
        body: "{}",
        headers: { "usher-api-key": `${node.apiKey}x`, "content-type": "application/json" },
      },
    ],
  ] as const;
  for (const [path, init] of wrong) await (await fetch(`${node.gatewayUrl}${path}`, init)).text();
  const keys = await readFile(join(node.data, "usher.keys.json"), "utf8");
  await node.stop();
  const said = node.output();
  expect(said).toContain("key_reused");
  const kept = [...keys.matchAll(/"([\w+/=-]{40,})"/g)].map(([, text = ""]) => text);
  expect(kept.length).toBeGreaterThan(3);
  for (const each of ["swordfish", token, node.apiKey, ...kept])
    expect(said.includes(each), each).toBe(false);
});
