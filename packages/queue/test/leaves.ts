// Every value that an object holds, however deep: for changing one at a time.

/** A value that can be changed, and put back. */
export interface Leaf {
  /** Where it is: the class that holds it and the way from there, without numbers of places. */
  readonly name: string;
  /** Makes it another, each in its own way. */
  readonly changes: readonly (() => void)[];
  readonly putBack: () => void;
}

/** How many places of an array are looked at: the first tickets are there. */
const PLACES = 64;

export function* leavesOf(
  holder: object,
  seen = new Set<object>(),
  name = nameOf(holder, ""),
): Iterable<Leaf> {
  if (seen.has(holder)) return;
  seen.add(holder);
  if (holder instanceof Map) yield* leavesOfMap(holder, seen, name);
  else {
    const isArray = Array.isArray(holder) || ArrayBuffer.isView(holder);
    for (const key of Object.keys(holder).slice(0, isArray ? PLACES : undefined)) {
      const own = isArray ? `${name}[]` : `${name}.${key.replace(/^_/, "")}`;
      const value: unknown = Reflect.get(holder, key);
      yield* leavesOfValue(value, seen, own, (other) => Reflect.set(holder, key, other));
    }
  }
}

/** Of a Map, that an entry is there, under which key and in which order, are values, too. */
function* leavesOfMap(map: Map<unknown, unknown>, seen: Set<object>, name: string): Iterable<Leaf> {
  const entries = [...map];
  const become = (others: readonly [unknown, unknown][]): void => {
    map.clear();
    for (const [key, value] of others) map.set(key, value);
  };
  const putBack = () => become(entries);
  const [first, ...rest] = entries;
  if (first !== undefined) {
    yield { name: `${name} entries`, changes: [() => become(rest)], putBack };
    const renamed = othersThan(first[0]).map((key) => () => become([[key, first[1]], ...rest]));
    yield { name: `${name} keys`, changes: renamed, putBack };
  }
  if (rest.length > 0) {
    yield { name: `${name} order`, changes: [() => become(entries.toReversed())], putBack };
  }
  for (const [key, value] of entries) {
    yield* leavesOfValue(value, seen, `${name}[]`, (other) => map.set(key, other));
  }
}

function* leavesOfValue(
  value: unknown,
  seen: Set<object>,
  name: string,
  set: (value: unknown) => void,
): Iterable<Leaf> {
  if (typeof value === "object" && value !== null) yield* leavesOf(value, seen, nameOf(value, name));
  else if (typeof value !== "function") {
    const changes = othersThan(value).map((other) => () => set(other));
    yield { name, changes, putBack: () => set(value) };
  }
}

function othersThan(value: unknown): unknown[] {
  if (typeof value === "number") return [value + 1, value + 1_000];
  if (typeof value === "bigint") return [value + 1n];
  if (typeof value === "boolean") return [!value];
  if (typeof value === "string") return [`${value}?`];
  return [1];
}

/** Classes are named by themselves. */
function nameOf(value: object, way: string): string {
  const { name } = value.constructor;
  const isPlain = ["Object", "Array", "Map"].includes(name) || ArrayBuffer.isView(value);
  return isPlain ? way : name;
}
