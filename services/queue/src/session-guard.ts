// SessionGuard: looks after connections. One that does not begin to speak HTTP/2 is dropped, one that floods with pings
// or settings is told "too_many_pings" (gRPC's own words, which make its clients slow down) and dropped.

import { constants, type Http2Server, type ServerHttp2Session } from "node:http2";
import { Allowance } from "./allowance.ts";
import type { Limits } from "./limits.ts";

export class SessionGuard {
  readonly #limits: Limits;
  readonly #sessions = new WeakMap<ServerHttp2Session, Allowance>();

  constructor(limits: Limits) {
    this.#limits = limits;
  }

  watch(http2: Http2Server): void {
    http2.on("session", (session) => this.#opened(session));
  }

  /** A call earns its connection a ping: clients that measure the line send one with the data that they get. */
  called(session: ServerHttp2Session | undefined): void {
    if (session !== undefined) {
      this.#sessions.get(session)?.earn(1);
    }
  }

  #opened(session: ServerHttp2Session): void {
    const handshake = setTimeout(() => session.destroy(), this.#limits.handshake_ms).unref();
    const allowance = new Allowance(this.#limits.control_burst, this.#limits.control_rate);
    this.#sessions.set(session, allowance);
    const count = () => {
      if (!allowance.take() && !session.destroyed) {
        session.goaway(constants.NGHTTP2_ENHANCE_YOUR_CALM, undefined, Buffer.from("too_many_pings"));
        session.destroy();
      }
    };
    session.on("ping", count);
    session.on("remoteSettings", () => {
      clearTimeout(handshake);
      count();
    });
    session.once("close", () => clearTimeout(handshake));
  }
}
