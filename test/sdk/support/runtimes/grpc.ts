// gRPC by grpc-js: the client of backends, and a service behind the guard.

import { Client, credentials, Metadata, Server, ServerCredentials, type ServiceError } from "@grpc/grpc-js";
import { createClient } from "@usher/sdk";
import { grpcInterceptor } from "@usher/sdk/guard/grpc";
import type { Given } from "./given.ts";
import { guardOf } from "./guarded.ts";
import { failureOf, stoppedAt, told } from "./waiting.ts";

export async function* ofGrpc({ native, gateway, tls, apiKey }: Given): AsyncGenerator<string> {
  for (const way of [{ baseUrl: native }, { baseUrl: gateway }, { baseUrl: tls.url, ca: tls.ca }]) {
    using usher = createClient({ ...way, apiKey });
    const ticket = await usher.issue("concert", { subject: "ann", attributes: { seat: "1" } });
    for await (const status of ticket.watch()) {
      yield told(status);
      if (status.state === "waiting") yield `admitted ${(await usher.admit("concert")).admitted}`;
      else if (status.state === "admitted") break;
    }
    const stop = new AbortController();
    await usher.work(
      "concert",
      async ({ subject }) => {
        if (subject === "ann") stop.abort();
      },
      { signal: stop.signal },
    );
    yield told(await ticket.refresh());
    yield `no such queue: ${await failureOf(usher.issue("none"))}`;
    const { kind, mode, waiting } = await usher.queue("concert");
    yield `${kind} ${mode} ${waiting}`;
    const given_up = new AbortController();
    const long = await usher.issue("concert");
    yield `stopped: ${await failureOf(stoppedAt(long.watch({ signal: given_up.signal }), given_up))}`;
    yield told(await long.leave());
  }
  using nobody = createClient({ baseUrl: "http://127.0.0.1:9", attempts: 1, timeout: 2_000 });
  yield `nobody there: ${await failureOf(nobody.queue("concert"))}`;
  using distrustful = createClient({ baseUrl: tls.url, apiKey, attempts: 1 });
  yield `not trusted: ${await failureOf(distrustful.queue("concert"))}`;
}

/** A service whose messages are texts. */
export async function* ofGrpcGuard(given: Given): AsyncGenerator<string> {
  const guard = guardOf(given);
  const path = "/shop.Shop/Buy";
  const asIs = (bytes: Buffer): Buffer => bytes;
  const server = new Server({ interceptors: [grpcInterceptor(guard)] });
  server.addService(
    {
      buy: {
        path,
        requestStream: false,
        responseStream: false,
        requestSerialize: asIs,
        requestDeserialize: asIs,
        responseSerialize: Buffer.from,
        responseDeserialize: String,
      },
    },
    {
      buy: ({ metadata }: { metadata: Metadata }, done: (error: null, text: string) => void) =>
        done(null, `let in: ${guard.passOf(metadata).queue}`),
    },
  );
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) =>
      error ? reject(error) : resolve(port),
    );
  });
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
  try {
    for (const [what, pass] of Object.entries(given.passes)) {
      const metadata = new Metadata();
      if (pass !== "") metadata.set("usher-pass", pass);
      const said = await new Promise<string>((resolve) => {
        const done = (error: ServiceError | null, text?: string) =>
          resolve(error ? `${error.code} ${error.details}` : (text ?? ""));
        client.makeUnaryRequest(
          path,
          asIs,
          String,
          Buffer.alloc(0),
          metadata,
          { deadline: Date.now() + 5000 },
          done,
        );
      });
      yield `${what}: ${said}`;
    }
  } finally {
    client.close();
    server.forceShutdown();
  }
}
