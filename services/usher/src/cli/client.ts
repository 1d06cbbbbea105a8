// Speaking to a node that runs: the commands that look at it and change it.

import { type Client, Code, ConnectError, createClient, type Interceptor } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { AdminService } from "@usher/protocol/admin";
import { QueueService } from "@usher/protocol/queue";
import { API_KEY_HEADER, KeysError, openKeys } from "@usher/replica";
import type { Command } from "commander";
import { origin } from "../config/network.ts";
import { Failure } from "../failure.ts";
import { flag } from "./flags.ts";

/** Where a node of this machine is, if nobody says otherwise. */
export const GATEWAY_URL = "http://localhost:8080";

/** How long a call may take, in milliseconds. */
const CALL_MS = 30_000;

export type AdminClient = Client<typeof AdminService>;

export interface KeyFlags {
  readonly key?: string;
  readonly keys?: string;
}

export interface AdminFlags extends KeyFlags {
  readonly url: string;
}

/** The flags of commands that call one node with an API key. */
export function withAdminFlags(command: Command): Command {
  return withKeyFlags(command.option("--url <url>", "the gateway", flag(origin), GATEWAY_URL));
}

export function withKeyFlags(command: Command): Command {
  return command
    .option("--key <key>", "an API key; by default USHER_API_KEY, and none for a node with --demo")
    .option("--keys <file>", "the keys' file to take the API key from, such as data/usher.keys.json");
}

/** Calls end after half a minute, and so do streams, unless they are opened with a time-out of 0. */
export async function adminClient(flags: AdminFlags): Promise<AdminClient> {
  const key = await apiKey(flags);
  const withKey: Interceptor = (next) => (request) => {
    if (key !== undefined) request.header.set(API_KEY_HEADER, key);
    return next(request);
  };
  const transport = createConnectTransport({
    baseUrl: flags.url,
    httpVersion: "1.1",
    useBinaryFormat: true,
    defaultTimeoutMs: CALL_MS,
    interceptors: [withKey],
  });
  return createClient(AdminService, transport);
}

/** Calls a node as an operator; what fails is told as a `Failure`. */
export async function callAdmin<T>(flags: AdminFlags, use: (client: AdminClient) => Promise<T>): Promise<T> {
  const client = await adminClient(flags);
  try {
    return await use(client);
  } catch (error) {
    throw error instanceof Failure ? error : callFailure(error, flags.url);
  }
}

export function queueClient(url: string): Client<typeof QueueService> {
  return createClient(QueueService, createConnectTransport({ baseUrl: url, httpVersion: "1.1" }));
}

async function apiKey({ key, keys }: AdminFlags): Promise<string | undefined> {
  if (key !== undefined) return key;
  if (keys === undefined) return process.env.USHER_API_KEY || undefined;
  try {
    return (await openKeys({ file: keys, create: false })).api_keys[0]?.key;
  } catch (error) {
    throw error instanceof KeysError ? new Failure(error.message) : error;
  }
}

/** What a failed call means to the person at the terminal. */
export function callFailure(caught: unknown, url: string): Failure {
  const error = ConnectError.from(caught);
  const cause = errorCode(error.cause);
  if (cause !== undefined)
    return new Failure(`cannot reach ${url} (${cause}): is usher serve running there? Another place: --url`);
  return new Failure(`${url}: ${failureText(error)}`);
}

/** The same, where it is clear which node was called. */
export function failureText(caught: unknown): string {
  const error = ConnectError.from(caught);
  const cause = errorCode(error.cause);
  if (cause !== undefined) return `it cannot be reached (${cause})`;
  const hint =
    error.code === Code.Unauthenticated && /API key/.test(error.rawMessage)
      ? " Give one with --key, --keys or USHER_API_KEY."
      : "";
  return `${error.rawMessage || Code[error.code]}${hint}`;
}

/** The system's code for why there is no connection; absent where there was one. */
function errorCode(cause: unknown): string | undefined {
  if (cause instanceof AggregateError) return errorCode(cause.errors[0]);
  if (!(cause instanceof Error) || !("code" in cause) || typeof cause.code !== "string") return undefined;
  return /^(E[A-Z]+|CERT_\w+|UND_ERR_\w+)$/.test(cause.code) ? cause.code : undefined;
}
