// The demo as `npm start` has it, on free ports: the shop with its page, and Usher before it, which can be killed and
// started again on what it had stored.

import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { AdminService } from "@usher/protocol/admin";
import { type Queue, type QueueMode, QueueService } from "@usher/protocol/queue";
import { onTestFinished } from "vitest";
import { freePorts } from "../chaos/scene/ports.ts";
import { Program } from "../support/program.ts";
import { startUsher, type Usher } from "../support/usher.ts";

const CONFIG = resolve(import.meta.dirname, "../../examples/box-office/usher.yaml");

export interface BoxOffice {
  /** The page's address. */
  readonly url: string;
  queue(name: string): Promise<Queue | undefined>;
  change(queue: string, settings: { mode?: QueueMode; notice?: string }): Promise<void>;
  /** Kills Usher. */
  kill(): Promise<void>;
  /** Starts it again, on the same ports and data. `anew`: on none. */
  restart(how?: { anew: boolean }): Promise<void>;
}

/** `buyers`: how many the page sends at once, each way. `gone`: how many more nodes of Usher the page is told of, before
 * the one that is there. */
export async function openBoxOffice(buyers = 20, gone = 0): Promise<BoxOffice> {
  const folder = await mkdtemp(join(tmpdir(), "usher-box-office-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const [port = 0, gateway = 0, native = 0, ...nobody] = await freePorts(3 + gone);
  const url = `http://localhost:${port}`;
  const gatewayUrl = `http://127.0.0.1:${gateway}`;
  const page = new Program("examples/box-office/src/page/main.ts", [
    ...nobody.flatMap((port) => ["--gateway", `http://127.0.0.1:${port}`]),
    ...["--port", `${port}`, "--gateway", gatewayUrl, "--native", `http://127.0.0.1:${native}`],
    ...["--buyers", `${buyers}`, "--folder", folder],
  ]);
  onTestFinished(() => page.stop().then(() => undefined));
  await page.says(/is open/);
  const start = async (): Promise<Usher> =>
    startUsher({
      config: (await readFile(CONFIG, "utf8")).replaceAll("http://localhost:9000", url),
      data: join(folder, "data"),
      ports: { gateway, native },
      demo: true,
    });
  let usher = await start();
  onTestFinished(() => usher.stop());

  const transport = createConnectTransport({ baseUrl: gatewayUrl, httpVersion: "1.1" });
  const admin = createClient(AdminService, transport);
  return {
    url,
    queue: async (queue) => (await createClient(QueueService, transport).getQueue({ queue })).queue,
    async change(queue, settings) {
      const { queue: before } = await admin.getQueue({ queue });
      await admin.updateQueue({
        ...{ queue, settings, updateMask: { paths: Object.keys(settings) } },
        ...{ etag: before?.etag ?? "", reason: "a test" },
      });
    },
    kill: async () => void (await usher.kill()),
    async restart({ anew } = { anew: false }) {
      if (anew) await rm(join(folder, "data"), { recursive: true });
      usher = await start();
    },
  };
}
