// Keys that nobody guesses.

/** 128 bits, in base64url's letters: 22 of them, the fewest that a key without an API key may have. */
const KEY_BYTES = 16;

export function randomKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(KEY_BYTES));
  return btoa(String.fromCharCode(...bytes))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replaceAll("=", "");
}
