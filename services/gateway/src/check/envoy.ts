// Envoy's ext_authz over gRPC: `envoy.service.auth.v3.Authorization` (envoyproxy.io, "External Authorization").

import { create, type MessageInitShape } from "@bufbuild/protobuf";
import {
  Code,
  type ContextValues,
  createContextKey,
  createContextValues,
  type ServiceImpl,
} from "@connectrpc/connect";
import {
  type AttributeContext_HttpRequest,
  type Authorization,
  CheckResponseSchema,
  type HeaderValueOptionSchema,
} from "@usher/protocol/ext-authz";
import { withoutOwn } from "../listener/cookies.ts";
import type { EdgeRequest, Lines } from "../listener/exchange.ts";
import { render } from "../listener/problem.ts";
import type { Answer } from "../waiting/pass/answer.ts";
import { askingFrom } from "../waiting/pass/asking.ts";
import type { Verdict } from "../waiting/pass/queue.ts";
import { checkAsker } from "./asker.ts";
import { type Check, denial, type Inquiry, passLines } from "./check.ts";

type Option = MessageInitShape<typeof HeaderValueOptionSchema>;
type Reply = MessageInitShape<typeof CheckResponseSchema>;

/** By which a proxy's configuration names the queue of a route. */
const QUEUE = "queue";

/** What only Usher tells services: whoever lets somebody through without it takes away what came. */
const USHERS_OWN = ["usher-pass", "usher-ticket"] as const;

const CALL = createContextKey<EdgeRequest | undefined>(undefined, { description: "the request of a call" });

/** What a question has to be called with. */
export function callOf(req: EdgeRequest): ContextValues {
  return createContextValues().set(CALL, req);
}

export function createAuthorization(
  check: Check,
  where: Parameters<typeof denial>[0],
): ServiceImpl<typeof Authorization> {
  return {
    async check({ attributes }, { values }) {
      const refused = checkAsker(values.get(CALL));
      // In the contract's own words, and no error, which Envoy may be told to take for leave (failure_mode_allow).
      if (refused !== undefined) {
        const { headers, body } = render(refused);
        return reply(denied({ status: refused.status, lines: headers, body }));
      }
      const http = attributes?.request?.http;
      const inquiry = http && inquiryOf(http, attributes?.contextExtensions[QUEUE], where.public_url);
      if (inquiry === undefined) return reply(denied({ status: 400, lines: [], body: NO_HTTP }));
      const checked = await check.decide(inquiry);
      const answer = denial(where, inquiry, checked);
      return reply(answer === undefined ? allowed(inquiry, checked.verdict) : denied(answer));
    },
  };
}

const NO_HTTP = Buffer.from("no request of HTTP came with the question\n");

/** What the client speaks is what `public_url` says where there is one, and else Envoy's word for it: it, and nobody behind
 * it, calls here; and to lie would gain cookies of another name alone. */
function inquiryOf(
  http: AttributeContext_HttpRequest,
  queue: string | undefined,
  public_url: string | undefined,
): Inquiry | undefined {
  const { method, path, scheme } = http;
  if (path === "") return undefined;
  const headers = new Map(Object.entries(http.headers).map(([name, value]) => [name.toLowerCase(), value]));
  const secure = /^https(?::|$)/i.test(public_url ?? headers.get("x-forwarded-proto") ?? scheme);
  const lines: Lines = [...headers].flat();
  return { asking: askingFrom(method, (name) => headers.get(name), secure), uri: path, lines, queue };
}

function reply(init: Reply): Reply {
  return create(CheckResponseSchema, init);
}

function denied({ status, lines, body }: Answer): Reply {
  return {
    status: { code: Code.PermissionDenied },
    httpResponse: {
      case: "deniedResponse",
      value: { status: { code: status }, headers: optionsOf(lines), body: body.toString() },
    },
  };
}

function allowed({ asking }: Inquiry, verdict: Verdict): Reply {
  const removed: string[] = verdict.kind === "admitted" ? [] : [...USHERS_OWN];
  const { cookie } = asking.headers;
  const left = cookie === undefined ? "" : withoutOwn(cookie);
  if (cookie !== undefined && left === "") removed.push("cookie");
  const cookies = "setCookies" in verdict ? verdict.setCookies : [];
  return {
    status: { code: 0 },
    httpResponse: {
      case: "okResponse",
      value: {
        headers: optionsOf([...passLines(verdict), ...(left === "" ? [] : ["cookie", left])]),
        headersToRemove: removed,
        // Beside those of the service.
        responseHeadersToAdd: cookies.map((value) => ({
          header: { key: "set-cookie", value },
          append: true,
        })),
      },
    },
  };
}

/** In place of what is there. In a refusal, Envoy drops what is to be appended, and sets each of several of one name; and it
 * tells the length itself. */
function optionsOf(lines: Lines): Option[] {
  const options: Option[] = [];
  for (let at = 0; at + 1 < lines.length; at += 2) {
    const [key = "", value = ""] = [lines[at], lines[at + 1]];
    if (key !== "content-length") options.push({ header: { key, value }, append: false });
  }
  return options;
}
