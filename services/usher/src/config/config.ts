// What a node is told, once it is checked: plain data in the units that the rest of the program works with. Where it
// comes from (a file, flags) is no longer visible here.

import type { Settings } from "@usher/queue";
import type { RouteMatch } from "./route-match.ts";

export interface Config {
  /** The origin under which clients reach the gateway; absent: what each request says of itself. */
  readonly public_url: string | undefined;
  /** The proxies, as CIDR blocks, whose forwarding headers are believed. None by default. */
  readonly trusted_proxies: readonly string[];
  /** Origins whose pages may call from a browser, cookies and all; none by default: then services speak for themselves. */
  readonly allowed_origins: readonly string[];
  readonly log: LogPlace;
  /** The file of keys, absolute; by default `usher.keys.json` beside the data. */
  readonly keys: string;
  /** This node's name in the log; absent: what the log's kind makes of it. */
  readonly node: string | undefined;
  /** Among how many nodes a limit is divided; 1. The embedded log has no more. */
  readonly nodes: number;
  readonly listen: Listen;
  readonly drain: Drain;
  readonly services: readonly Service[];
  readonly queues: readonly QueueConfig[];
  /** In the order of the file: the first that fits a request counts. */
  readonly routes: readonly Route[];
}

/** Where the log is. */
export type LogPlace = EmbeddedLog | KafkaLog;

/** In a directory (absolute) of this machine, for one node. */
export interface EmbeddedLog {
  readonly kind: "sqlite";
  readonly directory: string;
}

/** On a Kafka cluster, for any number of nodes. */
export interface KafkaLog {
  readonly kind: "kafka";
  /** Where the cluster is first asked: "host:port" each, an IPv6 address in brackets. */
  readonly brokers: readonly string[];
  /** What the topics' names begin with; `usher`: usher.queues, usher.payloads. */
  readonly topics: string;
  /** How many brokers keep a copy of the topics that Usher makes; 3. */
  readonly replication: number;
  /** Absent: connections are not encrypted. */
  readonly tls: Tls | undefined;
  /** Absent: brokers are not told who this is. */
  readonly sasl: Sasl | undefined;
  readonly spool: Spool;
}

/** All of them PEM, as text. */
export interface Tls {
  /** Whom to believe that they are the brokers; absent: whom Node believes. */
  readonly ca: string | undefined;
  /** This node's own, where the brokers ask for one. */
  readonly own: { readonly cert: string; readonly key: string } | undefined;
}

export interface Sasl {
  readonly mechanism: "plain" | "scram-sha-256" | "scram-sha-512";
  readonly username: string;
  readonly password: string;
}

/** What this node keeps of the stored requests and responses. */
export interface Spool {
  /** Absolute; ./data. */
  readonly directory: string;
  /** The largest that it may grow to; 1 GiB. */
  readonly bytes_max: number;
}

/** How a node that is told to stop goes. */
export interface Drain {
  /** How long it goes on as before but for its readiness, in ms, so that whoever balances loads sends nobody more; 0. */
  readonly delay_ms: number;
  /** How long what is under way may take then, in ms; 10 s, which is less than the 30 s after which most supervisors
   * kill. */
  readonly grace_ms: number;
}

export interface Listen {
  /** A name or an address; localhost. */
  readonly host: string;
  /** The gateway's port; 8080. 0: any free one. */
  readonly port: number;
  /** What the gateway's port speaks TLS with: absolute paths of PEM files, read again when they change. Absent: it
   * speaks none. */
  readonly tls: { readonly cert: string; readonly key: string } | undefined;
  /** The native gRPC listener's port; 50051. 0: any free one. */
  readonly grpc_port: number;
  /** The port of the metrics, on 127.0.0.1. 0: any free one. Absent: 8081, if that is free. */
  readonly metrics_port: number | "off" | undefined;
}

/** Something that requests are sent on to. */
export interface Service {
  readonly name: string;
  /** An origin: scheme, host, port. */
  readonly url: string;
}

export interface QueueConfig {
  readonly name: string;
  readonly settings: Settings;
  /** What the file does not speak of and operators change by the hour: where the queue exists, it keeps them. */
  readonly unsaid: readonly ("mode" | "notice")[];
}

export interface Route extends RouteMatch {
  /** The name of a service. */
  readonly service: string;
  /** The name of a queue; absent: straight through, always. */
  readonly queue: string | undefined;
  /** A newcomer whose wait is likely to be longer is refused at once; absent: nobody is. */
  readonly max_wait_ms: number | undefined;
  /** How long a request that has to wait is held open before it is answered 202; 2 s. */
  readonly hold_ms: number;
  /** How long the service may take until its answer begins, or to its end where the request was stored; 30 s. */
  readonly timeout_ms: number;
  /** How long the service may be silent within an answer that is streamed; absent: a minute, or an hour in a stream of
   * events or where the connection goes on in another protocol. */
  readonly silence_ms: number | undefined;
  /** Whether a connection may go on in another protocol, such as WebSocket's; false. */
  readonly upgrade: boolean;
  /** Whether a request may be sent again though it may have been carried out; false. Safe methods always may. */
  readonly idempotent: boolean;
  /** The largest body that is stored, in bytes; 1 MiB. */
  readonly body_bytes: number;
  /** The largest response that is stored, in bytes; 1 MiB. */
  readonly response_bytes: number;
  /** Which headers of a request are stored with its ticket, by name in small letters; absent: all. */
  readonly stored_headers:
    | { readonly only: readonly string[] }
    | { readonly without: readonly string[] }
    | undefined;
}
