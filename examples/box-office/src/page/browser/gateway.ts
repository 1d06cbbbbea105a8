// Where Usher is, and the client for it.

import { createClient } from "@usher/sdk/web";
import { find } from "./elements.ts";

const configured = find<HTMLMetaElement>("meta[name=usher-gateway]").content;

/** The gateway's origin: another than this page's, unless the page itself came through it. */
export const gateway = new URL(configured).port === location.port ? location.origin : configured;

/** For looking, again and again: a look that fails is not repeated, for the next comes soon. */
export const usher = createClient({ baseUrl: gateway, attempts: 1, timeout: 3_000 });
