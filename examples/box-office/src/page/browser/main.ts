// The page in the browser. Whatever it asks Usher, it asks by the SDK.
//
//   comparison.ts  both crowds, and the button that sends them      chart.ts    what is at the shop, over time
//   purchase.ts    one's own seat: a `defer` queue                  turn.ts     what one sees of one's turn, in
//   backstage.ts   a room for one: a `pass` queue                               either of them
//   gateway.ts     where Usher is                                   words.ts    English and Korean
//   remembering.ts what the browser keeps                           elements.ts the page's elements

import { Backstage } from "./backstage.ts";
import { Comparison } from "./comparison.ts";
import { find, show } from "./elements.ts";
import { Purchase } from "./purchase.ts";
import { language, say, type Word } from "./words.ts";

document.documentElement.lang = language;
const buyers = Number(find<HTMLMetaElement>("meta[name=buyers]").content);
for (const element of document.querySelectorAll<HTMLElement>("[data-say]"))
  show(element, say(element.dataset.say as Word, { buyers }));

new Purchase().begin();
new Backstage().begin();
const connection = find("#connection");
await new Comparison((isThere) => show(connection, isThere ? "" : say("unreachable"))).run();
