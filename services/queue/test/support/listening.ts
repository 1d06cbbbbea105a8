// A listener on a free port with a line behind it, and a client of connect's for the calls that are well-behaved.

import { type Client, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { QueueService } from "@usher/protocol/queue";
import { expect, onTestFinished } from "vitest";
import { type Limits, type NativeListener, startNativeListener } from "../../src/index.ts";
import { Line } from "./line.ts";

export interface Listening {
  readonly line: Line;
  readonly listener: NativeListener;
  readonly url: string;
  readonly client: Client<typeof QueueService>;
  /** What `onError` was told. */
  readonly errors: { readonly error: unknown; readonly method: string }[];
  /** Proves that the listener lives: a fresh connection gets the next ticket. */
  issueAfresh(): Promise<void>;
}

/** Closes with the test. */
export async function startListening(limits: Partial<Limits> = {}): Promise<Listening> {
  const line = new Line();
  const errors: { error: unknown; method: string }[] = [];
  const listener = await startNativeListener({
    host: "127.0.0.1",
    port: 0,
    services: Line.OFFERED,
    starting: () => "for a test",
    limits,
    onError: (error, method) => errors.push({ error, method }),
  });
  listener.serve(line.services());
  listener.setServing(true);
  onTestFinished(() => listener.close({ grace_ms: 0 }));
  const url = `http://127.0.0.1:${listener.port}`;
  const newClient = () => createClient(QueueService, createGrpcTransport({ baseUrl: url }));
  return {
    line,
    listener,
    url,
    client: newClient(),
    errors,
    issueAfresh: async () => {
      const before = line.issued;
      const answer = await newClient().issue({ queue: "fresh" });
      expect(answer.status?.ticket?.number).toBe(before + 1);
    },
  };
}

/** Resolves when it holds; the test's own time-out is the bound. */
export async function until(holds: () => boolean): Promise<void> {
  while (!holds()) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** What a call was refused with; fails if it was not. */
export async function refusalOf(call: Promise<unknown>): Promise<unknown> {
  return call.then(
    () => expect.fail("the call was answered"),
    (error: unknown) => error,
  );
}
