// Reading a request's body whole, for a request that has to be stored: bounded in bytes and time, each and together.

import { type EdgeRequest, type EdgeResponse, hasArrived, hasBody, letBodyCome } from "./exchange.ts";
import { answerProblem, type Problem, problem } from "./problem.ts";

export const BODY_LIMITS = {
  /** Bytes of one body; 1 MiB. */
  body_bytes: 1_024 * 1_024,
  /** Bytes of all bodies that are being read, together; 256 MiB. */
  total_bytes: 256 * 1_024 * 1_024,
  /** How long, in milliseconds, a body may take; 30,000, as a whole request of HTTP/1.1. */
  whole_ms: 30_000,
  /** How long, in milliseconds, a client may send none of it; 10,000. */
  silent_ms: 10_000,
} as const;

export type BodyLimits = { readonly [name in keyof typeof BODY_LIMITS]: number };

/** `refused`: the client has been answered, with this problem. `client_gone`: there is nobody to answer. */
export type BodyResult =
  | { readonly kind: "whole"; readonly bytes: Buffer }
  | { readonly kind: "refused"; readonly problem: Problem }
  | { readonly kind: "client_gone" };

/** Reads bodies, and counts what they take together. One for the gateway. */
export class BodyReader {
  readonly #limits: BodyLimits;
  #held = 0;

  constructor(limits: Partial<BodyLimits> = {}) {
    this.#limits = { ...BODY_LIMITS, ...limits };
  }

  /** Bytes of memory that bodies take which are being read. */
  get held_bytes(): number {
    return this.#held;
  }

  /** Reads the body, or answers why not. `body_bytes`: a lower limit than the reader's, a route's own. */
  async read(req: EdgeRequest, res: EdgeResponse, body_bytes?: number): Promise<BodyResult> {
    if (!hasBody(req)) return { kind: "whole", bytes: Buffer.alloc(0) };
    const most = Math.min(body_bytes ?? this.#limits.body_bytes, this.#limits.body_bytes);
    const declared = req.headers["content-length"];
    const expected = declared === undefined ? most : Number(declared);
    const result = expected > most ? tooLarge(most) : await this.#gather(req, res, most, expected);
    if (result.kind === "refused") answerProblem(req, res, result.problem);
    return result;
  }

  #gather(req: EdgeRequest, res: EdgeResponse, most: number, expected: number): Promise<BodyResult> {
    const { whole_ms, silent_ms } = this.#limits;
    return new Promise((resolve) => {
      let buffer = Buffer.alloc(0);
      let length = 0;
      const whole = setTimeout(() => end(tooSlow(whole_ms)), whole_ms);
      const silent = setTimeout(() => end(tooSlow(silent_ms)), silent_ms);

      const onData = (chunk: Buffer): void => {
        silent.refresh();
        if (length + chunk.length > most) {
          end(tooLarge(most));
          return;
        }
        // Copied into one buffer, which grows with what has come and not with what is promised: a body that comes a
        // byte at a time would else take a hundred times its size, and one that never comes its whole.
        if (length + chunk.length > buffer.length) {
          const size = Math.min(expected, Math.max(2 * buffer.length, length + chunk.length));
          if (!this.#hold(size - buffer.length)) {
            end(overloaded());
            return;
          }
          const larger = Buffer.allocUnsafe(size);
          buffer.copy(larger, 0, 0, length);
          buffer = larger;
        }
        chunk.copy(buffer, length);
        length += chunk.length;
      };
      const onEnd = (): void =>
        end(hasArrived(req) ? { kind: "whole", bytes: buffer.subarray(0, length) } : { kind: "client_gone" });
      const onGone = (): void => end({ kind: "client_gone" });
      const end = (result: BodyResult): void => {
        clearTimeout(whole);
        clearTimeout(silent);
        req.off("data", onData).off("end", onEnd).off("close", onGone).off("error", onGone);
        res.off("close", onGone);
        this.#held -= buffer.length;
        resolve(result);
      };

      req.on("data", onData).on("end", onEnd).on("close", onGone).on("error", onGone);
      res.on("close", onGone);
      letBodyCome(req, res);
    });
  }

  #hold(bytes: number): boolean {
    if (this.#held + bytes > this.#limits.total_bytes) return false;
    this.#held += bytes;
    return true;
  }
}

function tooLarge(most: number): BodyResult {
  return refused(
    problem("body_too_large", `a request that may have to wait can have a body of at most ${most} bytes`),
  );
}

function tooSlow(ms: number): BodyResult {
  return refused(problem("request_too_slow", `no more of the body came within ${ms} ms`, 1));
}

function overloaded(): BodyResult {
  return refused(problem("overloaded", "as many bodies are being received as there is memory for; retry", 1));
}

function refused(problem: Problem): BodyResult {
  return { kind: "refused", problem };
}
