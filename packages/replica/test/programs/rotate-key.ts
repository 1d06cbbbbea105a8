// Adds a tag key to a keys' file, so many times.

import { changeKeys } from "../../src/keys/change.ts";
import { rotate } from "../../src/keys/rotation.ts";

const [file = "", times = "1"] = process.argv.slice(2);
for (let n = 0; n < Number(times); n++)
  await changeKeys(file, (keys) => rotate(keys, "tag", { use_from_ms: 0 }));
