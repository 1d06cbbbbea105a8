import { expect, test } from "vitest";
import { Neighbours } from "../src/neighbours.ts";

/** A log in which nodes write, ten seconds of its time apart. */
class Log {
  now_ms = 0;
  readonly #heard = new Map<string, number>();
  readonly sessions = {
    entries: () => [...this.#heard.values()].map((heard_ms, at) => ({ id: BigInt(at), heard_ms })),
    node: (id: bigint) => [...this.#heard.keys()][Number(id)],
  };

  pass(...writing: string[]): this {
    this.now_ms += 10_000;
    for (const session of writing) this.#heard.set(session, this.now_ms);
    return this;
  }
}

/** What is said, look by look; `nodes`: 2. */
function said(looks: readonly (readonly string[])[], log = new Log()): (string | undefined)[] {
  const neighbours = new Neighbours("a", 2, log);
  return looks.map((writing) => neighbours.look(log.pass(...writing)));
}

test("as many nodes as there should be are not spoken of, whatever their sessions are called", () => {
  const looks = Array<string[]>(5).fill(["a", "a/time", "b", "b/time"]);
  expect(said(looks)).toEqual(Array(5).fill(undefined));
});

test("one more is said once, when it stays, with who they are and what to set", () => {
  const [first, second, third, ...later] = said(Array<string[]>(6).fill(["a", "b", "c"]));
  expect([first, second]).toEqual([undefined, undefined]);
  expect(third).toMatch(
    /^3 nodes write in this log \(a, b, c\), and nodes is 2 here: .* set nodes: 3 on all/,
  );
  expect(later).toEqual([undefined, undefined, undefined]);
});

test("yet another is news", () => {
  const looks = [...Array<string[]>(3).fill(["b", "c"]), ["b", "c", "d"]];
  expect(said(looks).at(-1)).toMatch(/^4 nodes/);
});

test("a node that is replaced by another is not counted with it", () => {
  const looks = [["b"], ["b", "c"], ["c"], ["c"], ["c", "d"], ["d"], ["d"]];
  expect(said(looks)).toEqual(Array(7).fill(undefined));
});

test("who wrote before this node came, and no more since, is not there", () => {
  const log = new Log().pass("x", "y", "z");
  expect(said(Array<string[]>(4).fill(["a", "b"]), log)).toEqual(Array(4).fill(undefined));
});
