// kafkajs sets a timer of less than zero milliseconds after each answer (its RequestQueue counts down from the year
// 1970), and Node warns about the first. That is nothing for the user to read: exactly that warning, from exactly there,
// is kept back.

const WARNING = "TimeoutNegativeWarning";

let kept = false;

/** For the rest of the process: the timers go on as long. */
export function keepBackWarnings(): void {
  if (kept) return;
  kept = true;
  const emit = process.emitWarning.bind(process);
  process.emitWarning = (warning: string | Error, ...rest: unknown[]) => {
    const type = typeof rest[0] === "string" ? rest[0] : undefined;
    if (type === WARNING && new Error().stack?.includes("/kafkajs/")) return;
    Reflect.apply(emit, process, [warning, ...rest]);
  };
}
