// The shape of `usher.yaml`, with every field's bounds and default. What one part says about another (a route about
// its queue) is checked in `references.ts`.

import { SETTINGS_BOUNDS, SETTINGS_DEFAULTS } from "@usher/queue";
import type * as z from "zod";
import { field, fields, list, named } from "./fields.ts";
import { DATA_DEFAULT, kafkaSchema, type Surroundings } from "./kafka-schema.ts";
import { type LogUrl, logUrl } from "./log-url.ts";
import { cidr, host, origin, pageOrigin } from "./network.ts";
import {
  boolean,
  bytes,
  duration,
  filePath,
  headerName,
  integer,
  name,
  nodeName,
  notice,
  oneOf,
  portOrOff,
  thousandths,
} from "./readers.ts";
import { routeMatch } from "./route-match.ts";
import { tlsSchema } from "./tls-schema.ts";

const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
const MiB = 1024 * 1024;

/** Routes, and proxies, that one file may hold. */
const LIST_MAX = 1_000;

/** Names of headers that one route may list. */
const HEADER_NAMES_MAX = 100;

/** Least and most of what routes and listeners are set to. */
export const BOUNDS = {
  port: [0, 65_535],
  nodes: [1, 1_000],
  drain_delay_ms: [0, 10 * MINUTE_MS],
  grace_ms: [0, 60 * MINUTE_MS],
  hold_ms: [0, 10 * MINUTE_MS],
  timeout_ms: [100, 60 * MINUTE_MS],
  silence_ms: [SECOND_MS, 24 * 60 * MINUTE_MS],
  /** A mebibyte less than the log takes as one payload: the headers, and the encryption, need room as well. */
  stored_bytes: [0, 15 * MiB],
} as const;

export const LISTEN_DEFAULTS = {
  host: "localhost",
  port: 8080,
  grpc_port: 50051,
  metrics_port: 8081,
} as const;
export const DRAIN_DEFAULTS = { delay_ms: 0, grace_ms: 10 * SECOND_MS } as const;
export const ROUTE_DEFAULTS = {
  hold_ms: 2 * SECOND_MS,
  timeout_ms: 30 * SECOND_MS,
  upgrade: false,
  idempotent: false,
  body_bytes: MiB,
  response_bytes: MiB,
} as const;
const LOG_DEFAULT: LogUrl = { kind: "sqlite", directory: DATA_DEFAULT };

const port = field(integer(...BOUNDS.port));
const stored = field(bytes(...BOUNDS.stored_bytes));
const headerNames = list("names of headers", HEADER_NAMES_MAX, field(headerName)).unwrap();

function listenIn(directory: string) {
  return fields({
    host: field(host).default(LISTEN_DEFAULTS.host),
    port: port.default(LISTEN_DEFAULTS.port),
    tls: tlsSchema(directory).optional(),
    grpc_port: port.default(LISTEN_DEFAULTS.grpc_port),
    metrics_port: field(portOrOff(...BOUNDS.port)).optional(),
  });
}

const drain = fields({
  delay: field(duration(...BOUNDS.drain_delay_ms)).default(DRAIN_DEFAULTS.delay_ms),
  grace: field(duration(...BOUNDS.grace_ms)).default(DRAIN_DEFAULTS.grace_ms),
});

const limit = fields({
  rate_per_second: field(thousandths(...SETTINGS_BOUNDS.rate_thousandths)).default(
    SETTINGS_DEFAULTS.rate_thousandths,
  ),
  max_active: field(integer(...SETTINGS_BOUNDS.max_active)).default(SETTINGS_DEFAULTS.max_active),
});

const queue = fields({
  kind: field(oneOf("defer", "pass")),
  mode: field(oneOf("auto", "queue_all", "paused", "open", "closed")).optional(),
  limit,
  max_wait: field(duration(...SETTINGS_BOUNDS.max_wait_ms)),
  max_waiting: field(integer(...SETTINGS_BOUNDS.max_waiting)).default(SETTINGS_DEFAULTS.max_waiting),
  session: field(duration(...SETTINGS_BOUNDS.session_ms)).default(SETTINGS_DEFAULTS.session_ms),
  key_retention: field(duration(...SETTINGS_BOUNDS.key_retention_ms)).default(
    SETTINGS_DEFAULTS.key_retention_ms,
  ),
  attempts: field(integer(...SETTINGS_BOUNDS.attempts)).default(SETTINGS_DEFAULTS.attempts),
  notice: field(notice).optional(),
});

/** The queues of a file, by name. */
export const queuesSchema = named("queues", queue);

const route = fields({
  match: field(routeMatch),
  service: field(name),
  queue: field(name).optional(),
  max_wait: field(duration(...SETTINGS_BOUNDS.max_wait_ms)).optional(),
  hold: field(duration(...BOUNDS.hold_ms)).default(ROUTE_DEFAULTS.hold_ms),
  timeout: field(duration(...BOUNDS.timeout_ms)).default(ROUTE_DEFAULTS.timeout_ms),
  silence: field(duration(...BOUNDS.silence_ms)).optional(),
  upgrade: field(boolean).default(ROUTE_DEFAULTS.upgrade),
  idempotent: field(boolean).default(ROUTE_DEFAULTS.idempotent),
  body_bytes: stored.default(ROUTE_DEFAULTS.body_bytes),
  response_bytes: stored.default(ROUTE_DEFAULTS.response_bytes),
  store_headers: headerNames.optional(),
  drop_headers: headerNames.optional(),
});

/** Of a file whose surroundings these are: it may name other files, which are read with it. */
export function schemaFor(surroundings: Surroundings) {
  return fields({
    public_url: field(origin).optional(),
    trusted_proxies: list("blocks of addresses", LIST_MAX, field(cidr)),
    allowed_origins: list("origins", LIST_MAX, field(pageOrigin)),
    log: field(logUrl).default(LOG_DEFAULT),
    kafka: kafkaSchema(surroundings).prefault({}),
    keys: field(filePath).optional(),
    node: field(nodeName).optional(),
    nodes: field(integer(...BOUNDS.nodes)).default(1),
    listen: listenIn(surroundings.directory).prefault({}),
    drain: drain.prefault({}),
    services: named("services", fields({ url: field(origin) })),
    queues: queuesSchema,
    routes: list("routes", LIST_MAX, route),
  });
}

/** What a file says, once its shape is right. */
export type File = z.output<ReturnType<typeof schemaFor>>;
export type FileQueue = File["queues"][string];
export type FileRoute = File["routes"][number];
