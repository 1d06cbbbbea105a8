// Reads the programs' options.

/** An option that is no number of its range. The message is all that a user needs to see. */
export class OptionError extends Error {
  override readonly name = "OptionError";
}

/** The number that `--name text` stands for; throws an OptionError that says what would do. */
export function numberOption(
  name: string,
  text: string,
  low: number,
  high: number,
  kind: "whole" | "fraction" = "whole",
): number {
  const value = Number(text);
  const fits = text.trim() !== "" && value >= low && value <= high;
  if (!fits || (kind === "whole" && !Number.isInteger(value))) {
    const what = kind === "whole" ? "a whole number" : "a number";
    throw new OptionError(`--${name} must be ${what} from ${low} to ${high}, not ${JSON.stringify(text)}`);
  }
  return value;
}

/** The origin that `--name text` stands for; throws an OptionError that says what would do. */
export function originOption(name: string, text: string): string {
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol))
    throw new OptionError(
      `--${name} must be an address such as http://localhost:8080, not ${JSON.stringify(text)}`,
    );
  return url.origin;
}

/** Runs a program's main function; bad options end it with one line and code 2, as does what else fails, with 1. */
export async function runProgram(name: string, main: () => Promise<number>): Promise<void> {
  try {
    process.exitCode = await main();
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? "";
    const usage = error instanceof OptionError || code.startsWith("ERR_PARSE_ARGS");
    const port = (error as { port?: number }).port;
    const text = code === "EADDRINUSE" ? `port ${port} is in use` : String(error);
    process.stderr.write(`${name}: ${usage ? (error as Error).message : text}\n`);
    process.exitCode = usage ? 2 : 1;
  }
}
