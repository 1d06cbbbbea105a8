// What `fetch` takes beside an address, and what an abort does to it: the same under `createFetch`.

import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type Service, startService } from "../../../test/support/service.ts";
import { createFetch } from "../src/index.ts";

let service: Service;
let asked: number;

beforeAll(async () => {
  service = await startService();
});

beforeEach(() => {
  asked = service.seen.length;
});

afterAll(() => service?.stop());

/** A body that says something, or nothing, and never ends; and why it was given up. */
function endless(words: readonly string[]) {
  const canceled = Promise.withResolvers<unknown>();
  const stream = new ReadableStream<Uint8Array>({
    start(controller) {
      for (const word of words) controller.enqueue(new TextEncoder().encode(word));
    },
    cancel: (reason) => canceled.resolve(reason),
  });
  return { stream, canceled: canceled.promise };
}

describe.each([
  ["fetch", fetch],
  ["createFetch", createFetch()],
] as const)("%s", (_, how) => {
  it("ends with the signal's reason when that was aborted before", async () => {
    const signal = AbortSignal.abort(new Error("before"));
    const init = { method: "POST", body: "x", signal };
    await expect(how(`${service.url}/`, init)).rejects.toThrow("before");
    expect(service.seen).toHaveLength(asked);
  });

  it("sends a stream that ends, with a signal and without", async () => {
    for (const signal of [undefined, new AbortController().signal]) {
      const { body } = new Response("two seats");
      const init = { method: "POST", body, duplex: "half", ...(signal && { signal }) } as const;
      expect(await (await how(`${service.url}/`, init)).json()).toMatchObject({ body: "two seats" });
    }
  });

  it("heeds a Request's own signal, unless it is given none or another", async () => {
    const given = new AbortController();
    const request = () => new Request(`${service.url}/`, { signal: given.signal });
    const [own, none, other] = [request(), request(), request()];
    given.abort(new Error("enough"));
    await expect(how(own)).rejects.toThrow("enough");
    expect((await how(none, { signal: null })).status).toBe(200);
    expect((await how(other, { signal: new AbortController().signal })).status).toBe(200);
  });

  it("takes null for nothing", async () => {
    const answer: Promise<Response> = Reflect.apply(how, undefined, [`${service.url}/`, null]);
    expect((await answer).status).toBe(200);
  });
});

it.each([[["a", "b"]], [[]]])(
  "a body that goes on and on is given up when its request is: %j",
  async (words) => {
    const given = new AbortController();
    const { stream, canceled } = endless(words);
    const init = { method: "POST", body: stream, duplex: "half", signal: given.signal } as const;
    const answer = createFetch()(`${service.url}/`, init);
    const reason = new Error("enough");
    setImmediate(() => given.abort(reason));
    await expect(answer).rejects.toBe(reason);
    expect(await canceled).toBe(reason);
    expect(service.seen).toHaveLength(asked);
  },
);
