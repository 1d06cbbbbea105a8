// A request's body on its way from the client to the service.

import { Readable } from "node:stream";
import { type EdgeRequest, type EdgeResponse, hasArrived, letBodyCome } from "../listener/exchange.ts";

/** Reads from the client as the service takes it, and no faster. A stream of its own, because undici destroys what it
 * could not send, and the client's stream is still needed: for the answer that says so. */
export class Upload extends Readable {
  readonly #req: EdgeRequest;
  readonly #res: EdgeResponse;
  #reading = false;
  #wanted = false;

  /** `upload_bytes`: held here at most, beyond one chunk. */
  constructor(req: EdgeRequest, res: EdgeResponse, upload_bytes: number) {
    super({ highWaterMark: upload_bytes });
    // undici listens only while it sends, and an error that nobody hears would end the process.
    this.on("error", () => undefined);
    this.#req = req;
    this.#res = res;
  }

  /** Whether the service would take more, and the client does not send it. */
  get isStarved(): boolean {
    return this.#wanted;
  }

  override _read(): void {
    this.#wanted = true;
    if (this.#reading) {
      this.#req.resume();
      return;
    }
    this.#reading = true;
    this.#req
      .on("data", this.#onData)
      .on("end", this.#onEnd)
      .on("close", this.#onGone)
      .on("error", this.#onGone);
    letBodyCome(this.#req, this.#res);
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#leave();
    this.#wanted = false;
    this.#req.pause();
    callback(error);
  }

  #leave(): void {
    this.#req
      .off("data", this.#onData)
      .off("end", this.#onEnd)
      .off("close", this.#onGone)
      .off("error", this.#onGone);
  }

  readonly #onData = (chunk: Buffer): void => {
    this.#wanted = false;
    if (!this.push(chunk)) this.#req.pause();
  };

  readonly #onEnd = (): void => {
    this.#wanted = false;
    if (!hasArrived(this.#req)) {
      this.#onGone();
      return;
    }
    // A request that is over closes at once, and of this body the service may still have to take something.
    this.#leave();
    this.push(null);
  };

  readonly #onGone = (): void => {
    this.destroy(new Error("the client went away while it sent its request"));
  };
}
