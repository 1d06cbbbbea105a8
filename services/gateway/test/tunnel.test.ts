// The two ends of a connection that goes on in another protocol: which bytes still come when one of them ends.

import { once } from "node:events";
import { connect } from "node:net";
import { Duplex } from "node:stream";
import { expect, onTestFinished, test } from "vitest";
import { join } from "../src/forward/tunnel.ts";
import { openRaw, until } from "./support/service.ts";

/** A client that takes nothing until it is told to. */
class SlowClient extends Duplex {
  taken = "";
  #take: (() => void) | undefined;
  #isSlow = true;

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    const take = (): void => {
      this.taken += chunk.toString("latin1");
      done();
    };
    if (this.#isSlow) this.#take = take;
    else take();
  }

  override _final(done: () => void): void {
    this.push(null);
    done();
  }

  takeAll(): void {
    this.#isSlow = false;
    this.#take?.();
  }
}

async function open(farewell: "end" | "break") {
  const service = await openRaw(() => undefined);
  const socket = connect(service.port, "127.0.0.1");
  await once(socket, "connect");
  await until(() => service.connections.length === 1);
  const client = new SlowClient();
  onTestFinished(() => void client.destroy());
  const joined = join({ protocol: "bytes", socket: client, rest: Buffer.alloc(0) }, socket, 60_000);
  const arrived = once(socket, "data");
  service.connections[0]?.write("last words");
  await arrived;
  if (farewell === "end") service.connections[0]?.end();
  else service.connections[0]?.resetAndDestroy();
  await until(() => socket.closed);
  return { client, joined };
}

test("what a service said before it ended in order reaches a client that takes it later", async () => {
  const { client, joined } = await open("end");
  expect(client.destroyed).toBe(false);
  client.takeAll();
  await joined;
  expect([client.taken, client.writableFinished]).toEqual(["last words", true]);
});

test("a client whose service broke is cut at once, for it must not take that for the end", async () => {
  const { client, joined } = await open("break");
  await joined;
  expect([client.writableFinished, client.destroyed]).toEqual([false, true]);
});
