// Proxies that pass requests on themselves, and ask before over HTTP, as nginx and Traefik do.

import { formatTicketId } from "@usher/replica";
import { onRefusal } from "@usher/telemetry";
import { expect, onTestFinished, test } from "vitest";
import {
  type Answer,
  configure,
  type Node,
  openNode,
  openShop,
  problemIn,
  QUEUE,
  Visitor,
} from "./support/pass-queue.ts";

const CHECK = `/_usher/check?queue=${QUEUE}`;

/** Trusts the proxies of this machine. */
async function open(settings: Parameters<typeof configure>[1] = {}, public_url?: string): Promise<Node> {
  const trusted_proxies = ["127.0.0.0/8", "::1/128"];
  const service = (await openShop()).port;
  const node = await openNode({ service, trusted_proxies, ...(public_url !== undefined && { public_url }) });
  await configure(node, settings);
  return node;
}

/** A proxy that asks on behalf of somebody with a cookie jar. */
class Asker extends Visitor {
  override ask(path: string, headers: Record<string, string> = {}, method = "GET"): Promise<Answer> {
    return super.ask(path, { "sec-usher-check": "1", ...headers }, method);
  }
}

function linesOf({ headers }: Answer, name: string): string[] {
  return [headers[name] ?? []].flat();
}

test("who may go through is told so without a body, with the pass for the service and the cookies for the client", async () => {
  const node = await open();
  const ann = new Asker(node);
  const answer = await ann.ask(CHECK, { "x-original-uri": "/buy?seat=1", "x-original-method": "POST" });
  expect([answer.status, answer.text]).toEqual([200, ""]);
  expect(answer.headers["usher-ticket"]).toBe("1");
  expect(answer.headers["usher-pass"]).toBe(ann.cookies.get(`usher-pass-${QUEUE}`));
  const cookies = linesOf(answer, "set-cookie");
  expect(cookies.map((line) => line.split("=", 1)[0])).toEqual(["usher-visitor", `usher-pass-${QUEUE}`]);
  expect(answer.headers["cache-control"]).toBe("no-store");

  const again = await ann.ask(CHECK, { "x-original-uri": "/buy" });
  expect([again.status, again.headers["usher-pass"]]).toEqual([200, answer.headers["usher-pass"]]);
  expect(linesOf(again, "set-cookie")).toEqual([]);
  expect(node.replica.fold.queue(QUEUE)?.lastNumber).toBe(1);
});

test("who has to wait is never told so by a success, which a proxy would take for leave", async () => {
  const node = await open();
  await new Asker(node).ask(CHECK);
  const [program, person] = [new Asker(node), new Asker(node)];
  const problem = await program.ask(CHECK, { "x-forwarded-uri": "/buy", "x-forwarded-method": "POST" });
  expect(problem.status).toBe(429);
  expect(problemIn(problem)).toMatchObject({ type: "urn:usher:problem:must_wait", ticket: { number: 2 } });
  const page = await person.see(CHECK, { "x-forwarded-uri": "/buy?seat=%221%22" });
  expect(page.status).toBe(429);
  expect(page.headers["content-type"]).toMatch(/^text\/html/);
  expect(page.text).toContain("/buy?seat=%221%22");
  expect(page.headers["usher-pass"]).toBeUndefined();
});

test("a ticket's address is in Location only if it is whole: a proxy would make it so with its own name for Usher", async () => {
  for (const [public_url, location] of [
    [undefined, undefined],
    ["https://tickets.example", expect.stringMatching(/^https:\/\/tickets\.example\/_usher\/tickets\//)],
  ] as const) {
    const node = await open({}, public_url);
    await new Asker(node).ask(CHECK);
    const waits = await new Asker(node).ask(CHECK, { "x-original-uri": "/buy" });
    expect([waits.status, waits.headers.location]).toEqual([429, location]);
    expect(problemIn(waits).ticket_url).toMatch(/\/_usher\/tickets\//);
  }
});

test("nginx is refused as it wants it, and fetches the answer for the same visitor", async () => {
  const node = await open();
  await new Asker(node).ask(CHECK);
  const nginx = new Asker(node);
  const refused = await nginx.see(`${CHECK}&deny=401`, { "x-original-uri": "/buy" });
  expect(refused.status).toBe(401);
  const visitor = `${refused.headers["usher-visitor"]}`;
  expect(visitor).toMatch(/^usher-visitor=[\w-]{22}$/);
  // The client does not have the cookie yet; nginx adds it to what it sends.
  const waiting = await new Asker(node).see(`/_usher/wait?queue=${QUEUE}`, {
    ...{ "x-original-uri": "/buy", cookie: `theme=dark; ${visitor}` },
  });
  expect(waiting.status).toBe(202);
  expect(waiting.headers["usher-ticket"]).toBe("2");
  expect(waiting.headers["usher-visitor"]).toBeUndefined();
  expect(`${waiting.headers["set-cookie"]}`).toContain(visitor);
  expect(node.replica.fold.queue(QUEUE)?.lastNumber).toBe(2);
});

test("whose turn has come in between is sent back to where they wanted to go, form and all", async () => {
  const node = await open();
  await new Asker(node).ask(CHECK);
  const bob = new Asker(node);
  await bob.ask(`${CHECK}&deny=401`, { "x-original-uri": "/buy", "x-original-method": "POST" });
  const id = formatTicketId({ queue: QUEUE, epoch: node.replica.epoch(), number: 1 });
  await node.replica.desk.complete(node.replica.desk.named(id));
  const sent = await bob.ask(`/_usher/wait?queue=${QUEUE}`, { "x-original-uri": "/buy?seat=1" }, "POST");
  expect([sent.status, sent.headers.location]).toEqual([307, "/buy?seat=1"]);
  expect(bob.cookies.has(`usher-pass-${QUEUE}`)).toBe(true);
});

const BUY = { "x-forwarded-uri": "/buy", "x-forwarded-method": "GET" };

test("without a queue's name, the routes say which one it is", async () => {
  const node = await open();
  const through = await new Asker(node).ask("/_usher/check", BUY);
  const waits = await new Asker(node).ask("/_usher/check", BUY);
  expect([through.status, waits.status]).toEqual([200, 429]);
});

test("an open queue lets everybody through without a pass, and a closed one says that it is closed", async () => {
  const node = await open({ mode: "open" });
  const through = await new Asker(node).ask(CHECK);
  expect([through.status, through.headers["usher-pass"]]).toEqual([200, undefined]);
  await configure(node, { mode: "closed" });
  const closed = await new Asker(node).ask(CHECK);
  expect([closed.status, problemIn(closed).type]).toEqual([503, "urn:usher:problem:queue_closed"]);
});

test("cookies are told in headers that scripts can read only to a proxy that asks so, and none that came along", async () => {
  const node = await open();
  const named = ({ headers }: Answer) =>
    Object.keys(headers).filter((name) => /^usher-(set-|visitor)/.test(name));
  const [ann, bob] = [new Asker(node), new Asker(node)];
  expect(named(await ann.ask(CHECK))).toEqual([]);
  expect(named(await bob.ask(CHECK))).toEqual([]);
  expect(named(await bob.ask(`${CHECK}&deny=401`))).toEqual([]);
  expect(named(await new Asker(node).ask(`${CHECK}&deny=401`))).toEqual([
    "usher-set-visitor",
    "usher-visitor",
  ]);
  expect(named(await new Asker(node).ask(`/_usher/wait?queue=${QUEUE}`))).toEqual([]);
  ann.cookies.delete(`usher-pass-${QUEUE}`);
  expect(named(await ann.ask(`${CHECK}&deny=401`))).toEqual(["usher-set-pass"]);
});

test.each(["/_usher/%63heck", "/_usher//check", "/_usher/%77ait", "/_usher//wait"])(
  "no other spelling is answered, which a proxy that keeps its clients away would let by: %s",
  async (path) => {
    const node = await open();
    const answer = await new Asker(node).ask(`${path}?queue=${QUEUE}`);
    expect([answer.status, problemIn(answer).type]).toEqual([404, "urn:usher:problem:not_found"]);
    expect(node.replica.fold.queue(QUEUE)?.lastNumber).toBe(0);
  },
);

test("a queue's name that is none is not repeated to whoever made it up", async () => {
  const node = await open();
  const answer = await new Asker(node).ask("/_usher/check?queue=x%0Ausher:%20stopped", {
    ...{ "x-original-uri": "/buy", "x-original-method": "GET" },
  });
  expect(answer.status).toBe(404);
  expect(answer.text).not.toContain("stopped");
});

test("a refusal is counted, whether a program or a person is told", async () => {
  const node = await open({ mode: "closed" });
  const reasons: string[] = [];
  onRefusal(({ reason }) => reasons.push(reason));
  onTestFinished(() => onRefusal(undefined));
  await new Asker(node).ask(CHECK);
  await new Asker(node).see("/buy");
  expect(reasons).toEqual(["queue_closed", "queue_closed"]);
});

test.each([
  ["nothing that says which request is meant", "/_usher/check", {}, 400, "request_malformed"],
  ["a queue that is not there", "/_usher/check?queue=nowhere", {}, 404, "queue_not_found"],
  ["a target that names a host", CHECK, { "x-original-uri": "//elsewhere/buy" }, 400, "target_not_path"],
  ["a target that is a URL", CHECK, { "x-original-uri": "https://elsewhere/buy" }, 400, "target_not_path"],
  [
    "a path that can be read in two ways",
    CHECK,
    { "x-original-uri": "/a/%2e%2e/b" },
    400,
    "target_ambiguous",
  ],
  ["a method in small letters", CHECK, { "x-original-method": "get" }, 501, "method_refused"],
  ["a method that is none", CHECK, { "x-original-method": "GET, POST" }, 501, "method_refused"],
  [
    "a method in small letters, by the routes,",
    "/_usher/check",
    { ...BUY, "x-forwarded-method": "post" },
    501,
    "method_refused",
  ],
  [
    "a target without the method that routes go by",
    "/_usher/check",
    { "x-forwarded-uri": "/buy" },
    400,
    "request_malformed",
  ],
  ["a target with a line's end in it", CHECK, { "x-original-uri": "/a%0d%0ab" }, 400, "target_malformed"],
])("%s is refused", async (_, path, headers, status, reason) => {
  const node = await open();
  const answer = await new Asker(node).ask(path, headers);
  expect([answer.status, problemIn(answer).type]).toEqual([status, `urn:usher:problem:${reason}`]);
  expect((await new Asker(node).ask(CHECK)).headers["usher-ticket"]).toBe("1");
});

test.each([
  ["forged", () => "eyJhbGciOiJub25lIn0.e30."],
  [
    "of another deployment",
    async () => `${(await new Asker(await open()).ask(CHECK)).headers["usher-pass"]}`,
  ],
])("a pass that is %s opens nothing", async (_, make) => {
  const node = await open();
  await new Asker(node).ask(CHECK);
  const answer = await new Asker(node).ask(CHECK, { "usher-pass": await make() });
  expect(answer.status).toBe(429);
});
