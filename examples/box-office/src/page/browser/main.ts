// The page in the browser. Whatever it asks Usher, it asks by the SDK.
//
//   comparison.ts  both crowds, and the button that sends them      chart.ts    what is at the shop, over time
//   purchase.ts    one's own seat: a `defer` queue                  turn.ts     what one sees of one's turn, in
//   backstage.ts   a room for one: a `pass` queue                               either of them
//   gateway.ts     where Usher is                                   words.ts    English and Korean
//   remembering.ts what the browser keeps                           elements.ts the page's elements
//   refusal.ts     why somebody was refused

import { Backstage } from "./backstage.ts";
import { Comparison, type Reach } from "./comparison.ts";
import { find, show } from "./elements.ts";
import { nodes } from "./gateway.ts";
import { Purchase } from "./purchase.ts";
import { language, say, type Word } from "./words.ts";

document.documentElement.lang = language;
// Both sides are made of the same parts, and so are both turns.
for (const place of document.querySelectorAll<HTMLElement>("[data-parts]"))
  place.replaceWith(find<HTMLTemplateElement>(`template#${place.dataset.parts}`).content.cloneNode(true));
const buyers = Number(find<HTMLMetaElement>("meta[name=buyers]").content);
for (const element of document.querySelectorAll<HTMLElement>("[data-say]"))
  show(element, say(element.dataset.say as Word, { buyers }));

new Purchase().begin();
new Backstage().begin();
await new Comparison((reach) => show(find("#connection"), lackIn(reach))).run();

/** What cannot be reached; empty: nothing. */
function lackIn({ isShopThere, nodesThere }: Reach): string {
  if (nodesThere === nodes.length) return "";
  if (nodesThere > 0) return say("someNodes", { there: nodesThere, nodes: nodes.length });
  return say(isShopThere ? "unreachable" : "noShop");
}
