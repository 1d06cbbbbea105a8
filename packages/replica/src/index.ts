// What listeners, gateways and the program need of a replica.

export { Access, API_KEY_HEADER, type Caller, KEY_LENGTH_MIN, type Requirement } from "./access.ts";
export { type Clock, systemClock } from "./clock.ts";
export type { Desk, IssuedPlace, IssueWish, Place } from "./desk.ts";
export { changeKeys } from "./keys/change.ts";
export { exposure, type KeysFile, openKeys, openKeysFile, readKeysFile } from "./keys/file.ts";
export { parseKeys } from "./keys/format.ts";
export {
  type ApiKey,
  freshKeys,
  inUse,
  type Keys,
  KeysError,
  ROTATED,
  type Rotated,
  type Secret,
} from "./keys/keys.ts";
export { LiveKeys } from "./keys/live.ts";
export type { Audiences, Pass, Passes } from "./keys/passes.ts";
export {
  addApiKey,
  prune as pruneKeys,
  revokeApiKey,
  rotate as rotateKey,
  supersededSince,
} from "./keys/rotation.ts";
export { type Decoded, decodeRecord, encodeRecord } from "./log/codec.ts";
export type { RecordName as TicketOrigin } from "./log/session.ts";
export { SILENCE_MS } from "./places.ts";
export { type LogSource, Reader, type ReaderListener, type RecordCounts } from "./reader.ts";
export { type BatchListener, Replica, type ReplicaOptions } from "./replica.ts";
export { settingsMessage, settingsOf } from "./rpc/admin-codec.ts";
export { createAdminService } from "./rpc/admin-service.ts";
export { formatTicketId, parseTicketId, type TicketId } from "./rpc/codec.ts";
export { type Reason, UsherError } from "./rpc/errors.ts";
export { createQueueService } from "./rpc/queue-service.ts";
export { VERSION } from "./rpc/version.ts";
export { type Piece, type Stage, type StateDigest, stateDifferences, stateDigest } from "./state-digest.ts";
export { type ReplicaObserver, traceContext } from "./trace.ts";
