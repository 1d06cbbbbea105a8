// What the program is told by the test that starts it.

export interface Given {
  /** `http://host:port` of the gateway, and of the native listener. */
  readonly gateway: string;
  readonly native: string;
  /** The native listener behind TLS, and the certificate to trust. */
  readonly tls: { readonly url: string; readonly ca: string };
  readonly apiKey: string;
  /** Passes, by what the guard of `concert` and `shop` says of them. */
  readonly passes: Readonly<Record<string, string>>;
}

/** Admits the first of a queue, as a backend does that has nothing but `fetch`. */
export async function admit({ gateway, apiKey }: Given, queue: string): Promise<void> {
  const answer = await fetch(`${gateway}/usher.queue.v1.QueueService/Admit`, {
    method: "POST",
    headers: { "content-type": "application/json", "usher-api-key": apiKey },
    body: JSON.stringify({ queue, count: 1, requestId: crypto.randomUUID() }),
  });
  if (!answer.ok) throw new Error(`Admit: ${answer.status} ${await answer.text()}`);
  await answer.text();
}
