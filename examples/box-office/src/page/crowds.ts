// The crowds that the page sends: one straight to a shop, and at the same moment its twin through Usher to another shop
// that is just like it. One run at a time; each ends by itself.

import { lookup } from "node:dns/promises";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { CrowdProgress } from "../burst/crowd.ts";
import { Child, startAndHear } from "../children.ts";
import type { Shop, ShopFigures } from "../shop/shop.ts";
import type { Figures, Moment, Side } from "./figures.ts";

const shopProgram = join(import.meta.dirname, "../shop/main.ts");
const buyersProgram = join(import.meta.dirname, "../burst/buyers.ts");

/** Within how many milliseconds a crowd comes; 1,000. */
const WINDOW_MS = 1_000;

/** Who has no answer so many milliseconds after the first came goes home; 60,000. Through Usher the last of 3,000 needs
 * 15,000 of them. */
const DEADLINE_MS = 60_000;

/** How often it is written down what both shops have at once, in milliseconds, and how often at most: for somewhat longer
 * than the deadline. */
const MOMENT_MS = 250;
const MOMENTS_MAX = 300;

const nobody: Pick<Side, "crowd" | "shop"> = {
  crowd: { come: 0, ticketed: 0, answered: 0, failed: 0, unknown: 0, lost: 0 },
  shop: { inFlight: 0, inFlightMax: 0, sold: 0 },
};

export interface CrowdsSettings {
  /** In each crowd. */
  readonly buyers: number;
  /** Where the gateways of Usher's nodes are, as `http://host:port`: the buyers come to them in turn. */
  readonly gateways: readonly string[];
  /** For what the crowds and their shop write down. */
  readonly folder: string;
}

export class Crowds {
  readonly #settings: CrowdsSettings;
  /** The one behind Usher. */
  readonly #shop: () => Shop;
  #run = 0;
  #isRunning = false;
  #fault: string | undefined;
  #direct = nobody;
  #usher = nobody.crowd;
  #soldBefore = 0;
  #moments: Moment[] = [];
  #stays = { direct: new Stay(), usher: new Stay() };

  constructor(settings: CrowdsSettings, shop: () => Shop) {
    this.#settings = settings;
    this.#shop = shop;
  }

  get buyers(): number {
    return this.#settings.buyers;
  }

  /** `from`: how many moments are known already. */
  figures(from = 0): Figures {
    const momentsBefore = Math.min(Math.max(0, from), this.#moments.length);
    const { inFlight, inFlightMax, sold } = this.#shop().figures;
    const shop = { inFlight, inFlightMax, sold: sold - this.#soldBefore };
    return {
      run: this.#run,
      isRunning: this.#isRunning,
      buyers: this.buyers,
      direct: { ...this.#direct, lasted_ms: this.#stays.direct.lasted_ms },
      usher: { crowd: this.#usher, shop, lasted_ms: this.#stays.usher.lasted_ms },
      moments: this.#moments.slice(momentsBefore),
      momentsBefore,
      ...(this.#fault !== undefined && { fault: this.#fault }),
    };
  }

  /** Sends both. False: those of before are still there. */
  send(): boolean {
    if (this.#isRunning) return false;
    this.#isRunning = true;
    this.#run++;
    this.#fault = undefined;
    this.#direct = nobody;
    this.#usher = nobody.crowd;
    const shop = this.#shop();
    if (shop.figures.seats - shop.figures.sold < this.#settings.buyers) shop.restock();
    this.#soldBefore = shop.figures.sold;
    this.#moments = [];
    this.#stays = { direct: new Stay(), usher: new Stay() };
    const begun_ms = performance.now();
    const note = setInterval(() => this.#note(performance.now() - begun_ms), MOMENT_MS);
    void Promise.all([this.#sendDirectly(), this.#sendThroughUsher()])
      .catch((error: Error) => {
        this.#fault = error.message;
      })
      .finally(() => {
        clearInterval(note);
        this.#isRunning = false;
      });
    return true;
  }

  #note(at_ms: number): void {
    if (this.#moments.length === MOMENTS_MAX) return;
    const { direct, usher } = this.figures();
    this.#moments.push({
      at_ms: Math.round(at_ms),
      direct: direct.shop.inFlight,
      usher: usher.shop.inFlight,
    });
  }

  async #sendDirectly(): Promise<void> {
    const folder = this.#folder("direct");
    const options = ["--port", "0", "--host", "127.0.0.1", "--log", join(folder, "shop.ndjson"), "--figures"];
    const { child, message } = await startAndHear(
      (heard) =>
        Child.fork(shopProgram, options, (message) => {
          heard(message);
          const { kind, ...shop } = message as { kind: string } & ShopFigures;
          if (kind === "figures") this.#direct = { ...this.#direct, shop };
        }),
      "listening",
    );
    try {
      await this.#crowd([`${message.urls}`], "direct", (crowd) => {
        this.#direct = { ...this.#direct, crowd };
      });
    } finally {
      await child.stop();
      this.#direct = { ...this.#direct, shop: { ...this.#direct.shop, inFlight: 0 } };
    }
  }

  async #sendThroughUsher(): Promise<void> {
    // Once, so that no buyer has to.
    const urls = await Promise.all(this.#settings.gateways.map(byAddress));
    await this.#crowd(urls, "usher", (crowd) => {
      this.#usher = crowd;
    });
  }

  #folder(name: string): string {
    const folder = join(this.#settings.folder, name);
    mkdirSync(folder, { recursive: true });
    return folder;
  }

  /** Resolves when all have gone home. */
  async #crowd(
    urls: readonly string[],
    side: "direct" | "usher",
    tell: (progress: CrowdProgress) => void,
  ): Promise<void> {
    const options = urls.flatMap((url) => ["--url", url]);
    options.push("--buyers", `${this.#settings.buyers}`, "--window-ms", `${WINDOW_MS}`);
    options.push("--deadline-ms", `${DEADLINE_MS}`, "--log", join(this.#folder(side), "buyers.ndjson"));
    const stay = this.#stays[side];
    const crowd = Child.fork(buyersProgram, options, (message) => {
      const progress = message as CrowdProgress;
      if (progress.come > 0) stay.begin();
      tell(progress);
    });
    const { code, signal } = await crowd.ended;
    stay.end();
    if (code !== 0) throw new Error(`the buyers ended early (${signal ?? `code ${code}`})`);
  }
}

/** How long a crowd has been there. */
class Stay {
  #begun_ms: number | undefined;
  #ended_ms: number | undefined;

  begin(): void {
    this.#begun_ms ??= performance.now();
  }

  end(): void {
    this.#ended_ms ??= performance.now();
  }

  get lasted_ms(): number {
    if (this.#begun_ms === undefined) return 0;
    return Math.round((this.#ended_ms ?? performance.now()) - this.#begun_ms);
  }
}

/** The same origin, with its host's address for its name. */
async function byAddress(origin: string): Promise<string> {
  const { hostname, port } = new URL(origin);
  const { address, family } = await lookup(hostname.replace(/^\[|\]$/g, ""));
  return `http://${family === 6 ? `[${address}]` : address}:${port}`;
}
