// The whole state of a fold, short enough to be sent: what two replicas that have read the same records must agree on.
// Goes through all of it at once, since it changes with the next record; 2.6 µs a ticket.

import { createHash, type Hash } from "node:crypto";
import { encodeParts, type Fold, type Part, type Queue } from "@usher/queue";

/** How many parts of one kind one digest stands for; so a difference is found within a thousand tickets. */
const PIECE_PARTS = 1_024;

/** How much of a digest of a piece is kept, in hexadecimal digits: 64 bits, since nobody forges one. */
const PIECE_DIGITS = 16;

/** Parts of one kind, side by side. */
export interface Piece {
  /** Empty: of the log's own. */
  readonly queue: string;
  readonly kind: string;
  /** The first number that may be in it, of tickets; else the place of its first part among those of its kind, from 0. */
  readonly from: number;
  readonly count: number;
  readonly digest: string;
  /** What it says, where it is of a kind that there is one of; else empty. */
  readonly fields: Readonly<Record<string, string>>;
}

/** How many of a queue's tickets, of those that are not forgotten, are where. */
export type Stage = "waiting" | "admitted" | "completed" | "left" | "expired" | "failed" | "unknown";

export interface QueueDigest {
  readonly queue: Queue;
  readonly digest: string;
  readonly stages: Readonly<Record<Stage, number>>;
}

export interface StateDigest {
  /** Over everything. */
  readonly digest: string;
  readonly queues: readonly QueueDigest[];
  readonly pieces: readonly Piece[];
}

/** `only`: of the log's own and this queue, instead of all. */
export function stateDigest(fold: Fold, only?: string): StateDigest {
  const whole = createHash("sha256");
  const pieces = new Pieces("", fold.describe(), whole).all;
  const queues = [...fold.queues()]
    .filter(({ name }) => only === undefined || name === only)
    .map((queue) => {
      const hash = createHash("sha256");
      const described = new Pieces(queue.name, queue.describe(), hash);
      pieces.push(...described.all);
      const digest = hash.digest("hex");
      whole.update(digest);
      return { queue, digest, stages: described.stages };
    });
  return { digest: whole.digest("hex"), queues, pieces };
}

/** The parts of the log's own, or of one queue, in pieces. */
class Pieces {
  readonly all: Piece[] = [];
  readonly stages: Record<Stage, number> = {
    ...{ waiting: 0, admitted: 0, completed: 0, left: 0, expired: 0, failed: 0, unknown: 0 },
  };
  readonly #queue: string;
  readonly #whole: Hash;
  /** Of the piece that is being gathered. */
  #parts: Part[] = [];
  #kind = "";
  #from = 0;
  /** Parts of this kind so far. */
  #place = 0;

  constructor(queue: string, parts: Iterable<Part>, whole: Hash) {
    this.#queue = queue;
    this.#whole = whole;
    for (const part of parts) this.#take(part);
    this.#end();
  }

  #take(part: Part): void {
    if (part.kind !== this.#kind) this.#place = 0;
    const from = pieceOf(part, this.#place++);
    if (part.kind !== this.#kind || from !== this.#from) this.#end();
    [this.#kind, this.#from] = [part.kind, from];
    this.#parts.push(part);
    if (part.kind === "ticket") this.stages[stageOf(part)]++;
  }

  #end(): void {
    const parts = this.#parts;
    if (parts.length === 0) return;
    const hash = createHash("sha256");
    encodeParts(parts, (bytes) => hash.update(bytes));
    const digest = hash.digest("hex").slice(0, PIECE_DIGITS);
    this.#whole.update(`${this.#kind}:${this.#from}:${parts.length}:${digest};`);
    const place = { queue: this.#queue, kind: this.#kind, from: this.#from };
    this.all.push({ ...place, count: parts.length, digest, fields: fieldsOf(parts) });
    this.#parts = [];
  }
}

/** Where the piece begins that a part is in. */
function pieceOf({ kind, id }: Part, place: number): number {
  if (kind !== "ticket") return place - (place % PIECE_PARTS);
  return Number(id) - ((Number(id) - 1) % PIECE_PARTS);
}

function stageOf({ fields }: Part): Stage {
  const stage = fields.request === "failed" || fields.request === "unknown" ? fields.request : fields.state;
  return stage as Stage;
}

function fieldsOf([first]: readonly Part[]): Record<string, string> {
  if (first === undefined || first.id !== "") return {};
  return Object.fromEntries(
    Object.entries(first.fields).map(([name, value]) => [name, String(value ?? "none")]),
  );
}

/** Where two states are not the same, in words, a line a piece; what `one` has first, then the other. */
export function stateDifferences(one: readonly Piece[], other: readonly Piece[]): string[] {
  const nameOf = ({ queue, kind, from }: Piece) => `${queue}/${kind}/${from}`;
  const others = new Map(other.map((piece) => [nameOf(piece), piece]));
  const lines: string[] = [];
  for (const piece of one) {
    const twin = others.get(nameOf(piece));
    others.delete(nameOf(piece));
    if (twin === undefined) lines.push(`${placeText(piece)}: there / not there`);
    else if (twin.digest !== piece.digest) lines.push(`${placeText(piece)}: ${differing(piece, twin)}`);
  }
  return [...lines, ...Array.from(others.values(), (piece) => `${placeText(piece)}: not there / there`)];
}

function placeText({ queue, kind, from, count }: Piece): string {
  const where = queue === "" ? "" : `queue ${queue}: `;
  if (kind === "ticket") return `${where}tickets ${from} to ${from + PIECE_PARTS - 1}`;
  return count === 1 && from === 0
    ? `${where}${kind}`
    : `${where}${kind} ${from} to ${from + PIECE_PARTS - 1}`;
}

function differing(one: Piece, other: Piece): string {
  const fields = Object.keys({ ...one.fields, ...other.fields })
    .filter((name) => one.fields[name] !== other.fields[name])
    .map((name) => `${name} ${one.fields[name] ?? "none"} / ${other.fields[name] ?? "none"}`);
  if (fields.length > 0) return fields.join(", ");
  return one.count === other.count ? "not the same" : `${one.count} / ${other.count} of them`;
}
