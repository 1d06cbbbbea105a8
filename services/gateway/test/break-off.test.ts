// Answers that are broken off by whoever had them passed on: nothing of them stays, at either end.

import { once } from "node:events";
import { connect } from "node:http2";
import { expect, onTestFinished, test } from "vitest";
import { Raw } from "./support/raw.ts";
import { type Forwarding, openForwarding, openHttp, openRaw, until } from "./support/service.ts";

interface Broken {
  readonly edge: Forwarding;
  /** Breaks off all that has begun. */
  breakOff(): void;
  /** Resolves when so many answers have begun. */
  begun(count: number): Promise<void>;
}

async function open(port: number): Promise<Broken> {
  const begun: (() => void)[] = [];
  const edge = await openForwarding(port, { onAnswer: (breakOff) => void begun.push(breakOff) });
  return {
    edge,
    breakOff: () => {
      for (const each of begun) each();
    },
    begun: (count) => until(() => begun.length === count),
  };
}

/** A service that begins to answer before the request has come, and reads no more of it. */
function openHasty(): Promise<number> {
  return openHttp((_req, res) => void res.writeHead(200).write("begun"));
}

async function nothingStays({ edge }: Broken): Promise<void> {
  await until(() => edge.requests === 0 && edge.service.inFlight === 0);
}

test("over HTTP/1.1, while its request is still being sent", async () => {
  const broken = await open(await openHasty());
  const raw = await Raw.open(broken.edge.port);
  raw.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nhalf");
  await broken.begun(1);
  broken.breakOff();
  await raw.closed();
  await nothingStays(broken);
  expect(broken.edge.outcomes).toEqual([{ kind: "broken_off", status: 200 }]);
});

test("over HTTP/2, while its request is still being sent, and the connection goes on", async () => {
  const broken = await open(await openHasty());
  const session = connect(`http://127.0.0.1:${broken.edge.port}`);
  onTestFinished(() => session.destroy());
  const post = () => {
    const stream = session.request({ ":method": "POST", ":path": "/" });
    stream.on("error", () => undefined);
    stream.write(Buffer.alloc(1_000_000, "u"));
    return stream;
  };
  const stream = post();
  await broken.begun(1);
  const closed = new Promise((resolve) => stream.once("close", resolve));
  broken.breakOff();
  await closed;
  await nothingStays(broken);
  expect(broken.edge.outcomes).toEqual([{ kind: "broken_off", status: 200 }]);
  await once(post(), "response");
});

test("behind another answer on its connection, which is not harmed by it", async () => {
  const broken = await open(
    await openHttp((req, res) => {
      if (req.url === "/endless") res.writeHead(200).write("begun");
      else setTimeout(() => res.end("whole"), 100);
    }),
  );
  const raw = await Raw.open(broken.edge.port);
  raw.send("GET / HTTP/1.1\r\nHost: a\r\n\r\nGET /endless HTTP/1.1\r\nHost: a\r\n\r\n");
  await broken.begun(1);
  broken.breakOff();
  expect((await raw.answer()).body).toBe("whole");
  expect(await raw.closed()).toBe("");
  await nothingStays(broken);
});

test("a connection of another protocol is closed at both ends", async () => {
  const service = await openRaw((socket, received) => {
    if (received.endsWith("\r\n\r\n"))
      socket.write("HTTP/1.1 101 Switching Protocols\r\nUpgrade: bytes\r\nConnection: upgrade\r\n\r\n");
  });
  const broken = await open(service.port);
  const raw = await Raw.open(broken.edge.port);
  raw.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: bytes\r\n\r\n");
  await raw.until(/^HTTP\/1\.1 101 /);
  broken.breakOff();
  await raw.closed();
  await nothingStays(broken);
  await until(() => service.connections[0]?.closed === true);
  expect(broken.edge.outcomes).toEqual([{ kind: "answered", status: 101 }]);
});
