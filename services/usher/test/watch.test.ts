// `usher watch` without a server: the service is a script, behind an in-memory transport.

import { create } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, createClient, createRouterTransport } from "@connectrpc/connect";
import { RetryInfoSchema } from "@usher/protocol/error-details";
import {
  QueueService,
  RequestState,
  StatusSchema,
  TicketState,
  type WatchPositionRequest,
  type WatchPositionResponse,
  WatchPositionResponseSchema,
} from "@usher/protocol/queue";
import { expect, test, vi } from "vitest";
import { ticketAddress } from "../src/cli/watch/address.ts";
import { followTicket, type Sight } from "../src/cli/watch/follow.ts";
import { type Output, Screen } from "../src/cli/watch/screen.ts";
import { outcome, placeKey, placeText, spanText } from "../src/cli/watch/words.ts";

function waiting(position: number, asOf = 0): WatchPositionResponse {
  return message({ ticket: { state: TicketState.WAITING, position }, asOf });
}

const ANSWERED = { state: TicketState.COMPLETED, requestState: RequestState.ANSWERED };

function message(status: {
  ticket: { state: TicketState; requestState?: RequestState; position?: number };
  asOf?: number;
}): WatchPositionResponse {
  return create(WatchPositionResponseSchema, {
    status: {
      ticket: { id: "q:0:7", queue: "q", number: 7, ...status.ticket },
      asOf: BigInt(status.asOf ?? 0),
    },
  });
}

/** Runs one script after the other, a connection each, and tells what was asked and seen. */
async function follow(
  scripts: ((request: WatchPositionRequest) => Iterable<WatchPositionResponse>)[],
  { random = () => 1, stop = new AbortController() }: { random?: () => number; stop?: AbortController } = {},
) {
  const asked: WatchPositionRequest[] = [];
  const pauses: number[] = [];
  const sights: Sight[] = [];
  const transport = createRouterTransport(({ service }) =>
    service(QueueService, {
      async *watchPosition(request) {
        asked.push(request);
        const script = scripts[asked.length - 1];
        if (script === undefined) throw new Error("asked once more than the test foresees");
        yield* script(request);
      },
    }),
  );
  const client = createClient(QueueService, transport);
  let error: unknown;
  try {
    for await (const sight of followTicket({
      client,
      token: "the-token",
      signal: stop.signal,
      random,
      pause: async (ms) => void pauses.push(ms),
    }))
      sights.push(sight);
  } catch (caught) {
    error = caught;
  }
  const positions = sights.flatMap((sight) =>
    sight.kind === "status" ? (sight.status.ticket?.position ?? "end") : `away: ${sight.reason}`,
  );
  return { asked, pauses, positions, error };
}

test("a place is followed until the ticket's end, and no further", async () => {
  const { positions, asked, error } = await follow([
    () => [waiting(3), waiting(2), waiting(0), message({ ticket: ANSWERED }), waiting(9)],
  ]);
  expect(positions).toEqual([3, 2, 0, "end"]);
  expect(asked.map(({ token }) => token)).toEqual(["the-token"]);
  expect(error).toBeUndefined();
});

test("after a broken connection the following goes on, from what was last seen", async () => {
  const { positions, asked } = await follow([
    function* () {
      yield waiting(3, 41);
      throw new ConnectError("socket hang up", Code.Aborted);
    },
    () => [waiting(1, 44), message({ ticket: ANSWERED, asOf: 45 })],
  ]);
  expect(positions).toEqual([3, "away: socket hang up", 1, "end"]);
  expect(asked.map(({ asOf }) => asOf)).toEqual([0n, 41n]);
});

test("a stream that ends without the ticket's end is opened anew", async () => {
  const { positions } = await follow([() => [waiting(3)], () => [message({ ticket: ANSWERED })]]);
  expect(positions).toEqual([3, "away: the connection ended", "end"]);
});

test("pauses double up to ten seconds, and begin anew once there is word", async () => {
  const broken = () => {
    throw new ConnectError("down", Code.Unavailable);
  };
  const { pauses } = await follow([
    () => [waiting(3)],
    ...Array.from({ length: 7 }, () => broken),
    () => [waiting(2)],
    () => [message({ ticket: ANSWERED })],
  ]);
  expect(pauses).toEqual([250, 500, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000, 250]);
});

test("half of a pause is left to chance, so that a crowd does not come back as one", async () => {
  const scripts = [() => [waiting(3)], () => [message({ ticket: ANSWERED })]];
  expect((await follow(scripts, { random: () => 0 })).pauses).toEqual([125]);
  expect((await follow(scripts, { random: () => 0.5 })).pauses).toEqual([188]);
});

test("a server that shuts down says when to come back, and is taken at its word", async () => {
  const { pauses, positions } = await follow([
    () => [
      waiting(3),
      create(WatchPositionResponseSchema, { reconnectAfter: durationFromMs(7_000) }),
      waiting(99),
    ],
    () => [message({ ticket: ANSWERED })],
  ]);
  expect(positions).toEqual([3, "away: the server is being restarted", "end"]);
  expect(pauses).toEqual([7_000]);
});

test("a refusal that says when to try again is not tried before", async () => {
  const { pauses } = await follow([
    () => [waiting(3)],
    () => {
      const details = [{ desc: RetryInfoSchema, value: { retryDelay: durationFromMs(3_000) } }];
      throw new ConnectError("behind", Code.Unavailable, undefined, details);
    },
    () => [message({ ticket: ANSWERED })],
  ]);
  expect(pauses).toEqual([250, 3_000]);
});

test.each([Code.Unauthenticated, Code.NotFound, Code.FailedPrecondition, Code.InvalidArgument])(
  "what trying again does not mend ends the following (code %i)",
  async (code) => {
    const { error, asked } = await follow([
      () => [waiting(3)],
      () => {
        throw new ConnectError("no", code);
      },
    ]);
    expect(ConnectError.from(error).code).toBe(code);
    expect(asked).toHaveLength(2);
  },
);

test("a server that cannot be reached in the first place is told at once", async () => {
  const { error, asked } = await follow([
    () => {
      throw new ConnectError("refused", Code.Unavailable);
    },
  ]);
  expect(ConnectError.from(error).code).toBe(Code.Unavailable);
  expect(asked).toHaveLength(1);
});

test("stopping ends the following without an error", async () => {
  const stop = new AbortController();
  const { error, asked } = await follow(
    [
      function* () {
        yield waiting(3);
        stop.abort();
        yield waiting(2);
      },
    ],
    { stop },
  );
  expect(error).toBeUndefined();
  expect(asked).toHaveLength(1);
});

test("a stream that goes silent is given up, and opened anew", async () => {
  vi.useFakeTimers();
  try {
    let connections = 0;
    const transport = createRouterTransport(({ service }) =>
      service(QueueService, {
        async *watchPosition(_, { signal }) {
          connections++;
          if (connections === 2) {
            yield message({ ticket: ANSWERED });
            return;
          }
          yield waiting(3);
          await new Promise((resolve) => signal.addEventListener("abort", resolve));
        },
      }),
    );
    const sights = followTicket({
      client: createClient(QueueService, transport),
      token: "t",
      signal: new AbortController().signal,
      random: () => 1,
      pause: async () => {},
    });
    await sights.next();
    const away = sights.next();
    await vi.advanceTimersByTimeAsync(39_000);
    expect(connections).toBe(1);
    await vi.advanceTimersByTimeAsync(2_000);
    expect((await away).value).toMatchObject({ kind: "away", reason: "the connection went silent" });
    expect((await sights.next()).value).toMatchObject({ kind: "status" });
    expect((await sights.next()).done).toBe(true);
    expect(connections).toBe(2);
  } finally {
    vi.useRealTimers();
  }
});

const status = (ticket: Parameters<typeof create<typeof StatusSchema>>[1] & object) =>
  create(StatusSchema, ticket);

test("a place is told with its number, its position and both estimates", () => {
  const text = placeText(
    status({
      ticket: {
        queue: "orders",
        number: 412,
        state: TicketState.WAITING,
        position: 87,
        waitP50: durationFromMs(24_100),
        waitP90: durationFromMs(600_000),
      },
    }),
  );
  expect(text).toBe("ticket 412 in orders: position 87, about 25 s, hardly more than 10 min");
});

test("a notice cannot command the terminal that it is shown in", () => {
  const text = placeText(
    status({
      ticket: { queue: "q", number: 1, state: TicketState.WAITING, position: 1 },
      notice: "\x1b[2JBack\r\nsoon",
    }),
  );
  expect(text).toContain("[2JBack soon");
  expect(text).not.toMatch(/\p{Cc}/u);
});

test.each([
  [TicketState.COMPLETED, RequestState.ANSWERED, 0, "answered"],
  [TicketState.COMPLETED, RequestState.UNSPECIFIED, 0, "completed"],
  [TicketState.COMPLETED, RequestState.FAILED, 3, "failed"],
  [TicketState.COMPLETED, RequestState.UNKNOWN, 4, "unknown"],
  [TicketState.LEFT, RequestState.STORED, 5, "left"],
  [TicketState.EXPIRED, RequestState.STORED, 6, "expired"],
])("an end in state %i with request state %i is exit code %i", (state, requestState, code, word) => {
  const end = outcome({ state, requestState } as Parameters<typeof outcome>[0]);
  expect(end.code).toBe(code);
  expect(end.text).toContain(word);
});

test.each([
  [1, "1 s"],
  [89_000, "89 s"],
  [90_001, "2 min"],
  [5_400_000, "1 h 30 min"],
])("a span of %i ms is %s", (ms, text) => {
  expect(spanText(ms)).toBe(text);
});

function paper(properties: Partial<Output> = {}): { output: Output; written: string[] } {
  const written: string[] = [];
  return { output: { ...properties, write: (text: string) => written.push(text) }, written };
}

test("in a terminal one line is drawn anew, cut to its width", () => {
  const { output, written } = paper({ isTTY: true, columns: 10 });
  const screen = new Screen(output);
  screen.show("position 3, soon", "3");
  screen.show("done", "2");
  screen.end();
  expect(written).toEqual(["\r\x1b[2Kposition…", "\r\x1b[2Kdone", "\n"]);
});

test.each([0, undefined])("a terminal without a width (%s) is taken for one of 80", (columns) => {
  const { output, written } = paper({ isTTY: true, columns });
  const screen = new Screen(output);
  screen.show("a".repeat(79), "1");
  screen.show("b".repeat(80), "2");
  expect(written).toEqual([`\r\x1b[2K${"a".repeat(79)}`, `\r\x1b[2K${"b".repeat(78)}…`]);
});

test("elsewhere there is a line for each change, and none for a new estimate alone", () => {
  const { output, written } = paper();
  const screen = new Screen(output);
  const place = (position: number, ms: number) =>
    status({
      ticket: { queue: "q", number: 7, state: TicketState.WAITING, position, waitP50: durationFromMs(ms) },
    });
  for (const at of [place(3, 3_000), place(3, 2_000), place(2, 1_000)])
    screen.show(placeText(at), placeKey(at));
  screen.end();
  expect(written).toEqual([
    "ticket 7 in q: position 3, about 3 s\n",
    "ticket 7 in q: position 2, about 1 s\n",
  ]);
});

test.each([
  ["AQtoken_-", { url: "http://gate:1", token: "AQtoken_-" }],
  ["http://h:8080/_usher/tickets/AQt", { url: "http://h:8080", token: "AQt" }],
  ["https://h/_usher/tickets/AQt/response", { url: "https://h", token: "AQt" }],
  ["/_usher/tickets/AQt", { url: "http://gate:1", token: "AQt" }],
])("%s is a ticket", (text, address) => {
  expect(ticketAddress(text, "http://gate:1")).toEqual(address);
});

test.each([
  "",
  "a b",
  "http://h/",
  "http://h/_usher/tickets/",
  "http://h/_usher/tickets/a/b",
  "ftp://h/_usher/tickets/a",
  "x".repeat(2_000),
])("%j is no ticket, and is not repeated", (text) => {
  expect(() => ticketAddress(text, "http://gate:1")).toThrow(/give a(n address| ticket)/);
});
