// I4, I18: what has no effect has none, and the same records have the same.

import { isDeepStrictEqual } from "node:util";
import { differences, type TicketView } from "../../src/index.ts";
import { type QueueSeen, seen, type Trace } from "../trace.ts";
import { at, type Verdict } from "./verdict.ts";

export function refusalLeavesNothing({ steps }: Trace): Verdict {
  for (const [index, step] of steps.entries()) {
    const before = steps[index - 1];
    if (before === undefined || (step.outcome.kind !== "refused" && step.outcome.kind !== "ignored"))
      continue;
    if (step.changes.length > 0) return at(step, `it told of ${step.changes[0]!.kind}`);
    if (step.now_ms !== before.now_ms || step.term !== before.term) return at(step, "time or term changed");
    if (step.queues.size !== before.queues.size) return at(step, "it made a queue");
    for (const [name, queue] of step.queues) {
      if (!sameSeen(before.queues.get(name)!, queue)) return at(step, `${name} is not what it was`);
    }
  }
  return undefined;
}

function sameSeen(one: QueueSeen, other: QueueSeen): boolean {
  const { tickets: tickets1, settings: settings1, ...rest1 } = one;
  const { tickets: tickets2, settings: settings2, ...rest2 } = other;
  if (settings1 !== settings2 || !isDeepStrictEqual(rest1, rest2) || tickets1.size !== tickets2.size)
    return false;
  for (const [number, view] of tickets1) if (!sameView(view, tickets2.get(number))) return false;
  return true;
}

function sameView(one: TicketView, other: TicketView | undefined): boolean {
  if (other === undefined) return false;
  for (const name of Object.keys(one) as (keyof TicketView)[]) {
    if (name !== "origin" && one[name] !== other[name]) return false;
  }
  return one.origin.session === other.origin.session && one.origin.sequence === other.origin.sequence;
}

export function replaysTheSame({ records, steps, Fold }: Trace): Verdict {
  const once = new Fold();
  const again = new Fold();
  for (const [index, record] of records.entries()) {
    once.apply(record);
    if (isDeepStrictEqual(again.apply(record), steps[index]!.outcome)) continue;
    return at(steps[index]!, "another outcome when it was folded again");
  }
  const [difference] = differences(once, again);
  if (difference !== undefined) return `folded twice, the log makes two different states: ${difference}`;
  // The first fold was looked at after every record: looking changes nothing.
  const { queues } = steps.at(-1)!;
  for (const queue of once.queues()) {
    const looked = queues.get(queue.name);
    if (looked !== undefined && isDeepStrictEqual(looked.tickets, seen(queue).tickets)) continue;
    return `${queue.name} is another queue when it is looked at`;
  }
  return undefined;
}
