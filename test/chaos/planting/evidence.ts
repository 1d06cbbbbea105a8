// Faults in what a run left: what it would have left, had Usher, Kafka or a node done that.

import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { RecordSchema, ReleaseReason } from "@usher/protocol/log";
import type { CheckName } from "../checker/checker.ts";
import { forged } from "../log/envelope.ts";
import {
  again,
  arrivals,
  beganOf,
  endings,
  givings,
  inHistory,
  inLog,
  inService,
  nth,
  type Plant,
  recordOf,
  records,
  repeated,
  replaced,
  swapped,
  tellings,
  without,
} from "./tools.ts";

export interface Fault {
  readonly what: string;
  readonly by: CheckName;
  readonly plant: Plant;
}

export const FAULTS: readonly Fault[] = [
  {
    what: "a number that was given to two",
    by: "I1",
    plant: inHistory((lines) => {
      const issues = givings(lines).filter(({ began }) => began.op === "issue");
      const { ended, seen } = nth(issues, -1);
      const { number } = nth(issues).seen;
      return replaced(lines, ended, { ...ended, seen: { ...seen, number } });
    }),
  },
  {
    what: "a record that is lost",
    by: "I2",
    plant: inLog((log) => without(log, nth(records(log, "ticket_issued"), 5))),
  },
  { what: "a log that has lost its end", by: "I2", plant: inLog((log) => log.slice(0, -20)) },
  {
    what: "records in another order",
    by: "I2",
    plant: inLog((log) => {
      const orders = records(log, "ticket_issued").filter(({ key }) => key === "orders");
      const first = nth(orders);
      const other = nth(orders.filter((entry) => recordOf(entry)?.session !== recordOf(first)?.session));
      return swapped(log, first, other);
    }),
  },
  {
    what: "a key that has two numbers",
    by: "I3",
    plant: inHistory((lines) => {
      const { seen, ...call } = nth(givings(lines).filter(({ began }) => began.key !== undefined));
      return again(lines, call, { ended: { seen: { ...seen, number: seen.number + 1 } } });
    }),
  },
  {
    what: "a wish that was sent under two tickets",
    by: "I3",
    plant: inService((lines) => {
      const [one, other] = [nth(arrivals(lines), 0), nth(arrivals(lines), -1)];
      return replaced(lines, other, { ...other, wish: one.wish });
    }),
  },
  {
    what: "a request id that admitted others when it was said again",
    by: "I3",
    plant: inHistory((lines) => {
      const ended = nth(endings(lines, ({ numbers }) => numbers !== undefined));
      const numbers = [...(ended.numbers ?? []), 1_000_000];
      return again(lines, { ended, began: beganOf(lines, ended) }, { ended: { numbers } });
    }),
  },
  {
    what: "a record that counts twice",
    by: "I4",
    plant: inLog((log) => {
      const keyless = records(log, "ticket_issued").filter((entry) => {
        const event = recordOf(entry)?.event;
        return event?.kind === "ticket_issued" && event.key === undefined;
      });
      return repeated(log, nth(keyless));
    }),
  },
  {
    what: "a call that was refused and left a ticket",
    by: "I4",
    plant: inHistory((lines) => {
      const all = givings(lines);
      const once = ({ began }: (typeof all)[number]) =>
        began.key !== undefined && all.filter((other) => other.began.key === began.key).length === 1;
      const { ended } = nth(all.filter(once));
      const { seen: _, ...rest } = ended;
      return replaced(lines, ended, { ...rest, told: "refused" });
    }),
  },
  {
    what: "a holder who was shown another number",
    by: "I5",
    plant: inHistory((lines) => {
      const { ended, seen } = nth(tellings(lines).filter(({ began }) => began.op === "look"));
      return replaced(lines, ended, { ...ended, seen: { ...seen, number: seen.number + 1 } });
    }),
  },
  {
    what: "a holder who was shown another epoch",
    by: "I5",
    plant: inHistory((lines) => {
      const { ended, seen } = nth(tellings(lines).filter(({ began }) => began.op === "look"));
      return replaced(lines, ended, { ...ended, seen: { ...seen, epoch: "0123456789abcdef" } });
    }),
  },
  {
    what: "an entry that is not what it was",
    by: "I5",
    plant: (evidence) => ({
      ...evidence,
      earlier: [
        evidence.log.map((entry, at) => (at === 30 ? { ...entry, value: Buffer.from("other") } : entry)),
      ],
    }),
  },
  {
    what: "an admitted ticket that was shown waiting again",
    by: "I8",
    plant: inHistory((lines) => {
      const { seen, ...call } = nth(tellings(lines).filter(({ seen }) => seen.state === "admitted"));
      return again(lines, call, {
        began: { as_of: seen.as_of },
        ended: { seen: { ...seen, state: "waiting", position: 1 } },
      });
    }),
  },
  {
    what: "a place that rose",
    by: "I11",
    plant: inHistory((lines) => {
      const { seen, ...call } = nth(tellings(lines).filter(({ seen }) => seen.state === "waiting"));
      const position = (seen.position ?? 0) + 1;
      return again(lines, call, { began: { as_of: seen.as_of }, ended: { seen: { ...seen, position } } });
    }),
  },
  {
    what: "a node that told of less than its holder had seen",
    by: "I11",
    plant: inHistory((lines) => {
      const { seen, ...call } = nth(tellings(lines).filter(({ seen }) => seen.state === "waiting"));
      const as_of = seen.as_of - 1;
      return again(lines, call, { began: { as_of: seen.as_of }, ended: { seen: { ...seen, as_of } } });
    }),
  },
  {
    what: "place 0 for one who waits",
    by: "I12",
    plant: inHistory((lines) => {
      const { ended, seen } = nth(tellings(lines).filter(({ seen }) => seen.state === "waiting"));
      return replaced(lines, ended, { ...ended, seen: { ...seen, position: 0 } });
    }),
  },
  {
    what: "somebody shown inside who waits, by the log",
    by: "I12",
    plant: inHistory((lines) => {
      const { ended, seen } = nth(tellings(lines).filter(({ seen }) => seen.state === "waiting"));
      return replaced(lines, ended, { ...ended, seen: { ...seen, state: "admitted", position: 0 } });
    }),
  },
  {
    what: "a request that was sent twice",
    by: "I13",
    plant: inService((lines) => {
      const quick = nth(arrivals(lines).filter(({ idempotent }) => !idempotent));
      return [...lines, { ...quick, arrival: 1_000_000 }];
    }),
  },
  {
    what: "a request called failed that the service carried out",
    by: "I13",
    plant: inLog((log) => {
      const answer = nth(records(log, "request_answered"), 3);
      return replaced(log, answer, { ...answer, value: gaveUp(answer.value) });
    }),
  },
  {
    what: "a stored request without an end",
    by: "I14",
    plant: inLog((log) => without(log, nth(records(log, "request_answered"), -1))),
  },
  {
    what: "a holder who was told of another end",
    by: "I14",
    plant: inHistory((lines) => {
      const told = nth(endings(lines, ({ end, number }) => end === "answered" && number !== undefined));
      return replaced(lines, told, { ...told, end: "failed" });
    }),
  },
  {
    what: "an answer that was gone when it was asked for",
    by: "I14",
    plant: inHistory((lines) => {
      const told = nth(endings(lines, ({ end, number }) => end === "answered" && number !== undefined));
      return replaced(lines, told, { ...told, reason: "response_gone" });
    }),
  },
  {
    what: "the answer to somebody else's wish",
    by: "I14",
    plant: inHistory((lines) => {
      const told = nth(endings(lines, ({ answer }) => answer !== undefined));
      return replaced(lines, told, {
        ...told,
        answer: { arrival: told.answer?.arrival ?? 0, wish: "another" },
      });
    }),
  },
  {
    what: "a request that was sent without a claim",
    by: "I15",
    plant: inLog((log) => without(log, nth(records(log, "dispatch_claimed"), 3))),
  },
  {
    what: "a request that went past the queue",
    by: "I15",
    plant: inService((lines) => {
      const arrival = nth(arrivals(lines));
      const { ticket: _, ...straight } = arrival;
      return replaced(lines, arrival, straight);
    }),
  },
  {
    what: "a request that was sent after its claim had ended",
    by: "I15",
    plant: inService((lines) => {
      const arrival = nth(arrivals(lines));
      return replaced(lines, arrival, { ...arrival, at_ms: arrival.at_ms + 60_000 });
    }),
  },
  {
    what: "a line that nobody works off",
    by: "I17",
    plant: inLog((log) => {
      const ticks = records(log, "tick");
      const late = new Set(ticks.slice(ticks.length / 2));
      return log.filter((entry) => !late.has(entry));
    }),
  },
  {
    what: "a node that shows another place than the log has",
    by: "I18",
    plant: inHistory((lines) => {
      const { ended, seen } = nth(tellings(lines).filter(({ seen }) => seen.state === "waiting"));
      return replaced(lines, ended, { ...ended, seen: { ...seen, position: (seen.position ?? 0) + 1 } });
    }),
  },
  {
    what: "a node in another state than the log gives",
    by: "I18",
    plant: inHistory((lines) => {
      const told = nth(endings(lines, ({ stated }) => stated !== undefined));
      const { as_of = 0 } = told.stated ?? {};
      return replaced(lines, told, { ...told, stated: { as_of, digest: "another" } });
    }),
  },
  {
    what: "a node that counts another line than the log has",
    by: "I18",
    plant: inHistory((lines) => {
      const told = nth(endings(lines, ({ counted }) => counted !== undefined));
      const { counted } = told;
      const other = counted && { ...counted, waiting: counted.waiting + 1 };
      return replaced(lines, told, { ...told, ...(other && { counted: other }) });
    }),
  },
];

/** A record that gives a claim back for good, in the place of the one that tells of its answer. */
function gaveUp(value: Uint8Array): Uint8Array {
  return forged(value, ({ record }) => {
    const { kind } = fromBinary(RecordSchema, record);
    if (kind.case !== "requestAnswered") throw new Error("no answer is told of here");
    const { queue, number, attempt } = kind.value;
    const released = { queue, number, attempt, reason: ReleaseReason.PAYLOAD_GONE };
    return {
      record: toBinary(
        RecordSchema,
        create(RecordSchema, { kind: { case: "claimReleased", value: released } }),
      ),
    };
  });
}
