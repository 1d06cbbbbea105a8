/** Waits until the check stops throwing, and returns what it returned; gives up with its last error. For what comes
 * about by itself; how long that takes is not asserted, so the bound is wide. */
export async function eventually<T>(check: () => T | Promise<T>, within_ms = 20_000): Promise<T> {
  const deadline_ms = Date.now() + within_ms;
  for (;;) {
    try {
      return await check();
    } catch (error) {
      if (Date.now() > deadline_ms) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}
