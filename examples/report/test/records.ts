// Logs written by hand, as the schema says that they are: what a node would write, and what none would.

import { crc32 } from "node:zlib";
import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { EnvelopeSchema, QueueKind, QueueMode, RecordSchema } from "@usher/protocol/log";

export type Kind = NonNullable<MessageInitShape<typeof RecordSchema>["kind"]>;

/** The first record's wall clock: the beginning of a minute. */
export const START_MS = Date.UTC(2026, 10, 22, 20, 0);

/** Writes a log in one session, with a clock of its own. Each method appends. */
export class Scribe {
  readonly log: Uint8Array[] = [];
  #session = 7n;
  #sequence = 0;
  #wall_ms = START_MS;

  constructor() {
    this.append({ case: "genesis", value: { id: new Uint8Array(16) } });
    this.open(7n, 0n);
    this.append({ case: "termOpened", value: { term: 1 } });
    this.append({ case: "tick", value: { term: 1, elapsedMs: 0 } });
  }

  append(kind: Kind, change: { session?: bigint; sequence?: number; level?: number } = {}): this {
    const record = toBinary(RecordSchema, create(RecordSchema, { kind }));
    const { session = this.#session, level = 1 } = change;
    const sequence = change.sequence ?? ++this.#sequence;
    const head = Buffer.alloc(24);
    head.writeUInt32LE(level, 0);
    head.writeBigUInt64LE(session, 4);
    head.writeUInt32LE(sequence, 12);
    head.writeBigInt64LE(BigInt(this.#wall_ms), 16);
    const envelope = create(EnvelopeSchema, {
      formatLevel: level,
      session,
      sequence,
      wallTimeMs: BigInt(this.#wall_ms),
      checksum: crc32(record, crc32(head)),
      record,
    });
    this.log.push(toBinary(EnvelopeSchema, envelope));
    return this;
  }

  /** Writes in another session from here on. */
  open(session: bigint, former: bigint): this {
    this.#session = session;
    this.#sequence = 0;
    return this.append({ case: "sessionOpened", value: { former, node: "a" } });
  }

  /** The same entry again. */
  repeat(): this {
    this.log.push(this.log.at(-1)!);
    return this;
  }

  /** Lets wall time and log time pass. */
  pass(seconds: number): this {
    for (let second = 0; second < seconds; second++) {
      this.#wall_ms += 1_000;
      this.append({ case: "tick", value: { term: 1, elapsedMs: 1_000 } });
    }
    return this;
  }

  /** The wall clock alone. */
  turnClock(seconds: number): this {
    this.#wall_ms += seconds * 1_000;
    return this;
  }

  configure(revision: number, change: { mode?: QueueMode; kind?: QueueKind } = {}): this {
    const value = {
      queue: "orders",
      revision,
      kind: QueueKind.DEFER,
      mode: QueueMode.AUTO,
      rateThousandths: 1_000,
      maxWaitMs: 600_000n,
      maxWaiting: 1_000,
      sessionMs: 60_000n,
      keyRetentionMs: 120_000n,
      attempts: 2,
      ...change,
    };
    return this.append({ case: "queueConfigured", value });
  }

  issue(key = "", { digest = "", stored = true, subject = "" } = {}): this {
    const value = {
      queue: "orders",
      keyHash: Buffer.from(key),
      subjectHash: Buffer.from(subject),
      requestDigest: Buffer.from(digest),
      storedRequest: stored,
    };
    return this.append({ case: "ticketIssued", value });
  }

  claim(number: number, attempt = 1, idempotent = false): this {
    const value = { queue: "orders", number, attempt, timeoutMs: 5_000, idempotent };
    return this.append({ case: "dispatchClaimed", value });
  }

  release(number: number, attempt: number, reason: number): this {
    return this.append({ case: "claimReleased", value: { queue: "orders", number, attempt, reason } });
  }

  answer(number: number, status: number, attempt = 1): this {
    return this.append({ case: "requestAnswered", value: { queue: "orders", number, attempt, status } });
  }

  leave(number: number): this {
    return this.append({ case: "ticketLeft", value: { queue: "orders", number } });
  }

  complete(number: number): this {
    return this.append({ case: "ticketCompleted", value: { queue: "orders", number } });
  }

  retry(number: number): this {
    return this.append({ case: "requestRetried", value: { queue: "orders", number, reason: "why not" } });
  }
}
