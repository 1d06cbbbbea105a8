// What must hold between what callers were told and what is in the log, whatever went wrong: I1 to I4. Each check
// says what is wrong, or nothing.

import { Fold } from "@usher/queue";
import { Hashes } from "../../src/keys/hashes.ts";
import { type Aftermath, type Call, QUEUE, type Told, type Wish } from "./crowd.ts";
import { KEYS } from "./keys.ts";
import { recordsOf } from "./world.ts";

export type Promised = "I1" | "I2" | "I3" | "I4";

/** A ticket that the log's records make, by the model's own word. */
interface Made {
  readonly number: number;
  /** The hash of its key, in hexadecimal; absent without a key. */
  readonly key: string | undefined;
  readonly digest: string | undefined;
}

type Ok = Extract<Told, { end: "ok" }>;
type Acknowledged = Call & { readonly told: Ok };

const hashes = new Hashes(KEYS.hash);

export const PROMISES: Readonly<Record<Promised, (after: Aftermath) => string | undefined>> = {
  /** An acknowledged ticket is exactly one number, and no two share one. */
  I1(after) {
    const holders = new Map<number, Wish>();
    for (const { wish, told } of acknowledged(after)) {
      const holder = holders.get(told.number);
      if (holder === undefined) holders.set(told.number, wish);
      else if (wish.key === undefined || nameOf(holder) !== nameOf(wish))
        return `number ${told.number} was given to ${nameOf(holder)} and to ${nameOf(wish)}`;
      if (after.proven.get(told.token) !== told.number)
        return `the token of number ${told.number} proves number ${after.proven.get(told.token)}`;
    }
    return undefined;
  },

  /** Every acknowledged ticket is in the log at the end, as it was asked for. */
  I2(after) {
    const made = new Map(ticketsOf(after).map((ticket) => [ticket.number, ticket]));
    for (const { wish, told } of acknowledged(after).filter(({ wish }) => !isAskedAgain(after, wish))) {
      const ticket = made.get(told.number);
      if (ticket === undefined) return `number ${told.number} of ${nameOf(wish)} is not in the log`;
      if (ticket.key !== keyOf(wish) || (wish.key !== undefined && ticket.digest !== hex(wish.digest)))
        return `number ${told.number} in the log is not what ${nameOf(wish)} asked for`;
    }
    return undefined;
  },

  /** The same key of the same caller is the same ticket; another request under it is refused. */
  I3(after) {
    const first = new Map<string, Acknowledged>();
    for (const call of acknowledged(after)) {
      if (call.wish.key === undefined) continue;
      const name = nameOf(call.wish);
      const known = first.get(name) ?? call;
      first.set(name, known);
      if (known.told.number !== call.told.number)
        return `${name} has numbers ${known.told.number} and ${call.told.number}`;
      if (!call.wish.digest.equals(known.wish.digest)) return `${name} is the ticket of two requests`;
    }
    const keys = ticketsOf(after).flatMap(({ key }) => (key === undefined ? [] : [key]));
    return new Set(keys).size === keys.length ? undefined : "a key has two tickets in the log";
  },

  /** A refusal left nothing; an unknown outcome left one ticket or none, and the same key tells which. */
  I4(after) {
    const made = ticketsOf(after);
    for (const [name, calls] of byName(after.calls.filter(({ wish }) => wish.key !== undefined))) {
      const there = made.some(({ key }) => key === keyOf(calls[0]!.wish));
      if (there && calls.every(({ told }) => told.end === "refused"))
        return `${name} was refused, and has a ticket`;
      const asked = after.asked.filter(({ wish }) => nameOf(wish) === name);
      const [first] = asked;
      if (first?.told.end === "ok" && first.told.existing !== there)
        return `${name} ${there ? "had a ticket already, and was told that it is new" : "had none, and was told that it had"}`;
    }
    const keyless = after.calls.filter(({ wish }) => wish.key === undefined);
    const count = (end: Told["end"]) => keyless.filter(({ told }) => told.end === end).length;
    const tickets = made.filter(({ key }) => key === undefined).length;
    if (tickets >= count("ok") && tickets <= count("ok") + count("unknown")) return undefined;
    return `${tickets} tickets without a key, of ${count("ok")} acknowledged and ${count("unknown")} in doubt`;
  },
};

function acknowledged({ calls, asked }: Aftermath): Acknowledged[] {
  return [...calls, ...asked].filter((call): call is Acknowledged => call.told.end === "ok");
}

/** Whether the wish came true only when it was asked once more, on a copy of the log. */
function isAskedAgain({ calls }: Aftermath, wish: Wish): boolean {
  return !calls.some((call) => call.wish === wish && call.told.end === "ok");
}

function ticketsOf({ store }: Aftermath): Made[] {
  const fold = new Fold();
  return recordsOf(store).flatMap((record) => {
    const outcome = fold.apply(record);
    const { event } = record;
    if (outcome.kind !== "issued" || outcome.existing || event.kind !== "ticket_issued") return [];
    return [
      { number: outcome.number, key: event.key && hex(event.key), digest: event.digest && hex(event.digest) },
    ];
  });
}

function byName(calls: readonly Call[]): Map<string, Call[]> {
  return Map.groupBy(calls, ({ wish }) => nameOf(wish));
}

function nameOf({ caller, key }: Wish): string {
  return `${caller.id} with ${key ?? "no key"}`;
}

function keyOf({ caller, key }: Wish): string | undefined {
  return key === undefined ? undefined : hex(hashes.idempotencyKey(QUEUE, caller.id, key));
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}
