// What Kafka's and kafkajs's errors mean to the caller of the log.

import { LogError, type LogErrorCode } from "../log.ts";

const NO_KAFKA = "NO_KAFKA";

/** No answer in time. */
export class TimeoutError extends Error {
  override readonly name = "TimeoutError";

  constructor(ms: number) {
    super(`no answer within ${ms} ms`);
  }
}

/** What came from a broker's address cannot have come from a broker. */
export class NoKafkaError extends Error {
  override readonly name = "NoKafkaError";
  /** kafkajs wraps it, and keeps this. */
  readonly code = NO_KAFKA;

  constructor(options?: ErrorOptions) {
    super("not Kafka's protocol", options);
  }
}

/** Where and as whom this node asks, for the commands that errors advise. */
export interface Login {
  /** A broker, as it was named. */
  readonly broker: string;
  /** As Kafka's access control lists have it, without "User:". */
  readonly user: string;
}

/** What was tried: for errors that say what to grant. */
export interface Attempt {
  readonly login: Login;
  /** As in Kafka's access control lists, such as "Write". */
  readonly operation: string;
  readonly topic: string;
}

/** The part of kafkajs's errors that says what it was. */
interface Fault {
  readonly name: string;
  readonly message: string;
  /** Kafka's error, such as "NOT_LEADER_FOR_PARTITION": an answer. Absent: there was none. */
  readonly type?: string | undefined;
  /** The system's error, such as "ECONNREFUSED". */
  readonly code?: string | undefined;
  readonly broker?: string | undefined;
}

/** How deep kafkajs wraps its errors at most. */
const DEPTH_MAX = 10;

/** What is behind kafkajs's wrappings. */
export function faultOf(error: unknown): Fault {
  const chain: Error[] = [];
  for (let each = error; each instanceof Error && chain.length < DEPTH_MAX; each = inside(each))
    chain.push(each);
  const telling = chain.find((each) => textIn(each, "type") !== undefined) ?? chain.at(-1);
  if (telling === undefined) return { name: "Error", message: String(error) };
  const type = textIn(telling, "type");
  const broker = textIn(telling, "broker");
  return { name: telling.name, message: telling.message, type, code: textIn(telling, "code"), broker };
}

/** Where kafkajs makes one error of several, the first tells. */
function inside(error: Error): unknown {
  return "errors" in error && Array.isArray(error.errors) ? error.errors[0] : error.cause;
}

function textIn(error: object, name: string): string | undefined {
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
  return type === undefined ? code === "ECONNREFUSED" : BEFORE_APPEND.has(type);
}

/** Whether this node may not do what it tried. */
export function isDenied(error: unknown): boolean {
  return faultOf(error).type?.endsWith("_AUTHORIZATION_FAILED") === true;
}

/** Those that do not pass by themselves; all others are "unavailable". */
const CODES: ReadonlyMap<string, LogErrorCode> = new Map([
  ["MESSAGE_TOO_LARGE", "too_large"],
  ["RECORD_LIST_TOO_LARGE", "too_large"],
  ["SASL_AUTHENTICATION_FAILED", "misconfigured"],
  ["UNSUPPORTED_SASL_MECHANISM", "misconfigured"],
  ["ILLEGAL_SASL_STATE", "misconfigured"],
  ["INVALID_TIMESTAMP", "misconfigured"],
  ["INVALID_RECORD", "misconfigured"],
  ["INVALID_CONFIG", "misconfigured"],
  ["INVALID_REPLICATION_FACTOR", "misconfigured"],
  ["INVALID_TOPIC_EXCEPTION", "misconfigured"],
  ["POLICY_VIOLATION", "misconfigured"],
  ["UNSUPPORTED_VERSION", "misconfigured"],
]);

/** A producer that meets these is to be replaced: its sequence and the broker's are not one. */
const OUT_OF_STEP: ReadonlySet<string> = new Set([
  "OUT_OF_ORDER_SEQUENCE_NUMBER",
  "DUPLICATE_SEQUENCE_NUMBER",
  "INVALID_PRODUCER_EPOCH",
  "UNKNOWN_PRODUCER_ID",
  "INVALID_PRODUCER_ID_MAPPING",
]);

/** Whether the same may succeed soon, by itself. */
export function passes(error: unknown): boolean {
  if (error instanceof LogError) return error.code === "unavailable";
  const { type } = faultOf(error);
  if (isDenied(error) || isRefusedLogin(error)) return false;
  return type === undefined || !(OUT_OF_STEP.has(type) || CODES.has(type));
}

function isRefusedLogin(error: unknown): boolean {
  const { name, type = "" } = faultOf(error);
  return name === "KafkaJSSASLAuthenticationError" || type.includes("SASL");
}

export function errorOf(
  error: unknown,
  { login, operation, topic }: Attempt,
  outcome: LogError["outcome"] = "refused",
): LogError {
  if (error instanceof LogError)
    return error.outcome === outcome
      ? error
      : new LogError(error.code, error.message, { outcome, cause: error });
  const make = (code: LogErrorCode, text: string) => new LogError(code, text, { outcome, cause: error });
  const { name, message, type, code: system, broker } = faultOf(error);
  if (isRefusedLogin(error))
    return make("misconfigured", `Kafka refuses the credentials (kafka.sasl): ${message}`);
  if (isDenied(error)) {
    return make(
      "misconfigured",
      `Kafka denies this node the operation ${operation} on the topic ${topic}. Grant it: kafka-acls.sh ` +
        `--bootstrap-server ${login.broker} --add --allow-principal ${quoted(`User:${login.user}`)} ` +
        `--operation ${operation} --topic ${topic}`,
    );
  }
  if (type === "UNKNOWN_TOPIC_OR_PARTITION") return make("unavailable", `the topic ${topic} is missing`);
  const code = type === undefined ? "unavailable" : (CODES.get(type) ?? "unavailable");
  if (code === "too_large")
    return make(code, `the topic ${topic} takes no message as large (its max.message.bytes)`);
  const where = broker === undefined ? "" : `${broker}: `;
  const what = type === undefined ? textOf({ name, message, code: system }) : `${message} (${type})`;
  return make(code, `Kafka: ${where}${what} (${operation} on ${topic})`);
}

/** Both are what a broker does, too, that wants TLS or a password. */
const PERHAPS_SECURED: ReadonlySet<string> = new Set(["ECONNRESET", NO_KAFKA]);

/** For a shell. */
function quoted(text: string): string {
  return /^[\w.:@-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

const CLOSED_ADVICE = "Should it go on: does the broker want TLS (kafka.tls) or a password (kafka.sasl)?";

/** What Node says of certificates and of what is no TLS. */
const TLS_CODE = /^(ERR_TLS|ERR_SSL|EPROTO|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_)/;

const SYSTEM: ReadonlyMap<string, string> = new Map([
  ["ECONNREFUSED", "nobody listens there"],
  ["ENOTFOUND", "there is no such host"],
  ["EAI_AGAIN", "the host's name cannot be looked up"],
  ["ECONNRESET", "the connection was reset"],
  ["EHOSTUNREACH", "the host cannot be reached"],
  ["ENETUNREACH", "the network cannot be reached"],
  [NO_KAFKA, "what answers there does not speak Kafka's protocol"],
]);

/** Why none of the brokers could be reached. */
export function unreachable(tries: readonly { broker: string; reason: unknown }[]): LogError {
  const told = tries.map(({ broker, reason }) => `${broker}: ${textOf(faultOf(reason))}`).join("; ");
  const refused = tries.some(({ reason }) => isRefusedLogin(reason));
  const untrusted = tries.some(({ reason }) => TLS_CODE.test(faultOf(reason).code ?? ""));
  const cause = tries[0]?.reason;
  if (refused)
    return new LogError("misconfigured", `Kafka refuses the credentials (kafka.sasl): ${told}`, { cause });
  if (untrusted) return new LogError("misconfigured", `no TLS with Kafka (kafka.tls): ${told}`, { cause });
  return new LogError("unavailable", `Kafka cannot be reached (log, --log): ${told}`, { cause });
}

/** In words, where there are better ones than kafkajs's. */
function textOf({ name, message, code = "" }: Pick<Fault, "name" | "message" | "code">): string {
  const text = SYSTEM.get(code) ?? message;
  return name === "KafkaJSConnectionClosedError" || PERHAPS_SECURED.has(code)
    ? `${text}. ${CLOSED_ADVICE}`
    : text;
}
