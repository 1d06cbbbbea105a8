// Where in a request the pass is.

/** A header's value by its name in small letters; several, where it came several times and they were not joined. */
export type HeaderOf = (name: string) => string | readonly string[] | null | undefined;

/** The texts that came as passes, in the order in which they are tried: what a program says on purpose goes first. */
export function presented(header: HeaderOf, queues: readonly string[], cookie: boolean): readonly string[] {
  const cookies = cookie ? queues.flatMap((queue) => cookiesOf(one(header("cookie"), "; "), queue)) : [];
  return [one(header("usher-pass"), ", "), ...cookies].filter((text) => text !== "");
}

/** A header that came several times, as one; of passes, that makes none. */
export function one(value: ReturnType<HeaderOf>, separator: string): string {
  return typeof value === "string" ? value : (value ?? []).join(separator);
}

/** Over https the gateway sets a name that no neighbouring site can set; over plain http one without that prefix. One that
 * came with values that differ counts for nothing, since somebody else may have set one of them. */
function cookiesOf(cookies: string, queue: string): readonly string[] {
  const pairs = cookies.split(";").map((pair) => pair.trim());
  return [`__Host-usher-pass-${queue}=`, `usher-pass-${queue}=`].flatMap((start) => {
    const values = new Set(
      pairs.filter((pair) => pair.startsWith(start)).map((pair) => pair.slice(start.length)),
    );
    return values.size === 1 ? [...values] : [];
  });
}
