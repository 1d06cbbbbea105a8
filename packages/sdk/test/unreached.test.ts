// Clients that are given the wrong address, or options that make no sense: each error says what happened, where, and
// what to do. Real sockets, with the real program or something else behind them.

import { createServer } from "node:http";
import { createServer as createHttp2Server, createSecureServer } from "node:http2";
import { createServer as createTlsServer } from "node:https";
import { createServer as createTcpServer } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { certificate } from "../../../test/support/certificate.ts";
import { startUsher, type Usher } from "../../../test/support/usher.ts";
import { type ClientOptions, createClient, createFetch, type QueueClient, UsherError } from "../src/index.ts";
import { createClient as createWebClient } from "../src/web.ts";
import { deserted, listening } from "./support/stranger.ts";

type Open = (baseUrl: string, options?: Partial<ClientOptions>) => QueueClient;

const grpc: Open = (baseUrl, options) => createClient({ attempts: 1, ...options, baseUrl });
const web: Open = (baseUrl, options) => createWebClient({ attempts: 1, ...options, baseUrl });

const WIRES: readonly [string, Open, ports: string][] = [
  ["gRPC", grpc, "50051 by default, and so does its gateway's, 8080"],
  ["Connect", web, "8080 by default; a node's native one does not"],
];

const page = { "content-type": "text/html" };

/** What one call comes to. */
async function refusal(open: Open, baseUrl: string, options: Partial<ClientOptions> = {}) {
  using client = open(baseUrl, options);
  const error: unknown = await client.issue("concert").catch((thrown: unknown) => thrown);
  if (!(error instanceof UsherError)) throw new Error(`no UsherError: ${error}`);
  expect(error.message).toContain(baseUrl);
  expect(error.message).not.toMatch(/openssl\/|Resolution note|undefined|No connection established/);
  return error;
}

it.each([
  ["gRPC", grpc, createHttp2Server().on("stream", ({ session }) => session?.destroy())],
  ["Connect", web, createServer((request) => request.socket.destroy())],
])("over %s, a call that was taken and never answered may have been carried out", async (_, open, server) => {
  const error = await refusal(open, `http://127.0.0.1:${await listening(server)}`);
  expect(error).toMatchObject({ code: "unreachable", retryable: true, outcome: "unknown" });
});

describe.each(WIRES)("over %s", (_, open, ports) => {
  it("where nobody listens, it is told so, and which ports there are", async () => {
    const baseUrl = `http://127.0.0.1:${await deserted(createTcpServer())}`;
    const error = await refusal(open, baseUrl);
    expect(error).toMatchObject({ code: "unreachable", retryable: true, outcome: "refused" });
    expect(error.message).toContain(`${baseUrl} could not be reached: nothing listens there. Is the node`);
    expect(error.message).toContain(ports);
  });

  it("an error's stack leads to the line that made the call", async () => {
    using client = open(`http://127.0.0.1:${await deserted(createTcpServer())}`);
    async function orderTickets(): Promise<unknown> {
      return await client.issue("concert");
    }
    await expect(orderTickets()).rejects.toMatchObject({ stack: expect.stringContaining("orderTickets") });
  });

  it("a host that there is none of is told as that", async () => {
    const error = await refusal(open, "http://no-such-host.invalid:50051");
    expect(error).toMatchObject({ code: "unreachable", retryable: true, outcome: "refused" });
    expect(error.message).toContain("nobody knows that host");
  });

  it("https:// for a port without TLS is told as that", async () => {
    const error = await refusal(open, `https://localhost:${await listening(createServer())}`);
    expect(error.code).toBe("unreachable");
    expect(error.message).toContain("it speaks no TLS. Does baseUrl have to begin with http:// there?");
  });

  it("http:// for a port that takes TLS alone is told as that", async () => {
    const error = await refusal(open, `http://127.0.0.1:${await listening(createSecureServer(certificate))}`);
    expect(error.code).toBe("unreachable");
    expect(error.message).toContain("If it takes TLS alone, baseUrl begins with https://");
  });

  it("a certificate that nobody vouches for is told as that", async () => {
    const server = createSecureServer({ ...certificate, allowHTTP1: true });
    const error = await refusal(open, `https://localhost:${await listening(server)}`);
    expect(error.code).toBe("unreachable");
    expect(error.message).toContain("its certificate is not trusted");
    expect(error.message).toMatch(/the option ca.*NODE_EXTRA_CA_CERTS/);
  });

  it("what hangs up is told as that", async () => {
    const server = createTcpServer((socket) => socket.destroy());
    const error = await refusal(open, `http://127.0.0.1:${await listening(server)}`);
    expect(error).toMatchObject({ code: "unreachable", retryable: true });
    expect(error.message).toContain("it hung up. Was it stopped?");
  });

  it("what takes the connection and never says anything is given up on, by the option timeout", async () => {
    const baseUrl = `http://127.0.0.1:${await listening(createTcpServer())}`;
    const error = await refusal(open, baseUrl, { timeout: 50 });
    expect(error).toMatchObject({ code: "deadline_exceeded", retryable: true, outcome: "unknown" });
    expect(error.message).toContain("within 50 ms (the option timeout)");
  });
});

describe("over gRPC", () => {
  it.each([200, 404])("a service of HTTP/1.1 that answers %i is told as another protocol", async (status) => {
    const server = createServer((_, res) => res.writeHead(status, page).end("<h1>Welcome</h1>"));
    const error = await refusal(grpc, `http://127.0.0.1:${await listening(server)}`);
    expect(error.code).toBe("unreachable");
    expect(error.message).toContain("it speaks another protocol. A node's native port takes gRPC");
  });

  it.each([
    [200, "unexpected_answer", "does not answer as gRPC does"],
    [302, "unexpected_answer", "does not answer as gRPC does"],
    [404, "not_implemented", "does not know this call: is it a node's address"],
    [502, "unreachable", "a proxy answers in its place"],
  ])("a page of %i over HTTP/2 is %s", async (status, code, what) => {
    const server = createHttp2Server((_, res) => res.writeHead(status, page).end("<h1>Welcome</h1>"));
    const error = await refusal(grpc, `http://127.0.0.1:${await listening(server)}`);
    expect(error.code).toBe(code);
    expect(error.message).toContain(what);
  });

  it("a certificate for another name is told as that", async () => {
    const server = createSecureServer(certificate);
    const error = await refusal(grpc, `https://127.0.0.1:${await listening(server)}`, {
      ca: certificate.cert,
    });
    expect(error.message).toContain("its certificate is for another name");
  });

  it("a server of HTTP/1.1 behind TLS is told as one without HTTP/2", async () => {
    const server = createTlsServer(certificate);
    const error = await refusal(grpc, `https://localhost:${await listening(server)}`, {
      ca: certificate.cert,
    });
    expect(error.message).toContain("it speaks TLS, but not HTTP/2");
  });

  it("a node that takes the call and does not answer is told apart from one that is not there", async () => {
    const silent = createHttp2Server();
    const baseUrl = `http://127.0.0.1:${await listening(silent)}`;
    const taken = new Promise((resolve) => silent.once("stream", resolve));
    using client = grpc(baseUrl, { timeout: 300 });
    const failing = client.issue("concert").catch((thrown: unknown) => thrown);
    await taken;
    expect(await failing).toMatchObject({
      code: "deadline_exceeded",
      message: `${baseUrl} did not answer within 300 ms (the option timeout)`,
    });
  });
});

describe("over Connect", () => {
  let usher: Usher;

  beforeAll(async () => {
    const queue = "{ kind: pass, limit: { rate_per_second: 1 }, max_wait: 1h }";
    usher = await startUsher({ config: `queues: { concert: ${queue} }` });
  });

  afterAll(() => usher?.stop());

  it("the native port is told as one that takes no Connect", async () => {
    const error = await refusal(web, `http://${usher.nativeAddress}`);
    expect(error.code).toBe("unreachable");
    expect(error.message).toContain("it speaks another protocol. A gateway's port takes Connect");
  });

  it("a path of the gateway's that is none of its calls is told as that", async () => {
    const error = await refusal(web, `${usher.gatewayUrl}/elsewhere`);
    expect(error).toMatchObject({ code: "unexpected_answer", retryable: false });
    expect(error.message).toContain("answers 404 with");
  });

  it.each([200, 404, 502])("a page of %i is told as that", async (status) => {
    const server = createServer((_, res) => res.writeHead(status, page).end("<h1>Welcome</h1>"));
    const baseUrl = `http://127.0.0.1:${await listening(server)}`;
    const error = await refusal(web, baseUrl);
    expect(error).toMatchObject({ code: "unexpected_answer", retryable: status === 502 });
    expect(error.message).toBe(
      `${baseUrl} answers ${status} with text/html, which is not the Connect protocol: is baseUrl right, and is there a proxy in between?`,
    );
  });

  it("a redirect is told as one, and no call goes where it leads", async () => {
    const asked: string[] = [];
    const server = createServer((req, res) => {
      asked.push(req.url ?? "");
      res.writeHead(307, { location: "/login" }).end();
    });
    const error = await refusal(web, `http://127.0.0.1:${await listening(server)}`);
    expect(error).toMatchObject({ code: "unexpected_answer", retryable: false });
    expect(error.message).toContain("redirects elsewhere, where no call goes");
    expect(asked).toEqual(["/usher.queue.v1.QueueService/Issue"]);
  });

  it("a port that answers plain HTTP by saying that it takes TLS is told as that", async () => {
    const server = createServer((_, res) => res.writeHead(400, page).end("<h1>HTTPS, please</h1>"));
    const error = await refusal(web, `http://127.0.0.1:${await listening(server)}`);
    expect(error.message).toContain("Does baseUrl have to begin with https://?");
  });

  it.each([
    ["text in a stream", Buffer.from("data: hello, world\n\n")],
    ["an envelope of what is no JSON", Buffer.from([0, 0, 0, 0, 1, 0x7b])],
  ])("%s is told as none of the protocol", async (_, body) => {
    const ticket = { id: "concert:1:5", queue: "concert", number: 5, state: "TICKET_STATE_WAITING" };
    const server = createServer((req, res) => {
      const isStream = req.url?.endsWith("/WatchPosition");
      res.writeHead(200, { "content-type": isStream ? "application/connect+json" : "application/json" });
      res.end(isStream ? body : JSON.stringify({ token: "t", status: { ticket } }));
    });
    const baseUrl = `http://127.0.0.1:${await listening(server)}`;
    using client = web(baseUrl, { timings: { reconnect: 1 } });
    const watch = (await client.issue("concert")).watch({ onRetry: (error) => told.push(error) });
    const told: UsherError[] = [];
    await watch.next();
    const next = watch.next().catch(() => {});
    await expect.poll(() => told.length).toBeGreaterThan(0);
    client.close();
    await next;
    expect(told[0]).toMatchObject({
      code: "unexpected_answer",
      message: `the stream from ${baseUrl} is none of the Connect protocol: is there a proxy in between?`,
    });
  });

  it("an error of another service is told with its words and its address", async () => {
    const server = createServer((_, res) => {
      res.writeHead(404, { "content-type": "application/json" });
      res.end(JSON.stringify({ code: "NO_SUCH_PAGE", message: "Try the search." }));
    });
    const error = await refusal(web, `http://127.0.0.1:${await listening(server)}`);
    expect(error).toMatchObject({ code: "unexpected_answer", retryable: false });
    expect(error.message).toContain("NO_SUCH_PAGE: Try the search.");
  });
});

/** What making a client comes to. */
function misuse(make: () => unknown): string {
  try {
    make();
  } catch (error) {
    if (error instanceof UsherError && error.code === "misused") return error.message;
    throw error;
  }
  return "it was made";
}

describe("a baseUrl is refused, by what is wrong with it,", () => {
  it.each([
    ["http://ann:secret@host:1", "a user", "it takes http://host:1"],
    ["http://host:1?key=secret", "a query", "it takes http://host:1"],
    ["https://host:1/#secret", "a fragment", "it takes https://host:1"],
    ["", "http://host:port", "baseUrl is missing;"],
    ["host:1", "http://host:port", "baseUrl is"],
    ["ftp://host:1", "http://host:port", "baseUrl is"],
    ["http://ann:secret@", "http://host:port", "baseUrl is"],
  ])("%s", (baseUrl, what, instead) => {
    for (const open of [grpc, web]) {
      const message = misuse(() => open(baseUrl));
      expect(message).toContain(what);
      expect(message).toContain(instead);
      expect(message).not.toContain("secret");
    }
  });

  it("and over gRPC by its path, which gRPC has no place for", () => {
    expect(misuse(() => grpc("http://host:1/usher?a#b"))).toBe(
      "baseUrl has the path /usher and a query and a fragment, which would not be heeded: it takes http://host:1",
    );
    expect(misuse(() => grpc("http://host:1/"))).toBe("it was made");
    expect(misuse(() => web("http://host:1/usher/"))).toBe("it was made");
  });
});

it("a client that is made without what it needs says what that is", () => {
  const untyped = createClient as (options?: unknown) => QueueClient;
  const wanted = /^createClient takes \{ baseUrl: "http:\/\/host:port" \}, and baseUrl is (\w+)$/;
  for (const [options, is] of [
    [undefined, "undefined"],
    [{}, "undefined"],
    ["http://host:1", "undefined"],
    [{ baseUrl: 50051 }, "number"],
    [{ baseUrl: ["http://host:1", null] }, "object"],
  ] as const)
    expect(wanted.exec(misuse(() => untyped(options)))?.[1]).toBe(is);
  expect(misuse(() => untyped({ baseUrl: [] }))).toContain("baseUrl names no node");
  expect(misuse(() => createWebClient())).toContain("may be left out in a page alone");
});

describe("numbers that make no sense are told by the option's name:", () => {
  it.each<[Partial<ClientOptions>, string]>([
    [{ attempts: 0 }, "attempts is 0; it takes a number of attempts, from 1 up"],
    [{ attempts: Number.NaN }, "attempts is NaN;"],
    [{ timeout: -1 }, "timeout is -1; it takes a number of milliseconds, from 1 up"],
    [{ timeout: Number.NaN }, "timeout is NaN;"],
  ])("%j", (options, told) => {
    for (const open of [grpc, web]) expect(misuse(() => open("http://host:1", options))).toContain(told);
  });

  it("of fetch", () => {
    expect(misuse(() => createFetch({ attempts: 0 }))).toContain("attempts is 0;");
    expect(misuse(() => createFetch({ attempts: 1 }))).toBe("it was made");
  });

  it("of work, for it would have no bound", async () => {
    using client = createClient({ baseUrl: "http://host:1", attempts: 1 });
    for (const concurrency of [0, Number.NaN]) {
      const work = client.work("concert", async () => {}, { concurrency });
      await expect(work).rejects.toMatchObject({ code: "misused" });
      await expect(work).rejects.toThrow(`concurrency is ${concurrency};`);
    }
  });
});

describe("an origin that no request can have is refused, for a line behind it would not be waited in:", () => {
  it.each([
    ["localhost:8080", 'one of origins is "localhost:8080"; it takes http://host:port or https://host:port'],
    ["*", 'one of origins is "*"'],
    [
      "https://host:1/shop",
      "one of origins has the path /shop, which would not be heeded: it takes https://host:1",
    ],
  ])("%s", (origin, told) => {
    expect(misuse(() => createFetch({ origins: ["http://host:1", origin] }))).toContain(told);
  });
});

it("an origin with a slash at its end is the same one", async () => {
  const keys: (string | null)[] = [];
  const fetch = createFetch({
    origins: ["http://host:1/"],
    fetch: async (_, init) => {
      keys.push(new Headers(init?.headers).get("idempotency-key"));
      return new Response();
    },
  });
  await fetch("http://host:1/orders", { method: "POST", body: "x" });
  expect(keys).toEqual([expect.stringMatching(/./)]);
});
