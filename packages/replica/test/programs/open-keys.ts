// Opens a keys' file, making it where there is none, and prints one of its secrets.

import { openKeys } from "../../src/keys/file.ts";

const { hash } = await openKeys({ file: process.argv[2]!, create: true });
process.stdout.write(hash.toString("hex"));
