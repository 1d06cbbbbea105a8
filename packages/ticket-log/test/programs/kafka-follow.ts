// Follows a Kafka log from its beginning and says each entry, or why it failed. Its argument: the log's options as JSON.

import { openKafkaLog } from "../../src/index.ts";

const options = JSON.parse(process.argv[2] ?? "{}");
const log = await openKafkaLog({ ...options, node: "follower", onFault: () => {} });
log.follow(0, {
  entries(batch) {
    for (const { value } of batch) console.log(Buffer.from(value).toString());
  },
  failed: ({ code, message }) => console.log(`failed: ${code}: ${message}`),
});
