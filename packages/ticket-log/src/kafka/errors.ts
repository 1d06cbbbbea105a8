// What Kafka's and kafkajs's errors mean to the caller of the log.

import { LogError, type LogErrorCode } from "../log.ts";

/** No answer in time. */
export class TimeoutError extends Error {
  override readonly name = "TimeoutError";

  constructor(ms: number) {
    super(`no answer within ${ms} ms`);
  }
}

/** What was tried: for errors that say what to grant. */
export interface Attempt {
  /** As in Kafka's access control lists, such as "Write". */
  readonly operation: string;
  /** Such as "topic usher.queues". */
  readonly resource: string;
}

/** The part of kafkajs's errors that says what it was. */
interface KafkaFault {
  readonly name: string;
  readonly message: string;
  /** Kafka's error, such as "NOT_LEADER_FOR_PARTITION". */
  readonly type?: string | undefined;
  /** The system's error, such as "ECONNREFUSED". */
  readonly code?: string | undefined;
  readonly broker?: string | undefined;
}

/** What is behind kafkajs's wrappings. */
export function faultOf(error: unknown): KafkaFault {
  const chain: unknown[] = [];
  for (let each = error; each instanceof Error && chain.length < 10; each = each.cause) chain.push(each);
  const [first] = chain;
  const telling = chain.find((each) => textIn(each, "type") !== undefined) ?? chain.at(-1) ?? first;
  if (!(telling instanceof Error)) return { name: "Error", message: String(error) };
  return {
    name: telling.name,
    message: telling.message,
    type: textIn(telling, "type"),
    code: textIn(telling, "code"),
    broker: textIn(telling, "broker"),
  };
}

function textIn(error: unknown, name: string): string | undefined {
  if (typeof error !== "object" || error === null) return undefined;
  const value: unknown = Reflect.get(error, name);
  return typeof value === "string" ? value : undefined;
}

/** Kafka's refusals that come before anything is appended. Others come after, or at either time: NOT_LEADER, for one,
 * is also said to those who wait for the replicas when the leader changes. */
const BEFORE_APPEND: ReadonlySet<string> = new Set([
  "MESSAGE_TOO_LARGE",
  "RECORD_LIST_TOO_LARGE",
  "TOPIC_AUTHORIZATION_FAILED",
  "CLUSTER_AUTHORIZATION_FAILED",
  "NOT_ENOUGH_REPLICAS",
  "INVALID_TIMESTAMP",
  "INVALID_RECORD",
  "INVALID_REQUIRED_ACKS",
  "INVALID_TOPIC_EXCEPTION",
  "UNSUPPORTED_VERSION",
  "UNSUPPORTED_COMPRESSION_TYPE",
  "CORRUPT_MESSAGE",
]);

/** Whether a write that met this surely left nothing. */
export function surelyNothingWritten(error: unknown): boolean {
  const { type, code } = faultOf(error);
  return (type !== undefined && BEFORE_APPEND.has(type)) || code === "ECONNREFUSED";
}

const CODES: Readonly<Record<string, LogErrorCode>> = {
  MESSAGE_TOO_LARGE: "too_large",
  RECORD_LIST_TOO_LARGE: "too_large",
  TOPIC_AUTHORIZATION_FAILED: "misconfigured",
  CLUSTER_AUTHORIZATION_FAILED: "misconfigured",
  SASL_AUTHENTICATION_FAILED: "misconfigured",
  UNSUPPORTED_SASL_MECHANISM: "misconfigured",
  ILLEGAL_SASL_STATE: "misconfigured",
  INVALID_TIMESTAMP: "misconfigured",
  INVALID_RECORD: "misconfigured",
  INVALID_CONFIG: "misconfigured",
  INVALID_REPLICATION_FACTOR: "misconfigured",
  INVALID_TOPIC_EXCEPTION: "misconfigured",
  POLICY_VIOLATION: "misconfigured",
  UNSUPPORTED_VERSION: "misconfigured",
};

/** Whether the same may succeed soon, by itself. */
export function passes(error: unknown): boolean {
  const { name, type } = faultOf(error);
  if (name === "KafkaJSSASLAuthenticationError") return false;
  if (type === undefined) return true;
  if (LASTING.has(type)) return false;
  return !(type in CODES);
}

/** A producer that meets these is to be replaced: its sequence and the broker's are not one. */
const LASTING: ReadonlySet<string> = new Set([
  "OUT_OF_ORDER_SEQUENCE_NUMBER",
  "DUPLICATE_SEQUENCE_NUMBER",
  "INVALID_PRODUCER_EPOCH",
  "UNKNOWN_PRODUCER_ID",
  "INVALID_PRODUCER_ID_MAPPING",
]);

export function errorOf(
  error: unknown,
  { operation, resource }: Attempt,
  outcome: LogError["outcome"] = "refused",
): LogError {
  if (error instanceof LogError) return error;
  const { name, message, type, broker } = faultOf(error);
  const make = (code: LogErrorCode, text: string) => new LogError(code, text, { outcome, cause: error });
  if (name === "KafkaJSSASLAuthenticationError" || type?.includes("SASL")) {
    return make("misconfigured", `Kafka refuses the credentials of log.sasl: ${message}`);
  }
  if (type === "TOPIC_AUTHORIZATION_FAILED" || type === "CLUSTER_AUTHORIZATION_FAILED") {
    return make(
      "misconfigured",
      `Kafka does not allow this node to ${operation} the ${resource}. Grant its user the operation ${operation} ` +
        `on ${resource} (kafka-acls.sh --add --allow-principal User:… --operation ${operation} --${resource})`,
    );
  }
  if (type === "MESSAGE_TOO_LARGE" || type === "RECORD_LIST_TOO_LARGE") {
    return make("too_large", `larger than max.message.bytes of the ${resource} allows`);
  }
  const where = broker === undefined ? "" : ` (${broker})`;
  const code = type === undefined ? "unavailable" : (CODES[type] ?? "unavailable");
  return make(code, `Kafka: ${operation} ${resource}: ${message}${where}`);
}
