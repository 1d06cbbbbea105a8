// Follows a Kafka log from its beginning and says each entry, or why it failed. Its arguments: the log's options as
// JSON, and, if given, the entry after which it stops itself (SIGSTOP) before it takes any other.

import { openKafkaLog } from "../../src/index.ts";

const [, , options = "{}", last] = process.argv;
const log = await openKafkaLog({ ...JSON.parse(options), node: "follower", onFault: () => {} });
log.follow(0, {
  entries(batch) {
    for (const { value } of batch) {
      const text = Buffer.from(value).toString();
      console.log(text);
      if (text === last) process.kill(process.pid, "SIGSTOP");
    }
  },
  failed: ({ code, message }) => console.log(`failed: ${code}: ${message}`),
});
