// The log and its adapters: `log.ts` is the port, `limits.ts` what every adapter bounds, `sqlite/` the embedded
// adapter (its map: `sqlite/log.ts`). What an adapter must do: `test/contract.ts`. Why: `DESIGN.md`.

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
