// Chance that repeats itself: numbers and hashes from a seed.

/** Numbers from 0 to 1, the same for the same seed (mulberry32, by Tommy Ettinger). */
export function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let word = Math.imul(state ^ (state >>> 15), 1 | state);
    word = (word + Math.imul(word ^ (word >>> 7), 61 | word)) ^ word;
    return ((word ^ (word >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** 16 bytes for each number, as if they were hashes (the finalizer of MurmurHash3, by Austin Appleby); in one buffer,
 * as a decoder of records would hand them out. */
export function hashesOf(numbers: readonly number[]): Uint8Array[] {
  const words = new Uint32Array(numbers.length * 4);
  for (let at = 0; at < words.length; at++) {
    let word = Math.imul(numbers[at >> 2]! + 1, 0x9e3779b1) + Math.imul((at & 3) + 1, 0x7feb352d);
    word = Math.imul(word ^ (word >>> 16), 0x85ebca6b);
    word = Math.imul(word ^ (word >>> 13), 0xc2b2ae35);
    words[at] = word ^ (word >>> 16);
  }
  return numbers.map((_, at) => new Uint8Array(words.buffer, at * 16, 16));
}
