// The log and its adapters. What they share:
//
//   log.ts         the port                        limits.ts    what every adapter bounds
//   writer.ts      what producers hold             pending.ts   the count of what has not ended
//   operation.ts   what is to be written, checked  turns.ts     the order in which it goes, in batches
//   followings.ts  followers                       batch.ts     a batch as one block of bytes
//
// `sqlite/` is the embedded adapter (its map: `sqlite/log.ts`), `kafka/` the one for many nodes (`kafka/log.ts`), `memory/` the twin for tests (`memory/log.ts`). What an
// adapter must do: `test/contract.ts`. Why: `DESIGN.md`.

export { openKafkaLog } from "./kafka/log.ts";
export type { KafkaLogOptions, KafkaSasl, KafkaTimings, KafkaTls, SpoolOptions } from "./kafka/options.ts";
export { LOG_LIMITS, type LogLimits } from "./limits.ts";
export {
  type AppendOptions,
  type Entry,
  type Follower,
  type Following,
  LogError,
  type LogErrorCode,
  type Offset,
  type Payload,
  type PayloadKey,
  type StoredEntry,
  type TicketKey,
  type TicketLog,
  type Writer,
} from "./log.ts";
export {
  type Fate,
  type MemoryLog,
  type MemoryLogOptions,
  MemoryStore,
  openMemoryLog,
} from "./memory/log.ts";
export { openSqliteLog, type SqliteLogOptions } from "./sqlite/log.ts";
