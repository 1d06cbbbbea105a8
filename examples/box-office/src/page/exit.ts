// The way out of backstage: the shop tells Usher, as any backend does that knows when somebody has finished, and the room
// is free for whoever is next.

import { createClient, type ErrorCode, UsherError } from "@usher/sdk";

/** Of a visit that is over already: its session has ended, or the demo has begun anew. */
const OVER: ReadonlySet<ErrorCode> = new Set(["not_admitted", "ticket_not_found", "queue_reset"]);

export interface Leaving {
  /** 200: they are out, 400: that is no pass, 502: Usher could not be told. */
  readonly status: 200 | 400 | 502;
  readonly error?: string;
}

export class Exit {
  readonly #usher: ReturnType<typeof createClient>;

  /** `natives`: where the gRPC of Usher's nodes is, as `http://host:port`. */
  constructor(natives: readonly string[]) {
    this.#usher = createClient({ baseUrl: natives });
  }

  /** Ends the visit that a pass is for. The pass is read and not checked: in the demo everybody may do what backends may. */
  async leave(pass: string): Promise<Leaving> {
    const ticket = ticketOf(pass);
    if (ticket === undefined) return { status: 400, error: "that is no pass" };
    try {
      await this.#usher.complete(ticket);
      return { status: 200 };
    } catch (thrown) {
      const error = UsherError.from(thrown);
      return OVER.has(error.code) ? { status: 200 } : { status: 502, error: error.message };
    }
  }

  close(): void {
    this.#usher.close();
  }
}

/** The ticket's id, which a pass has for its subject. */
function ticketOf(pass: string): string | undefined {
  try {
    const { sub } = JSON.parse(Buffer.from(pass.split(".")[1] ?? "", "base64url").toString("utf8"));
    return typeof sub === "string" ? sub : undefined;
  } catch {
    return undefined;
  }
}
