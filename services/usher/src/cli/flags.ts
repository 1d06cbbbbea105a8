// Readers of values, put to flags: a mistake in one is a mistake in how the program was called.

import { InvalidArgumentError } from "commander";
import { Mistake } from "../config/mistake.ts";
import type { Reader } from "../config/readers.ts";

/** A flag of text. */
export function flag<T>(read: Reader<T>): (text: string) => T {
  return (text) => {
    try {
      return read(text);
    } catch (error) {
      if (error instanceof Mistake) throw new InvalidArgumentError(error.message);
      throw error;
    }
  };
}

/** A flag that is a number (or a word in its place), as the file would have it without quotes. */
export function numberFlag<T>(read: Reader<T>): (text: string) => T {
  return flag((text) => read(/^[+-]?\d{1,15}(\.\d{1,15})?$/.test(String(text)) ? Number(text) : text));
}
