// A TCP proxy in front of a broker, to make the network fail on command: connections cut, bytes held up, an answer
// lost of which the broker did the work.

import { once } from "node:events";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { Link, type RequestKind, requestKey, type Way } from "./link.ts";
import { HOST } from "./ports.ts";

/** No test needs as many connections to one broker. */
const CONNECTIONS_MAX = 1_024;

export class TcpProxy {
  readonly #server: Server;
  readonly #links = new Set<Link>();
  readonly #blocked = new Set<Way>();
  #drop: { readonly key: number | undefined; readonly done: PromiseWithResolvers<void> } | undefined;

  private constructor(port: number) {
    // Half-open: who has said all may still be told.
    this.#server = createServer({ allowHalfOpen: true }, (client) => this.#accept(client, port));
    this.#server.maxConnections = CONNECTIONS_MAX;
  }

  /** To this port on this machine. */
  static async to(port: number): Promise<TcpProxy> {
    const proxy = new TcpProxy(port);
    await once(proxy.#server.listen(0, HOST), "listening");
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** As clients need it: "127.0.0.1:port". */
  get address(): string {
    return `${HOST}:${this.port}`;
  }

  /** Resets every connection, on both sides. New ones are let through. */
  cut(): void {
    for (const link of this.#links) link.cut();
  }

  /** Holds up what is sent one way, or both ways, on connections old and new, as a network does that loses every
   * packet: nobody is told, and after `unblock` it arrives late. */
  block(way: Way | "both" = "both"): void {
    if (way !== "answers") this.#blocked.add("requests");
    if (way !== "requests") this.#blocked.add("answers");
    this.#hold();
  }

  unblock(): void {
    this.#blocked.clear();
    this.#hold();
  }

  /** The next answer is lost, and its connection with it: cut when the answer's first bytes come from the broker, and
   * what came along with them is lost, too. With `request`: the answer to the next request of that kind, which is told
   * apart only where nothing is encrypted. Resolves when it has happened. */
  dropNextAnswer(request?: RequestKind): Promise<void> {
    const key = request === undefined ? undefined : requestKey(request);
    this.#drop = { key, done: Promise.withResolvers() };
    for (const link of this.#links) link.forget();
    return this.#drop.done.promise;
  }

  async close(): Promise<void> {
    const closed = once(this.#server.close(), "close");
    this.cut();
    await closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #hold(): void {
    for (const link of this.#links) link.hold(this.#blocked);
  }

  #accept(client: Socket, port: number): void {
    const link = new Link(client, port, {
      awaited: () => this.#drop?.key,
      answered: (asked) => {
        if (this.#drop === undefined || (this.#drop.key !== undefined && !asked)) return false;
        this.#drop.done.resolve();
        this.#drop = undefined;
        return true;
      },
      closed: () => this.#links.delete(link),
    });
    this.#links.add(link);
    link.hold(this.#blocked);
  }
}
