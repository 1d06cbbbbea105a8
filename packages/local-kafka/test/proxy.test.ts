import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { PassThrough } from "node:stream";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { TcpProxy } from "../src/index.ts";

/** Stands for a broker: keeps what it gets, and answers with the same bytes. */
let server: Server;
let got: string;
let proxy: TcpProxy;
let clients: Socket[];

beforeEach(async () => {
  got = "";
  clients = [];
  server = createServer((socket) => {
    socket.on("error", () => {});
    socket.on("data", (bytes) => {
      got += bytes;
      server.emit("got");
      socket.write(bytes);
    });
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  proxy = await TcpProxy.to((server.address() as AddressInfo).port);
});

afterEach(async () => {
  for (const client of clients) client.destroy();
  await proxy.close();
  server.close();
});

async function open(): Promise<Socket> {
  const client = connect(proxy.port, "127.0.0.1");
  clients.push(client);
  await once(client, "connect");
  return client;
}

async function echoed(client: Socket, text: string): Promise<void> {
  client.write(text);
  let back = "";
  while (back.length < text.length) back += (await once(client, "data"))[0];
  expect(back).toBe(text);
}

describe("a proxy", () => {
  test("passes on both ways, in whatever pieces", async () => {
    const client = await open();
    for (const length of [1, 1_000, 1_000_000]) await echoed(client, "x".repeat(length));
  });

  test("passes on that one side has said all", async () => {
    const client = await open();
    client.end("last");
    expect(String(await once(client, "data"))).toBe("last");
    await once(client, "close");
  });

  test("cuts what is open, and lets others in", async () => {
    const client = await open();
    await echoed(client, "before");
    proxy.cut();
    expect((await once(client, "error"))[0]).toMatchObject({ code: "ECONNRESET" });
    await echoed(await open(), "after");
  });

  test("resets a connection where nobody listens behind it", async () => {
    server.close();
    const client = await open();
    expect((await once(client, "error"))[0]).toMatchObject({ code: "ECONNRESET" });
  });
});

describe("a proxy that blocks", () => {
  test("requests, lets none through on connections old and new, and all of them later", async () => {
    const old = await open();
    await echoed(old, "before");
    proxy.block("requests");
    const young = await open();
    old.write("held");
    young.write("held");
    // A connection that is not blocked goes to the server and back in the meantime.
    await using other = await TcpProxy.to((server.address() as AddressInfo).port);
    const passing = connect(other.port, "127.0.0.1");
    clients.push(passing);
    await echoed(passing, "passing");
    expect(got).toBe("beforepassing");
    const backs = [once(old, "data"), once(young, "data")];
    proxy.unblock();
    expect((await Promise.all(backs)).map(String)).toEqual(["held", "held"]);
  });

  test("answers, lets requests through and their answers come later", async () => {
    const client = await open();
    await echoed(client, "before");
    proxy.block("answers");
    let back = "";
    client.on("data", (bytes) => {
      back += bytes;
    });
    client.write("asked");
    await once(server, "got");
    expect(got).toBe("beforeasked");
    await echoed(await openPast(), "passing");
    expect(back).toBe("");
    proxy.unblock();
    await once(client, "data");
    expect(back).toBe("asked");
  });

  async function openPast(): Promise<Socket> {
    const client = connect((server.address() as AddressInfo).port, "127.0.0.1");
    clients.push(client);
    await once(client, "connect");
    return client;
  }
});

describe("a proxy that drops the next answer", () => {
  test("cuts when it comes, after the request has arrived, and no other", async () => {
    const client = await open();
    await echoed(client, "before");
    const dropped = proxy.dropNextAnswer();
    client.write("asked");
    await Promise.all([dropped, once(client, "error")]);
    expect(got).toBe("beforeasked");
    await echoed(await open(), "after");
  });

  test("of a kind, lets those to other requests pass, and to one that was under way", async () => {
    await using asked = await openCorrelating();
    const { client, proxy } = asked;
    client.write(frame(PRODUCE, 1));
    const under = await asked.request();
    const dropped = proxy.dropNextAnswer("produce");
    client.write(frame(METADATA, 2));
    client.write(frame(PRODUCE, 3));
    const [metadata, produce] = [await asked.request(), await asked.request()];
    for (const request of [under, metadata]) request.answer();
    const passed = Buffer.alloc(2 * ANSWER_BYTES);
    for (let at = 0; at < passed.length; ) at += ((await once(client, "data"))[0] as Buffer).copy(passed, at);
    expect([passed.readInt32BE(4), passed.readInt32BE(ANSWER_BYTES + 4)]).toEqual([1, 2]);
    const lost = once(client, "error");
    produce.answer();
    await Promise.all([dropped, lost]);
  });
});

const PRODUCE = 0;
const METADATA = 3;
const REQUEST_BYTES = 20;
const ANSWER_BYTES = 12;

/** A frame of Kafka's: in a request, its key and its correlation id follow the length. */
function frame(key: number, correlation: number): Buffer {
  const bytes = Buffer.alloc(REQUEST_BYTES);
  bytes.writeInt32BE(REQUEST_BYTES - 4, 0);
  bytes.writeInt16BE(key, 4);
  bytes.writeInt32BE(correlation, 8);
  return bytes;
}

interface Asked {
  answer(): void;
}

/** A client behind a proxy before a server that answers each request when told to, with its correlation id. */
async function openCorrelating() {
  const requests = new PassThrough({ objectMode: true });
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.on("readable", () => {
      for (let bytes = socket.read(REQUEST_BYTES); bytes !== null; bytes = socket.read(REQUEST_BYTES)) {
        const answer = Buffer.alloc(ANSWER_BYTES);
        answer.writeInt32BE(ANSWER_BYTES - 4, 0);
        bytes.copy(answer, 4, 8, 12);
        requests.write({ answer: () => socket.write(answer) });
      }
    });
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const proxy = await TcpProxy.to((server.address() as AddressInfo).port);
  const client = connect(proxy.port, "127.0.0.1");
  clients.push(client);
  const arriving = requests[Symbol.asyncIterator]();
  return {
    client,
    proxy,
    request: async (): Promise<Asked> => (await arriving.next()).value,
    async [Symbol.asyncDispose]() {
      await proxy.close();
      server.close();
    },
  };
}
