// How a node comes by its keys, and by those that an operator adds while it runs: the file is looked at every two
// seconds, and read anew when it is another one.

import { existsSync } from "node:fs";
import {
  exposure,
  type Keys,
  KeysError,
  type KeysFile,
  LiveKeys,
  openKeysFile,
  parseKeys,
  readKeysFile,
} from "@usher/replica";
import type { TicketLog } from "@usher/ticket-log";
import { Failure } from "./failure.ts";

/** How often the file is looked at, in milliseconds; two seconds: a key that leaked is wanted gone. */
const LOOK_MS = 2_000;

/** The keys for a log, once it is open. */
export type KeysOf = (log: Pick<TicketLog, "end">) => Promise<Keys>;

export interface NodeKeysOptions {
  readonly file: string;
  /** Told, in a line each and without secrets, what became of the keys. */
  readonly say: (line: string) => void;
}

export class NodeKeys {
  readonly #file: string;
  readonly #say: (line: string) => void;
  readonly #shared: boolean;
  #keys: LiveKeys | undefined;
  #watch: NodeJS.Timeout | undefined;
  /** What is in use, or was found wrong, by its stamp; so that each is told once. */
  #seen = "";
  #exposed: string | undefined;
  #looking = false;

  private constructor({ file, say }: NodeKeysOptions, shared: boolean) {
    this.#file = file;
    this.#say = say;
    this.#shared = shared;
  }

  /** The nodes of a log elsewhere have one file of keys, for what one of them tags, another has to know: so it must be
   * here before anything is opened, and no node makes it. Rejects with a `Failure` or a `KeysError`. */
  static async shared(options: NodeKeysOptions): Promise<NodeKeys> {
    const { file } = options;
    if (!existsSync(file))
      throw new Failure(
        `${file}: there is no file of keys, and all nodes of a Kafka log share one: copy it from another node, or make ` +
          `the first with usher init --keys ${file} (keys in the configuration, or --keys, names another place)`,
      );
    parseKeys((await openKeysFile({ file, create: false })).text, file);
    return new NodeKeys(options, true);
  }

  /** The keys of a log of this machine's own are made together with it, once: fresh ones beside an old log would void
   * every token in it, and leave its stored requests unreadable. */
  static own(options: NodeKeysOptions): NodeKeys {
    return new NodeKeys(options, false);
  }

  /** Reads them for the first time, and looks after them from then on. */
  readonly of: KeysOf = async (log) => {
    if (this.#keys !== undefined) return this.#keys;
    const create = !this.#shared && (await log.end()) === 0;
    const found = await openKeysFile({ file: this.#file, create });
    this.#keys = new LiveKeys(parseKeys(found.text, this.#file));
    this.#seen = found.stamp;
    this.#warn(found);
    // The node is held open by its ports, and not by this.
    this.#watch = setInterval(() => void this.#look(this.#keys), LOOK_MS).unref();
    return this.#keys;
  };

  close(): void {
    clearInterval(this.#watch);
  }

  async #look(keys: LiveKeys | undefined): Promise<void> {
    // A disk that hangs must not heap up looks.
    if (keys === undefined || this.#looking) return;
    this.#looking = true;
    try {
      this.#take(keys, await readKeysFile(this.#file));
    } catch (error) {
      this.#refuse(error, error instanceof KeysError ? error.message : "");
    } finally {
      this.#looking = false;
    }
  }

  #take(keys: LiveKeys, found: KeysFile | undefined): void {
    if (found === undefined) {
      this.#refuse(new KeysError(`${this.#file}: the keys' file is gone; put it back`), "gone");
      return;
    }
    if (found.stamp === this.#seen) return;
    try {
      const replaced = keys.replace(parseKeys(found.text, this.#file));
      if ("refused" in replaced) throw new KeysError(`${this.#file}: ${replaced.refused}`);
      this.#seen = found.stamp;
      this.#say(`the keys' file was read again: ${replaced.changed ?? "the keys are the same"}`);
      this.#warn(found);
    } catch (error) {
      this.#refuse(error, found.stamp);
    }
  }

  /** Once for each state that it is found in. */
  #refuse(error: unknown, state: string): void {
    if (!(error instanceof KeysError)) throw error;
    if (this.#seen === state) return;
    this.#seen = state;
    this.#say(`${error.message} (the keys that were read before are used on)`);
  }

  #warn(found: KeysFile): void {
    const exposed = exposure(this.#file, found);
    if (exposed !== undefined && exposed !== this.#exposed) this.#say(exposed);
    this.#exposed = exposed;
  }
}
