// Loaded before a program that a test starts: ends it when the test's process is gone, even if that was killed.

if (process.channel !== undefined) {
  process.on("disconnect", () => process.kill(process.pid, "SIGKILL"));
  // It must not keep a program alive that has nothing left to do.
  process.channel.unref();
}
