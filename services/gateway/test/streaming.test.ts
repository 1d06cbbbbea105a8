// Bodies far larger than what may be held pass through, in either direction, however slow the other side: what is
// held between the two is bounded, by count of bytes and by resident memory.

import { once } from "node:events";
import { request } from "node:http";
import { connect } from "node:http2";
import type { Readable, Writable } from "node:stream";
import { expect, onTestFinished, test } from "vitest";
import { openForwarding, openHttp } from "./support/service.ts";

const MB = 1_024 * 1_024;
const CHUNK = Buffer.alloc(64 * 1_024, "u");

/** What may be under way between the two ends: the kernel's buffers of two loopback connections, up to about 6 MB
 * each way, and a little of our own. */
const UNDER_WAY = 32 * MB;
/** What resident memory may grow by, with the garbage of what passed. */
const RESIDENT = 120 * MB;

/** Bytes written and not read yet, at their most, and memory at its most. */
class Gauge {
  readonly #size: number;
  #written = 0;
  #read = 0;
  #before = process.memoryUsage.rss();
  most_under_way = 0;
  most_resident = 0;

  constructor(size: number) {
    this.#size = size;
  }

  async write(sink: Writable): Promise<void> {
    sink.on("error", () => undefined);
    while (this.#written < this.#size) {
      const more = sink.write(CHUNK);
      this.#written += CHUNK.length;
      this.#note();
      if (!more) await once(sink, "drain");
    }
    sink.end();
  }

  /** Reads all, pausing every megabyte. */
  async read(source: Readable): Promise<number> {
    let untilPause = MB;
    for await (const chunk of source) {
      this.#read += chunk.length;
      untilPause -= chunk.length;
      this.#note();
      if (untilPause > 0) continue;
      untilPause = MB;
      // Long enough for the other side to fill whatever there is to fill.
      await new Promise((resolve) => setTimeout(resolve, this.#read < 20 * MB ? 20 : 0));
    }
    return this.#read;
  }

  #note(): void {
    this.most_under_way = Math.max(this.most_under_way, this.#written - this.#read);
    this.most_resident = Math.max(this.most_resident, process.memoryUsage.rss() - this.#before);
  }

  check(): void {
    expect(this.#read).toBe(this.#size);
    expect(this.most_under_way).toBeLessThan(UNDER_WAY);
    expect(this.most_resident).toBeLessThan(RESIDENT);
  }
}

test("200 MB to a slow service pass without being gathered", async () => {
  const gauge = new Gauge(200 * MB);
  const port = await openHttp(async (req, res) => void res.end(`${await gauge.read(req)}`));
  const edge = await openForwarding(port, { timeout_ms: 60_000 });
  const req = request({ port: edge.port, host: "127.0.0.1", method: "POST" });
  const answered = once(req, "response");
  await gauge.write(req);
  const [res] = await answered;
  expect((await res.setEncoding("utf8").toArray()).join("")).toBe(`${200 * MB}`);
  gauge.check();
  expect(edge.outcomes).toEqual([{ kind: "answered", status: 200 }]);
});

test("200 MB to a slow client pass without being gathered", async () => {
  const gauge = new Gauge(200 * MB);
  const port = await openHttp((_req, res) => void gauge.write(res));
  const edge = await openForwarding(port, { timeout_ms: 60_000 });
  const req = request({ port: edge.port, host: "127.0.0.1" }).end();
  const [res] = await once(req, "response");
  await gauge.read(res);
  gauge.check();
  expect(edge.outcomes).toEqual([{ kind: "answered", status: 200 }]);
});

test("80 MB each way over HTTP/2 pass without being gathered", async () => {
  const up = new Gauge(80 * MB);
  const down = new Gauge(80 * MB);
  const port = await openHttp((req, res) => {
    if (req.method === "POST") void up.read(req).then((length) => res.end(`${length}`));
    else void down.write(res);
  });
  const edge = await openForwarding(port, { timeout_ms: 60_000 });
  const session = connect(`http://127.0.0.1:${edge.port}`);
  onTestFinished(() => session.destroy());

  const post = session.request({ ":path": "/", ":method": "POST" });
  await up.write(post);
  expect((await post.setEncoding("utf8").toArray()).join("")).toBe(`${80 * MB}`);
  up.check();

  const get = session.request({ ":path": "/" });
  await down.read(get);
  down.check();
});
