// Loaded before a program that the demo starts and that knows nothing of it: ends the program when the demo's process
// is gone, even if that was killed.

if (process.channel !== undefined) {
  process.on("disconnect", () => process.kill(process.pid, "SIGKILL"));
  // It must not keep a program alive that has nothing left to do.
  process.channel.unref();
}
