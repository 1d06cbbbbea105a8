// docs/proxies.md, by the letter: its usher.yaml is one, and its nginx.conf is run by a real nginx before a real node.

import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { request } from "node:https";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { connect } from "node:tls";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { certificate } from "../support/certificate.ts";
import { eventually } from "../support/eventually.ts";
import { type Nginx, startNginx } from "../support/nginx.ts";
import { type Service, startService } from "../support/service.ts";
import { startUsher, type Usher, usherProgram } from "../support/usher.ts";

const text = await readFile(resolve(import.meta.dirname, "../../docs/proxies.md"), "utf8");
const block = (kind: string) => new RegExp(`\`\`\`${kind}\n(.*?)\`\`\``, "s").exec(text)?.[1] ?? "";

let shop: Service;
let usher: Usher;
let nginx: Nginx;

beforeAll(async () => {
  shop = await startService();
  usher = await startUsher({
    config: `
trusted_proxies: [127.0.0.0/8]
services: { shop: { url: ${shop.url} } }
queues: { late: { kind: defer, mode: queue_all, limit: { max_active: 5 }, max_wait: 1h } }
routes:
  - { match: POST /late, service: shop, queue: late, hold: 10s }
  - { match: /*, service: shop }
`,
  });
  nginx = await startNginx(
    (port) =>
      block("nginx")
        .replace("127.0.0.1:8080", `127.0.0.1:${usher.ports.gateway}`)
        .replace("listen 8443", `listen 127.0.0.1:${port}`),
    { "tickets.pem": certificate.cert, "tickets.key": certificate.key },
  );
});
afterAll(async () => {
  await nginx?.stop();
  await usher?.stop();
  await shop?.stop();
});

/** Asks nginx, by HTTPS. */
async function ask(path: string, method = "GET", headers: Record<string, string> = {}, body = "") {
  const req = request({
    ...{ host: "127.0.0.1", port: nginx.port, path, method, ca: certificate.cert, servername: "localhost" },
    headers: { host: "tickets.example.com", ...headers },
    agent: false,
  });
  req.end(body);
  const [res] = await once(req, "response");
  return { status: res.statusCode, headers: res.headers, body: String(Buffer.concat(await res.toArray())) };
}

test("what its nginx passes on is not taken for its own question", async () => {
  const headers = { "x-original-uri": "/x", "x-original-method": "GET", "x-forwarded-for": "127.0.0.1" };
  for (const path of ["/_usher/check", "/_usher/check?queue=late&deny=401", "/_usher/wait?queue=late"]) {
    const answer = await ask(path, "GET", headers);
    expect([answer.status, answer.body]).toEqual([403, expect.stringContaining("asker_refused")]);
  }
});

test("behind its nginx, service and links know the client by what it speaks and where it comes from", async () => {
  shop.answer = (res, { method }) => void res.writeHead(201, { location: `/${method}/1` }).end("made");
  const before = shop.seen.length;
  const spoofed = {
    "x-forwarded-for": "6.6.6.6",
    "x-forwarded-proto": "http",
    "x-forwarded-host": "evil.example",
  };
  expect(await ask("/x", "GET", spoofed)).toMatchObject({ status: 201, headers: { location: "/GET/1" } });
  const waited = await ask("/late", "POST", spoofed, "{}");
  expect(waited).toMatchObject({
    status: 201,
    headers: { location: "https://tickets.example.com/POST/1", "usher-ticket": "1" },
    body: "made",
  });
  expect(shop.seen.length).toBe(before + 2);
  for (const { headers } of shop.seen.slice(before)) {
    expect(headers).toMatchObject({
      host: "tickets.example.com",
      "x-forwarded-proto": "https",
      "x-forwarded-host": "tickets.example.com",
    });
    // nginx and its client are both on loopback, which is trusted: all that was said is then believed, in its order.
    expect(headers["x-forwarded-for"]).toBe("6.6.6.6, 127.0.0.1, 127.0.0.1");
  }
});

test("behind its nginx, a stream of events comes as it is sent", async () => {
  let end = (): void => undefined;
  shop.answer = (res) => {
    res.writeHead(200, { "content-type": "text/event-stream", "x-accel-buffering": "no" });
    res.write("data: now\n\n");
    end = () => void res.end();
  };
  const req = request({ ...where(), path: "/events" }).end();
  const [res] = await once(req, "response");
  const [first] = await once(res, "data");
  expect(String(first)).toBe("data: now\n\n");
  end();
  await once(res, "end");
});

function where() {
  const tls = { ca: certificate.cert, servername: "localhost" };
  return { host: "127.0.0.1", port: nginx.port, agent: false as const, ...tls };
}

test("behind its nginx, a wish for another protocol reaches Usher, which answers it in words", async () => {
  const socket = connect({ ...where() });
  onTestFinished(() => void socket.destroy());
  socket.write(
    "GET /x HTTP/1.1\r\nHost: tickets.example.com\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: c2l4dGVlbiBieXRlcyBpdA==\r\n\r\n",
  );
  let seen = "";
  socket.setEncoding("latin1").on("data", (part: string) => {
    seen += part;
  });
  await eventually(() => expect(seen).toMatch(/^HTTP\/1\.1 501 .*urn:usher:problem:upgrade_refused/s));
});

test("its usher.yaml is one: a node with it listens by HTTPS", async () => {
  const directory = await mkdtemp(join(tmpdir(), "usher-proxies-"));
  const rest = `
services: { shop: { url: ${shop.url} } }
queues: { orders: { kind: defer, limit: { max_active: 5 }, max_wait: 1h } }
`;
  await writeFile(join(directory, "usher.yaml"), `${block("yaml").replace("port: 8443", "port: 0")}${rest}`);
  await writeFile(join(directory, "tickets.pem"), certificate.cert);
  await writeFile(join(directory, "tickets.key"), certificate.key);
  const flags = ["--config", join(directory, "usher.yaml"), "--grpc-port", "0", "--metrics-port", "0"];
  const program = usherProgram(["serve", ...flags]);
  // In this order, for its data is there as well.
  onTestFinished(async () => {
    await program.stop();
    await rm(directory, { recursive: true, force: true });
  });
  await program.says(/gateway +https:\/\/0\.0\.0\.0:\d+/);
  await program.says(/ready/);
});
