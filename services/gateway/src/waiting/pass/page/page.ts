// The waiting page: one document, with nothing from anywhere else. It works without scripts, by loading itself anew,
// and is live with them.
//
//   view.ts     what is shown of a ticket        live.html   the script
//   words.ts    in English and Korean            style.css   the style
//   html.ts     escapes

import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import type { Place, Replica } from "@usher/replica";
import { Html, html, json } from "./html.ts";
import { viewOf } from "./view.ts";
import { type Language, type Refusal, WORDS } from "./words.ts";

/** Read once, at the start of the program. */
const [STYLE, LIVE] = ["style.css", "live.html"].map((file) =>
  readFileSync(new URL(file, import.meta.url), "utf8"),
) as [string, string];

/** What stands around a ticket on its page. */
export interface Surroundings {
  readonly language: Language;
  /** The path of the ticket itself. */
  readonly ticket: string;
  /** Where to go when the turn has come: `reload`, the address at which the page is shown; a path; `stay`, where nobody
   * said; or `back`, to a form that was sent and has to be sent again. */
  readonly next: "reload" | "back" | "stay" | { readonly path: string };
  /** The path at which somebody can take a new place. */
  readonly origin: string;
}

export interface Page {
  readonly body: Buffer;
  /** All that a browser has to be told with it. */
  readonly headers: readonly (readonly [name: string, value: string])[];
}

/** The page of a ticket. */
export function ticketPage(replica: Replica, place: Place, around: Surroundings): Page {
  const { language, ticket, next, origin } = around;
  const words = WORDS[language];
  const view = viewOf(replica, place, words, language);
  const { texts } = view;
  const to = typeof next === "object" ? next.path : "";
  const back = next === "back";
  const goesOn = next === "reload" || typeof next === "object";
  const leave = `${ticket}/leave?${new URLSearchParams({ to: origin })}`;
  const seconds = Math.ceil(view.retry_ms / 1000);
  const asks = view.state === "waiting" && !back;
  const row = (name: string, label: string, value: string) =>
    html`<div data-row><dt>${label}</dt><dd data-text="${name}">${value}</dd></div>`;
  const note = (name: string, value: string) =>
    html`<p class="note" data-text="${name}"${new Html(value === "" ? " hidden" : "")}>${value}</p>`;

  const body = html`${back ? html`<p class="note">${words.notSent}</p>` : ""}
${note("notice", texts.notice)}
<section data-when="waiting">
<p class="label">${words.place}</p>
<p class="place" data-text="position">${texts.position}</p>
<div class="bar" id="bar" role="progressbar" aria-label="${words.progress}" aria-valuemin="0" aria-valuemax="100" hidden><i></i></div>
<dl>
${row("ahead", words.ahead, texts.ahead)}
${row("estimate", words.wait, texts.estimate)}
${row("number", words.number, texts.number)}
</dl>
${note("paused", texts.paused)}
${note("stale", texts.stale)}
${note("offline", "")}
${goesOn ? html`<p class="faint">${words.carriesOn}</p>` : ""}
<noscript><p class="faint">${back ? html`<a href="${ticket}">${words.lookAgain}</a>` : words.looksAgain(seconds)}</p></noscript>
<form method="post" action="${leave}">
<button>${words.leave}</button> <span class="faint">${words.leaving}</span>
</form>
</section>
<section data-when="turn">
<p>${goesOn ? words.turnNow : words.sendAgain}</p>
${goesOn ? html`<noscript><p><a class="button" href="${to === "" ? origin : to}">${words.goOn}</a></p></noscript>` : ""}
<div id="stuck" hidden><p class="note">${words.stuck}</p><p><button>${words.goOn}</button></p></div>
</section>
<section data-when="over">
<p><a class="button" href="${origin}">${words.anew}</a></p>
</section>`;

  const facts = {
    ticket: `${ticket}?${new URLSearchParams({ page: language })}`,
    next: goesOn ? to : null,
    offline: words.offline,
    gone: { title: words.over, texts: { heading: words.over } },
    view,
  };
  return document(language, {
    state: view.state,
    title: view.title,
    heading: texts.heading,
    body,
    // Within `noscript`, for a header could not be called off by the script, which knows better when to look.
    refresh: asks
      ? html`<noscript><meta http-equiv="refresh" content="${`${seconds}`}"></noscript>`
      : new Html(""),
    live: (nonce) =>
      html`<script type="application/json" id="usher">${json(facts)}</script>\n${script(nonce)}`,
  });
}

/** The page for somebody who gets no place. `notice`: what operators have to say; empty where they say nothing. */
export function refusalPage(
  language: Language,
  { why, notice }: { readonly why: Refusal; readonly notice: string },
): Page {
  const [heading, text] = WORDS[language].refused[why];
  return document(language, {
    state: "refused",
    title: heading,
    heading,
    body: html`${notice === "" ? "" : html`<p class="note">${notice}</p>\n`}<p>${text}</p>`,
    refresh: new Html(""),
    live: () => new Html(""),
  });
}

interface Parts {
  readonly state: "waiting" | "turn" | "over" | "refused";
  readonly title: string;
  readonly heading: string;
  readonly body: Html;
  readonly refresh: Html;
  readonly live: (nonce: string) => Html;
}

function document(language: Language, { state, title, heading, body, refresh, live }: Parts): Page {
  const nonce = randomBytes(16).toString("base64");
  const page = html`<!doctype html>
<html lang="${language}" data-state="${state}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>${title}</title>
<link rel="icon" href="data:,">
${refresh}
<style nonce="${nonce}">
${new Html(STYLE)}</style>
</head>
<body>
<main>
<h1 tabindex="-1" data-text="heading">${heading}</h1>
${body}
<p class="heard" role="status" id="heard"></p>
</main>
${live(nonce)}
</body>
</html>
`;
  return { body: Buffer.from(page.text), headers: headersFor(language, nonce) };
}

function script(nonce: string): Html {
  return new Html(LIVE.replace("<script>", `<script nonce="${nonce}">`));
}

/** Nothing is loaded from elsewhere, nobody frames the page, and its address, which may hold a token, is told to no
 * other site. */
function headersFor(lang: Language, nonce: string): Page["headers"] {
  const policy = [
    "default-src 'none'",
    `script-src 'nonce-${nonce}'`,
    `style-src 'nonce-${nonce}'`,
    // A bar's width is set by the script, which is no inline style; the empty icon is a data URL.
    "img-src data:",
    "connect-src 'self'",
    "form-action 'self'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
  ];
  return [
    ["content-type", "text/html; charset=utf-8"],
    ["content-language", lang],
    ["cache-control", "no-store"],
    ["content-security-policy", policy.join("; ")],
    ["x-frame-options", "DENY"],
    ["x-content-type-options", "nosniff"],
    ["referrer-policy", "no-referrer"],
  ];
}
