// The crowds that the page sends: one straight to a shop, and at the same moment its twin through Usher to another shop
// that is just like it. One run at a time; each ends by itself.

import { lookup } from "node:dns/promises";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { CrowdProgress } from "../burst/crowd.ts";
import { Child, startAndHear } from "../children.ts";
import type { Shop, ShopFigures } from "../shop/shop.ts";
import type { Figures, Side } from "./figures.ts";

const shopProgram = join(import.meta.dirname, "../shop/main.ts");
const buyersProgram = join(import.meta.dirname, "../burst/buyers.ts");

/** Within how many milliseconds a crowd comes; 1,000. */
const WINDOW_MS = 1_000;

/** Who has no answer so many milliseconds after the first came goes home; 60,000. Through Usher the last of 3,000 needs
 * 15,000 of them. */
const DEADLINE_MS = 60_000;

const nobody: Side = {
  crowd: { come: 0, ticketed: 0, answered: 0, failed: 0, unknown: 0, lost: 0 },
  shop: { inFlight: 0, inFlightMax: 0, sold: 0 },
};

export interface CrowdsSettings {
  /** In each crowd. */
  readonly buyers: number;
  /** Where the gateway is, as `http://host:port`. */
  readonly gateway: string;
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

  constructor(settings: CrowdsSettings, shop: () => Shop) {
    this.#settings = settings;
    this.#shop = shop;
  }

  get figures(): Figures {
    const { inFlight, inFlightMax, sold } = this.#shop().figures;
    const shop = { inFlight, inFlightMax, sold: sold - this.#soldBefore };
    return {
      run: this.#run,
      isRunning: this.#isRunning,
      buyers: this.#settings.buyers,
      direct: this.#direct,
      usher: { crowd: this.#usher, shop },
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
    void Promise.all([this.#sendDirectly(), this.#sendThroughUsher()])
      .catch((error: Error) => {
        this.#fault = error.message;
      })
      .finally(() => {
        this.#isRunning = false;
      });
    return true;
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
      await this.#crowd(`${message.urls}`, folder, (crowd) => {
        this.#direct = { ...this.#direct, crowd };
      });
    } finally {
      await child.stop();
      this.#direct = { ...this.#direct, shop: { ...this.#direct.shop, inFlight: 0 } };
    }
  }

  async #sendThroughUsher(): Promise<void> {
    const gateway = new URL(this.#settings.gateway);
    // Once, so that no buyer has to.
    const { address, family } = await lookup(gateway.hostname.replace(/^\[|\]$/g, ""));
    const host = family === 6 ? `[${address}]` : address;
    await this.#crowd(`http://${host}:${gateway.port}`, this.#folder("usher"), (crowd) => {
      this.#usher = crowd;
    });
  }

  #folder(name: string): string {
    const folder = join(this.#settings.folder, name);
    mkdirSync(folder, { recursive: true });
    return folder;
  }

  /** Resolves when all have gone home. */
  async #crowd(url: string, folder: string, tell: (progress: CrowdProgress) => void): Promise<void> {
    const options = ["--url", url, "--buyers", `${this.#settings.buyers}`, "--window-ms", `${WINDOW_MS}`];
    options.push("--deadline-ms", `${DEADLINE_MS}`, "--log", join(folder, "buyers.ndjson"));
    const crowd = Child.fork(buyersProgram, options, (message) => tell(message as CrowdProgress));
    const { code, signal } = await crowd.ended;
    if (code !== 0) throw new Error(`the buyers ended early (${signal ?? `code ${code}`})`);
  }
}
