// Which build this is: all workspaces have the same version.

import manifest from "../../package.json" with { type: "json" };

export const VERSION: string = manifest.version;
