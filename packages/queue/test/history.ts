// Random histories of a log: what several nodes write, with restarts, duplicates, delays past other records, records
// of sessions that nobody knows or that are closed, old terms, and things that cannot be.
//
//   moves.ts     what may happen          scribe.ts   writes it down as records
//
// fast-check makes lists of moves, and shrinks them.

import fc from "fast-check";
import type { LogRecord, Settings } from "../src/index.ts";
import {
  type Among,
  DEFER,
  type Move,
  PASS,
  type Pick,
  type Sending,
  type TicketWish,
  UINT32_MAX,
  WRITERS,
} from "./moves.ts";
import { KEYS, Scribe, SUBJECTS } from "./scribe.ts";

/** Mostly the first, now and then one of the others. */
function mostly<T>(usual: fc.Arbitrary<T>, ...odd: fc.Arbitrary<T>[]): fc.Arbitrary<T> {
  return fc.oneof({ arbitrary: usual, weight: 12 }, ...odd.map((arbitrary) => ({ arbitrary, weight: 1 })));
}

const queue = fc.oneof(
  { arbitrary: fc.constantFrom(DEFER, DEFER, PASS), weight: 40 },
  { arbitrary: fc.constant("nowhere"), weight: 1 },
);
const at = fc.nat(1_000);
const off = mostly(fc.constant(0), fc.constantFrom(-1, 1, UINT32_MAX));

function pick(usual: Among, queueName: fc.Arbitrary<string> = queue): fc.Arbitrary<Pick> {
  const among = mostly<Among>(
    fc.constant(usual),
    fc.constant("all"),
    fc.constant("ended"),
    fc.constant("absurd"),
  );
  return fc.record({ queue: queueName, among, at });
}

/** With a stored request, mostly: those are in the defer queue. */
function pickStored(usual: Among): fc.Arbitrary<Pick> {
  return pick(usual, mostly(fc.constant(DEFER), fc.constant(PASS)));
}

const limit = fc.constantFrom<Partial<Settings>>(
  { rate_thousandths: 5_000, max_active: 0 },
  { rate_thousandths: 40_000, max_active: 0 },
  { rate_thousandths: 700, max_active: 0 },
  { rate_thousandths: 0, max_active: 1 },
  { rate_thousandths: 0, max_active: 3 },
  { rate_thousandths: 10_000, max_active: 2 },
  { rate_thousandths: 100_000, max_active: 5 },
);
const mode = fc.constantFrom<Settings["mode"]>("auto", "auto", "queue_all", "paused", "open", "closed");

const settings: fc.Arbitrary<Settings> = fc
  .tuple(
    limit,
    fc.record({
      mode: mostly(fc.constant<Settings["mode"]>("auto"), mode),
      max_wait_ms: fc.constantFrom(1_000, 10_000, 60_000, 60_000),
      max_waiting: fc.constantFrom(12, 1_000, 100_000),
      session_ms: fc.constantFrom(1_000, 3_000, 20_000),
      key_retention_ms: fc.constantFrom(1_000, 5_000, 20_000),
      attempts: fc.constantFrom(1, 2, 2, 5),
    }),
  )
  .map(([limits, rest]) => ({
    kind: "defer",
    rate_thousandths: 0,
    max_active: 0,
    notice: "",
    ...limits,
    ...rest,
  }));

const change: fc.Arbitrary<Partial<Settings>> = fc.oneof(
  { arbitrary: limit, weight: 4 },
  { arbitrary: fc.record({ mode }), weight: 5 },
  { arbitrary: settings.map(({ kind: _, ...rest }) => rest), weight: 2 },
  {
    arbitrary: fc.constantFrom<Partial<Settings>>(
      { max_wait_ms: 0 },
      { attempts: 2.5 },
      { rate_thousandths: 0, max_active: 0 },
      { rate_thousandths: Number.NaN },
      { max_active: -1 },
      { kind: "pass" },
      { kind: "defer" },
    ),
    weight: 1,
  },
);

const wish: fc.Arbitrary<TicketWish> = fc.record({
  key: fc.option(fc.nat(KEYS.length - 1), { nil: undefined, freq: 2 }),
  digest: mostly<number | undefined>(fc.constant(0), fc.constant(1), fc.constant(undefined)),
  subject: fc.option(fc.nat(SUBJECTS.length - 1), { nil: undefined, freq: 2 }),
  adopting: mostly(fc.constant(true), fc.constant(false)),
  stored: mostly(fc.constant(true), fc.constant(false), fc.constant(false), fc.constant(false)),
  misplaced: fc.constantFrom(true, false, false, false, false),
  malformed: mostly(fc.constant(false), fc.constant(false), fc.constant(false), fc.constant(true)),
});

/** Somebody who is known by name in the pass queue, and brings this key or that. */
const regular: fc.Arbitrary<TicketWish> = fc.record({
  key: fc.nat(3),
  digest: mostly<number | undefined>(fc.constant(0), fc.constant(1)),
  subject: fc.nat(1),
  adopting: mostly(fc.constant(true), fc.constant(false)),
  stored: fc.constant(false),
  misplaced: fc.constant(false),
  malformed: fc.constant(false),
});

const requestId = fc.nat(6);

/** Requests that are tried again are few, and would seldom be claimed and given back among all others. */
const unclaimed = [
  [22, "unclaimed"],
  [9, "retried"],
] as const;
const claimed = [
  [8, "claimed"],
  [6, "retried"],
] as const;

type OfTicket = Extract<Move, { do: "leave" | "complete" | "retry" }>;

function moves({
  times,
  ticks,
  crowds,
}: Omit<Shape, "settings" | "moves">): { arbitrary: fc.Arbitrary<Move>; weight: number }[] {
  const weighted = <M extends Move>(weight: number, model: { [K in keyof M]: fc.Arbitrary<M[K]> }) => ({
    arbitrary: fc.record(model) as unknown as fc.Arbitrary<Move>,
    weight,
  });
  const is = <Do extends Move["do"]>(name: Do) => fc.constant(name);
  return [
    weighted<Extract<Move, { do: "sleep" }>>(24, {
      do: is("sleep"),
      elapsed_ms: mostly(
        fc.constantFrom(50, 200, 500, 1_000, 1_000),
        fc.constantFrom(0, 1, 999, 5_000, UINT32_MAX),
      ),
      ticks,
    }),
    weighted<Extract<Move, { do: "tick wrongly" }>>(1, {
      do: is("tick wrongly"),
      by: fc.constantFrom("another", "itself"),
      off: fc.constantFrom(-1, 0, 1),
    }),
    weighted<Extract<Move, { do: "open a term" }>>(2, { do: is("open a term"), off }),
    weighted<Extract<Move, { do: "close the term" }>>(1, { do: is("close the term"), off }),
    weighted<Extract<Move, { do: "restart" }>>(2, { do: is("restart") }),
    weighted<Extract<Move, { do: "open oddly" }>>(1, {
      do: is("open oddly"),
      how: fc.constantFrom("0", "twice", "after itself"),
    }),
    weighted<Extract<Move, { do: "crowd in" }>>(crowds, {
      do: is("crowd in"),
      sessions: fc.constantFrom(300, 1_100),
      closing: fc.boolean(),
    }),
    weighted<Extract<Move, { do: "begin anew" }>>(1, { do: is("begin anew") }),
    weighted<Extract<Move, { do: "issue" }>>(24, { do: is("issue"), queue, times, ticket: wish }),
    weighted<Extract<Move, { do: "issue" }>>(8, {
      do: is("issue"),
      queue: fc.constant(PASS),
      times: fc.constant(1),
      ticket: regular,
    }),
    weighted<OfTicket>(4, {
      do: is("leave"),
      ticket: pick("waiting"),
    }),
    weighted<OfTicket>(2, {
      do: is("leave"),
      ticket: pick("admitted"),
    }),
    weighted<OfTicket>(7, {
      do: is("complete"),
      ticket: pick("admitted"),
    }),
    weighted<OfTicket>(2, {
      do: is("complete"),
      ticket: pick("ended"),
    }),
    weighted<Extract<Move, { do: "extend" }>>(6, {
      do: is("extend"),
      ticket: pick("admitted", mostly(fc.constant(PASS), fc.constant(DEFER))),
      passOver: fc.boolean(),
    }),
    weighted<Extract<Move, { do: "admit some" }>>(3, {
      do: is("admit some"),
      queue,
      id: requestId,
      count: mostly(fc.integer({ min: 1, max: 6 }), fc.constantFrom(0, 10_000, 10_001, UINT32_MAX)),
    }),
    weighted<Extract<Move, { do: "admit one" }>>(3, {
      do: is("admit one"),
      ticket: pick("waiting"),
      id: requestId,
    }),
    ...unclaimed.map(([weight, among]) =>
      weighted<Extract<Move, { do: "claim" }>>(weight, {
        do: is("claim"),
        ticket: pickStored(among),
        off,
        timeout_ms: mostly(fc.constantFrom(100, 1_000, 3_000), fc.constantFrom(0, 60_000, UINT32_MAX)),
        idempotent: fc.boolean(),
      }),
    ),
    ...claimed.map(([weight, among]) =>
      weighted<Extract<Move, { do: "release" }>>(weight, {
        do: is("release"),
        ticket: pickStored(among),
        off,
        delay_ms: mostly(fc.constantFrom(0, 100, 1_000), fc.constant(UINT32_MAX)),
        reason: fc.constantFrom("refused", "not_connected", "draining", "lost", "timed_out", "payload_gone"),
      }),
    ),
    weighted<Extract<Move, { do: "answer" }>>(10, {
      do: is("answer"),
      ticket: pickStored("claimed"),
      off,
      status: mostly(
        fc.constantFrom(200, 201, 404, 503),
        fc.constantFrom(0, 99, 999, 1_000, 65_736, UINT32_MAX),
      ),
    }),
    weighted<Extract<Move, { do: "answer" }>>(4, {
      do: is("answer"),
      ticket: pickStored("unknown"),
      off,
      status: fc.constantFrom(200, 500),
    }),
    weighted<OfTicket>(6, { do: is("retry"), ticket: pickStored("failed") }),
    weighted<OfTicket>(2, { do: is("retry"), ticket: pick("failed", fc.constant(PASS)) }),
    weighted<Extract<Move, { do: "configure" }>>(6, { do: is("configure"), queue, off, change }),
  ];
}

const sending: fc.Arbitrary<Sending> = fc.record({
  writer: fc.nat(WRITERS - 1),
  as: fc.oneof(
    { arbitrary: fc.constant<Sending["as"]>("itself"), weight: 40 },
    { arbitrary: fc.constantFrom<Sending["as"]>("its former session", "a stranger"), weight: 1 },
  ),
  fate: fc.oneof(
    { arbitrary: fc.constant<Sending["fate"]>("lands"), weight: 20 },
    { arbitrary: fc.constantFrom<Sending["fate"]>("lands twice", "lands late", "is lost"), weight: 1 },
  ),
  late: fc.constantFrom(0, 1, 2, 5, 20),
});

interface Shape {
  /** What the queues begin with. */
  readonly settings: fc.Arbitrary<Settings>;
  /** How many moves at most. */
  readonly moves: number;
  /** How many tickets at once. */
  readonly times: fc.Arbitrary<number>;
  /** How many ticks at once. */
  readonly ticks: fc.Arbitrary<number>;
  /** How often, among some hundred moves, others open more sessions than are kept. */
  readonly crowds: number;
}

function histories({ settings, moves: maxLength, ...rest }: Shape): fc.Arbitrary<readonly LogRecord[]> {
  const move = fc.record({ move: fc.oneof(...moves(rest)), sending });
  return fc
    .tuple(settings, settings, fc.array(move, { maxLength, size: "max" }))
    .map(([defer, pass, written]) =>
      new Scribe({ ...defer, kind: "defer" }, { ...pass, kind: "pass" }).write(written),
    );
}

const few = fc.integer({ min: 1, max: 3 });
const shortSleeps = mostly(fc.integer({ min: 1, max: 8 }), fc.constantFrom(20, 40));

/** Some hundred records, some dozen tickets. */
export const history = histories({
  settings,
  moves: 160,
  times: mostly(few, fc.constant(12)),
  ticks: shortSleeps,
  crowds: 0,
});

/** Lines of thousands, so that segments fill, empty and are let go. */
export const longHistory = histories({
  settings: settings.map((some) => ({ ...some, max_waiting: 100_000 })),
  moves: 70,
  times: mostly(few, fc.constant(700), fc.constant(1_100)),
  ticks: shortSleeps,
  crowds: 0,
});

/** Hours in which only the timekeeper is heard, and crowds of other nodes, so that sessions are forgotten. */
export const quietHistory = histories({
  settings,
  moves: 80,
  times: few,
  ticks: mostly(shortSleeps, fc.constant(3_700)),
  crowds: 3,
});
