// What operators do to queues while they run, by the commands and by RPC: who did what is told by the log, conflicts are
// told with their story, and what makes no sense is refused and does no harm.

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { backendOf } from "../support/callers.ts";
import { Ledger } from "../support/ledger.ts";
import { runUsher, startUsher, type Usher } from "../support/usher.ts";

const CONFIG = `
services: { app: { url: http://127.0.0.1:9 } }
queues:
  orders: { kind: defer, limit: { max_active: 5 }, max_wait: 10m }
  sale: { kind: pass, limit: { rate_per_second: 100, max_active: 50 }, max_wait: 10m }
  audited: { kind: pass, limit: { max_active: 5 }, max_wait: 10m }
  tickets: { kind: pass, limit: { max_active: 1 }, max_wait: 10m }
routes: [{ match: /*, service: app, queue: orders }]
`;

let usher: Usher;
let ledger: Ledger;

beforeAll(async () => {
  usher = await startUsher({ config: CONFIG });
  ledger = new Ledger(backendOf(usher), "tickets");
});
afterAll(async () => {
  await usher?.stop();
});

async function run(...args: string[]) {
  return runUsher([...args, "--url", usher.gatewayUrl, "--key", usher.apiKey]);
}

/** Calls a method of AdminService with JSON, so that a test can say what no client's types would. */
async function call(method: string, body: unknown): Promise<{ status: number; answer: Answer }> {
  const response = await fetch(`${usher.gatewayUrl}/usher.admin.v1.AdminService/${method}`, {
    method: "POST",
    headers: { "content-type": "application/json", "usher-api-key": usher.apiKey },
    body: JSON.stringify(body),
  });
  return { status: response.status, answer: (await response.json()) as Answer };
}

interface Answer {
  readonly code?: string;
  readonly message?: string;
  readonly queue?: { readonly etag: string; readonly revision: number; readonly settings: object };
}

async function read(queue: string): Promise<NonNullable<Answer["queue"]>> {
  const { queue: details } = (await call("GetQueue", { queue })).answer;
  if (details === undefined) throw new Error(`no queue ${queue}`);
  return details;
}

describe("usher queue history", () => {
  test("tells who changed the queue, when, what from and to, and why: a file's change, and an API key's", async () => {
    for (const [flag, value, reason] of [
      ["--mode", "paused", "the shop is down"],
      ["--notice", "Back at ten.", 'the shop said "ten"'],
      ["--max-active", "7", "it is up, and better than before"],
    ] as const)
      expect((await run("queue", "set", "audited", flag, value, "--reason", reason)).code).toBe(0);
    const { code, stdout } = await run("queue", "history", "audited");
    expect(code).toBe(0);
    const [head, ...lines] = stdout.trimEnd().split("\n");
    expect(head).toMatch(/^REVISION +WALL TIME +WHO +BY +WHAT +WHY$/);
    expect(lines.map((line) => line.split(/ {2,}/))).toEqual([
      [
        "1",
        expect.stringMatching(/Z$/),
        "node:embedded",
        "embedded",
        "made",
        expect.stringMatching(/^made by /),
      ],
      ["2", expect.any(String), "key:default", "embedded", "mode auto → paused", "the shop is down"],
      [
        "3",
        expect.any(String),
        "key:default",
        "embedded",
        'notice "" → "Back at ten."',
        'the shop said "ten"',
      ],
      ["4", expect.any(String), "key:default", "embedded", "limit.max_active 5 → 7", expect.any(String)],
    ]);
    const { stdout: json } = await run("queue", "history", "audited", "--json");
    const { changes } = JSON.parse(json) as { changes: object[] };
    expect(changes.at(-1)).toMatchObject({
      actor: "key:default",
      revision: 4,
      changed: { "limit.max_active": { from: "5", to: "7" } },
    });
    expect((await run("queue", "history", "nowhere")).stderr).toMatch(/no queue "nowhere"/);
  });
});

describe("usher queue set", () => {
  test("tells since when the change is in effect, there and at other nodes, and whom it does not drive out", async () => {
    const sale = new Ledger(backendOf(usher), "sale");
    for (let n = 0; n < 3; n++) await sale.takeNext();
    const args = ["--max-active", "2", "--reason", "smaller", "--at", usher.gatewayUrl];
    const { code, stdout, stderr } = await run("queue", "set", "sale", ...args);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^limit\.max_active +2$/m);
    const effect = / in effect as revision \d+, \d+ ms after it was asked for$/gm;
    expect(stderr.match(effect)).toHaveLength(2);
    expect(stderr).toMatch(/3 are active, more than max_active, which is 2: nobody is driven out/);
    const nowhere = await run(
      ...["queue", "set", "sale", "--attempts", "4", "--reason", "r", "--at", "http://127.0.0.1:9"],
    );
    expect(nowhere).toMatchObject({
      code: 0,
      stderr: expect.stringMatching(/:9: not known, .*ECONNREFUSED/),
    });
  });

  test("of a queue that was changed since it was looked at, changes nothing, and tells who did what and why", async () => {
    const { etag } = await read("sale");
    await run("queue", "set", "sale", "--mode", "queue_all", "--reason", "a rush is coming");
    const late = await run(
      ...["queue", "set", "sale", "--mode", "open", "--etag", etag, "--reason", "all quiet"],
    );
    expect(late).toMatchObject({ code: 3, stdout: "" });
    expect(late.stderr).toMatch(
      /^usher: queue sale was changed meanwhile, and nothing of this change was applied:\n/,
    );
    expect(late.stderr).toMatch(/Z, key:default at embedded: mode auto → queue_all \("a rush is coming"\)\n/);
    expect(late.stderr).toMatch(/give the command again if it is still right\.\n$/);
    expect((await read("sale")).settings).toMatchObject({ mode: "QUEUE_MODE_QUEUE_ALL" });
  });
});

describe("usher queue apply", () => {
  async function file(text: string): Promise<string> {
    const directory = await mkdtemp(join(tmpdir(), "usher-apply-"));
    onTestFinished(() => rm(directory, { recursive: true }));
    const path = join(directory, "queues.yaml");
    await writeFile(path, text);
    return path;
  }

  test("shows the difference, applies it for a reason, and then finds nothing to do", async () => {
    const before = await read("orders");
    const path = await file(
      CONFIG.replace("limit: { max_active: 5 }, max_wait: 10m", "limit: { max_active: 6 }, max_wait: 11m"),
    );
    const args = ["queue", "apply", "-f", path] as const;
    const dry = await run(...args, "--dry-run");
    expect(dry).toMatchObject({ code: 0, stderr: "usher: nothing was changed: this was a dry run\n" });
    expect(dry.stdout).toMatch(
      /^queue orders:\n limit\.max_active +5 → 6\n max_wait +10m → 11m\nqueue sale:\n/,
    );
    const unreasoned = await run(...args);
    expect(unreasoned).toMatchObject({ code: 2, stdout: dry.stdout });
    expect(unreasoned.stderr).toMatch(/--reason/);
    expect(await read("orders")).toEqual(before);

    const applied = await run(...args, "--reason", "more room for Friday");
    expect(applied).toMatchObject({ code: 0, stdout: dry.stdout });
    expect(applied.stderr).toMatch(/^usher: queue orders: applied$/m);
    expect((await read("orders")).settings).toMatchObject({ limit: { maxActive: 6 }, maxWait: "660s" });
    const again = await run(...args, "--reason", "more room for Friday");
    expect(again).toMatchObject({ code: 0, stderr: "usher: nothing to change\n" });
    expect(again.stdout).toMatch(/^queue orders: as the file has it$/m);
    const { stdout } = await run("queue", "history", "orders");
    expect(stdout.trimEnd().split("\n").at(-1)).toMatch(
      /key:default .*max_wait 10m → 11m +more room for Friday$/,
    );
  });

  test("changes nothing at all where one queue is missing, is of another kind, or is written wrongly", async () => {
    const rest = "limit: { max_active: 9 }, max_wait: 10m }";
    const before = await read("audited");
    for (const [other, code, words] of [
      [
        `fresh: { kind: pass, ${rest}`,
        1,
        /queue fresh is not in the log, .*usher\.yaml.*start that node again\n/,
      ],
      [`orders: { kind: pass, ${rest}`, 1, /queue orders: its kind is defer in the log and pass in /],
      [
        `sale: { kind: pass, limit: { max_active: -1 }, max_wait: 10m }`,
        1,
        /max_active \(line 3\): -1 is too small/,
      ],
      [`sale: { kind: pass, max_active: 5, ${rest}`, 1, /max_active \(line 3\): is not a field here/],
      [`sale: { kind: pass, limit: {}, max_wait: 10m }`, 1, /limit .*is empty; give rate_per_second/],
    ] as const) {
      const path = await file(`queues:\n  audited: { kind: pass, ${rest}\n  ${other}\n`);
      const refused = await run("queue", "apply", "-f", path, "--reason", "r");
      expect(refused).toMatchObject({ code, stderr: expect.stringMatching(words) });
    }
    for (const text of ["routes: []\n", "queues: {}\n", "queues: [1]\n", "- 1\n"])
      expect((await run("queue", "apply", "-f", await file(text), "--reason", "r")).code).toBe(1);
    expect((await run("queue", "apply", "-f", "/nowhere/at.yaml", "--reason", "r")).code).toBe(1);
    expect(await read("audited")).toEqual(before);
  });
});

describe("of several changes at once", () => {
  test("that build on the same revision one is made, and the others are told that they came too late", async () => {
    const { etag, revision } = await read("sale");
    const changes = Array.from({ length: 8 }, (_, n) =>
      call("UpdateQueue", {
        ...{ queue: "sale", etag, reason: "all at once", updateMask: "attempts" },
        settings: { attempts: n + 10 },
      }),
    );
    const answers = await Promise.all(changes);
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    const late = answers.filter(({ status }) => status !== 200);
    for (const { status, answer } of late) {
      expect([status, answer.code]).toEqual([409, "aborted"]);
      expect(answer.message).toContain(`revision ${revision + 1} now`);
    }
    expect((await read("sale")).revision).toBe(revision + 1);
  });
});

const text = (length: number): string => "x".repeat(length);
const limit = (ratePerSecond: unknown) => ({ mask: "limit", settings: { limit: { ratePerSecond } } });
const room = (maxActive: unknown) => ({ mask: "limit", settings: { limit: { maxActive } } });
const wait = (maxWait: unknown) => ({ mask: "maxWait", settings: { maxWait } });
const mode = (value: unknown) => ({ mask: "mode", settings: { mode: value } });
const notice = (value: string) => ({ mask: "notice", settings: { notice: value } });
const masked = (mask: unknown) => ({ mask, settings: { attempts: 3 } });
const because = (reason: unknown) => ({ mask: "attempts", settings: { attempts: 3 }, reason });
const building = (etag: unknown) => ({ mask: "attempts", settings: { attempts: 3 }, etag });

interface BadUpdate {
  readonly mask: unknown;
  readonly settings: unknown;
  readonly reason?: unknown;
  readonly etag?: unknown;
}

/** What is sent; each refused with `invalid_argument`, but for etags. */
const BAD: Readonly<Record<string, Readonly<Record<string, BadUpdate>>>> = {
  "a rate that": {
    "is zero, without room": limit(0),
    "is missing, without room": { mask: "limit", settings: {} },
    "is negative": limit(-1),
    "is negative, and next to nothing": limit(-1e-9),
    "is next to nothing": limit(1e-9),
    "is infinite": limit("Infinity"),
    "is infinitely negative": limit("-Infinity"),
    "is not a number": limit("NaN"),
    "is absurd": limit(1e12),
    "is a word": limit("fast"),
  },
  "room that": {
    "is negative": room(-1),
    "is not whole": room(1.5),
    "is beyond what is counted": room(2 ** 32),
    "is absurd": room(1_000_001),
    "is not a number": room("NaN"),
    "is a list": room([5]),
  },
  "a wait that": {
    "is nothing": wait("0s"),
    "is too short": wait("0.5s"),
    "is negative": wait("-60s"),
    "is longer than a month": wait(`${31 * 24 * 3600}s`),
    "is absurd": wait("315576000001s"),
    "has no unit": wait(60),
    "is missing": { mask: "maxWait", settings: {} },
  },
  "a mode that": {
    "is none": mode("QUEUE_MODE_UNSPECIFIED"),
    "is missing": { mask: "mode", settings: {} },
    "is not known": mode(99),
    "is negative": mode(-1),
    "is a word of nobody's": mode("SLEEPING"),
  },
  "a notice that": {
    "commands a terminal": notice("\u001b[2JGone."),
    "has several lines": notice("Back\nat ten."),
    "has a NUL in it": notice("Back\u0000"),
    "turns the writing round": notice("Back \u202e.net ta"),
    "ends a paragraph": notice("Back\u2029at ten."),
    "has half a character": notice("Back \ud83d"),
    "is too long": notice(text(501)),
  },
  "a mask that": {
    "is missing": masked(undefined),
    "is empty": masked(""),
    "names what there is not": masked("speed"),
    "names what is fixed": masked("kind"),
    "names more than there is": masked("limit.maxActive.x"),
    "names everything": masked("*"),
    "names what every object has": masked("constructor"),
    "names something twenty-one times": masked(Array(21).fill("attempts").join(",")),
  },
  "a reason that": {
    "is missing": because(undefined),
    "is empty": because(""),
    "is blank": because("   "),
    "is too long": because(text(501)),
    "commands a terminal": because("\u001b]0;owned\u0007"),
    "has several lines": because("one\ntwo"),
    "turns the writing round": because("\u202eon taht"),
  },
  "an etag that": {
    "is missing": building(undefined),
    "is a number": building("1"),
    "is of another log": building("0000000000000000-1"),
    "is of a revision to come": building("soon"),
    "is megabytes long": building(text(40_000)),
  },
};

describe.each(Object.entries(BAD))("%s", (what, shapes) => {
  test.each(Object.entries(shapes))(
    "%s is refused, changes nothing, and the next gets a ticket",
    async (_, bad) => {
      const before = await read("tickets");
      const { mask, settings, reason = "a test", etag = before.etag } = bad;
      const sent = { queue: "tickets", updateMask: mask, settings, reason, etag };
      const given = {
        ...sent,
        ...("reason" in bad && { reason: bad.reason }),
        ...("etag" in bad && { etag: bad.etag }),
      };
      const { status, answer } = await call("UpdateQueue", given);
      const isEtag = what === "an etag that";
      expect([status, answer.code]).toEqual(isEtag ? [409, "aborted"] : [400, "invalid_argument"]);
      expect(answer.message).not.toBe("");
      expect((await read("tickets")).revision).toBe(before.revision);
      await ledger.takeNext();
    },
  );
});
